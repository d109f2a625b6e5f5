//! Turns every comparison, sum and constant of the scripts over, one at a time, and lists what nothing catches:
//! `cargo run --release -p semafence-mutants --example flips -- [SEEDS] [FILE]`.
//!
//! Any invariant counts. What is left is either no defect (two rules that make up for each other, a bound that is larger
//! than anything which a run reaches), or says what the checker or the explorer lacks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use semafence_mutants::{File, Prey, Replace, tally};
use semafence_sim::explore::Profile;

/// What is turned into what.
const FLIPS: [(&str, &str); 15] = [
    (" >= ", " > "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" < ", " <= "),
    (" == ", " ~= "),
    (" ~= ", " == "),
    (" + ", " - "),
    (" - ", " + "),
    (" and ", " or "),
    (" or ", " and "),
    ("math.max", "math.min"),
    ("math.min", "math.max"),
    ("not ", ""),
    (", 0", ", 1"),
    ("= 0", "= 1"),
];
/// A mutant that makes clients ask without end is slow; it is left at that.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let mut args = std::env::args().skip(1);
    let seeds = args.next().map_or(5, |text| text.parse().expect("how many seeds"));
    let part = args.next().unwrap_or_default();
    let (mut count, mut left, mut without) = (0, 0, BTreeMap::new());
    // A flip may make a script fail in a way that ends the run.
    std::panic::set_hook(Box::new(|_| {}));
    for file in File::ALL {
        if !format!("{file:?}").contains(&part) {
            continue;
        }
        for (place, line, script) in flips(file.text()) {
            count += 1;
            let text = format!("«{}»", file.text()).leak();
            let scripts = vec![Replace {
                file,
                text,
                by: script.leak(),
            }];
            let prey = Prey {
                name: "flip",
                scripts: scripts.leak(),
            };
            let started = Instant::now();
            let is_caught = (0..seeds).any(|block| {
                started.elapsed() < PATIENCE
                    && Profile::ALL
                        .iter()
                        .any(|profile| !tally(prey, &[*profile], block + 1..=block + 1, &mut without).is_empty())
            });
            if !is_caught {
                left += 1;
                println!("{file:?} {place}: {line}");
            }
        }
    }
    println!("{left} of {count} left");
}

/// Where, the line as it becomes, and the whole text as it becomes.
fn flips(text: &str) -> Vec<(usize, String, String)> {
    let mut flips = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let code = line.split("--").next().unwrap_or_default();
        for (from, to) in FLIPS {
            for (at, _) in code.match_indices(from) {
                let flipped = [&line[..at], to, &line[at + from.len()..]].concat();
                let whole = [&text[..start], &flipped, &text[start + line.len()..]].concat();
                flips.push((number + 1, flipped.trim().to_owned(), whole));
            }
        }
        start += line.len();
    }
    flips
}
