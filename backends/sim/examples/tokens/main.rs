//! Prints where the order of tokens ends: clocks that differ, by writes that are lost, by failovers in a row, with and
//! without each part of the rule.
//!
//! `cargo run --release -p semafence-sim --example tokens -- [TRIALS]`

mod sweep;

use std::time::Duration;

use sweep::{Case, Course, RULES, Rule, regressions};

const AHEAD_S: [i64; 9] = [-7_200, -3_600, -5, -1, 0, 1, 5, 3_600, 7_200];
const LOST_S: [u64; 5] = [0, 1, 10, 60, 600];

const COURSES: [(Course, &str); 5] = [
    (Course::Once, "one failover"),
    (Course::Begun, "one, and all there was is lost"),
    (Course::Twice, "two, the second 2 s after the first"),
    (Course::MiddleLost, "two, and nobody knows the master in between"),
    (
        Course::MiddleTwoLost,
        "three, and nobody knows the two masters in between",
    ),
];

fn main() {
    let trials = std::env::args()
        .nth(1)
        .map_or(12, |text| text.parse().expect("a number of trials"));
    println!("Tokens that go back, of {trials} trials in each cell. Every second server's clock is ahead by so much;");
    println!("replicas have missed so much of the time before the first master failed.");
    for (course, name) in COURSES {
        println!("\n## {name}");
        for rule in RULES {
            print_table(rule, course, trials);
        }
    }
}

fn print_table(rule: Rule, course: Course, trials: u64) {
    let counts = AHEAD_S.map(|ahead| {
        LOST_S.map(|lost| {
            let case = Case {
                rule,
                course,
                ahead_ms: ahead * 1000,
                lost: Duration::from_secs(lost),
            };
            regressions(case, trials)
        })
    });
    let total: u64 = counts.iter().flatten().sum();
    println!(
        "\n{}: {total} of {}",
        rule.name,
        trials * (AHEAD_S.len() * LOST_S.len()) as u64
    );
    if total == 0 {
        return;
    }
    print!("{:>10} |", "ahead");
    LOST_S.iter().for_each(|lost| print!(" {lost:>4} s"));
    println!(" lost");
    for (ahead, row) in AHEAD_S.iter().zip(counts) {
        print!("{ahead:>8} s |");
        for count in row {
            let cell = if count == 0 { "·".to_owned() } else { count.to_string() };
            print!(" {cell:>6}");
        }
        println!();
    }
}
