//! Figures from a real server on this machine, side by side in one run.
//!
//! `cargo bench --bench harness -- [throughput|handoff|idle|renewal|commands|all]… [--json] [--quick]`
//!
//! Every contender of a figure takes its turn in each round, so that whatever else the machine does meets all of them;
//! shown are medians over the rounds, and ratios are medians of the rounds' own ratios.

mod bare;
mod blpop;
mod commands;
mod contender;
mod gauge;
mod handoff;
mod idle;
mod line;
mod ours;
mod renewal;
mod report;
mod rslock;
mod site;
mod stats;
mod throughput;

use clap::Parser;

use crate::report::Section;
use crate::site::Site;

#[derive(Debug, Parser)]
#[command(about = "Measures semafence on a real server on this machine")]
struct Args {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    parts: Vec<Part>,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Fewer and shorter rounds.
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`; without it nothing is measured, because this is `cargo test`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Acquire and release of free semaphores over one connection.
    Throughput,
    /// From one holder to the next.
    Handoff,
    /// What waiting costs.
    Idle,
    /// What keeping leases costs.
    Renewal,
    /// What one acquire and release make the server do.
    Commands,
    /// All of these.
    All,
}

fn main() {
    let args = Args::parse();
    if !args.bench {
        return;
    }
    let Some(site) = Site::start(args.quick) else { return };
    let sections: Vec<Section> = parts(&args.parts)
        .into_iter()
        .flat_map(|part| {
            eprintln!("measuring {part:?} …");
            measure(part, &site)
        })
        .collect();
    if args.json {
        println!("{:#}", report::json(&site.facts(), &sections));
    } else {
        print!("{}", report::text(&site.facts(), &sections));
    }
}

fn parts(chosen: &[Part]) -> Vec<Part> {
    const EACH: [Part; 5] = [
        Part::Commands,
        Part::Throughput,
        Part::Handoff,
        Part::Idle,
        Part::Renewal,
    ];
    let is_chosen = |part: &Part| chosen.contains(part) || chosen.contains(&Part::All);
    EACH.into_iter().filter(is_chosen).collect()
}

fn measure(part: Part, site: &Site) -> Vec<Section> {
    match part {
        Part::Throughput => throughput::measure(site),
        Part::Handoff => handoff::measure(site),
        Part::Idle => idle::measure(site),
        Part::Renewal => renewal::measure(site),
        Part::Commands => commands::measure(site),
        Part::All => Vec::new(),
    }
}
