//! Explores every space and prints the table of the README.
//!
//! `cargo run --release -p semafence-model --example spaces [large]`

use semafence_model::{Config, Exploration, Rule, Space, explore};

fn main() {
    println!(
        "| space | slots | holders | first tokens | confirms | restarts | refreshes | states | steps | verdict | seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for space in Space::ALL {
        print(space.name, &space.config);
    }
    for rule in Rule::VARIANTS {
        print(&format!("{rule:?}"), &Space::of(rule));
    }
    if std::env::args().any(|arg| arg == "large") {
        Space::LARGE.iter().for_each(|space| print(space.name, &space.config));
    }
}

fn print(name: &str, config: &Config) {
    let found = explore(config);
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
        config.limit,
        config.holders,
        config.proposals,
        config.confirms,
        config.amnesias,
        config.refreshes,
        found.states,
        found.steps,
        verdict(&found),
        found.took.as_secs_f64()
    );
}

fn verdict(found: &Exploration) -> String {
    match &found.violation {
        Some(violation) => format!("{:?} after {} steps", violation.property, violation.story.len() - 1),
        None => "holds".into(),
    }
}
