//! Hunts every mutant and prints what caught it:
//! `cargo run --release -p semafence-mutants --example hunt -- [--search] [NAME]`.
//!
//! Each is first looked for in the plan that its row names, and then in those of its profiles with the seeds from 1; with
//! `--search` in the latter only. NAME is a part of a mutant's name.

use std::process::ExitCode;
use std::time::Instant;

use semafence_mutants::{all, catch};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let search = args.iter().any(|arg| arg == "--search");
    let part = args
        .iter()
        .find(|arg| !arg.starts_with("--"))
        .map_or("", String::as_str);
    let (started, mut histories, mut survivors) = (Instant::now(), 0, Vec::new());
    println!("| mutant | caught by | profile and seed | histories | time |");
    println!("|---|---|---|---|---|");
    for mutant in all().filter(|mutant| mutant.name.contains(part)) {
        let Some(catch) = catch(mutant, search) else {
            survivors.push(mutant.name);
            println!("| {} | **nothing** | | | |", mutant.name);
            continue;
        };
        histories += catch.histories;
        println!(
            "| {} | {} | {} {} | {} | {} ms |",
            mutant.name,
            catch.invariant,
            catch.profile,
            catch.seed,
            catch.histories,
            catch.took.as_millis()
        );
    }
    println!("\n{histories} histories in {:.1} s", started.elapsed().as_secs_f64());
    if survivors.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("survivors: {}", survivors.join(", "));
    ExitCode::FAILURE
}
