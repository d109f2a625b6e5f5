//! What catches each mutant, and how often.
use semafence_mutants::{Prey, all, tally};
use semafence_sim::explore::Profile;
use std::collections::BTreeMap;

fn main() {
    let mut args = std::env::args().skip(1);
    let seeds = args.next().map_or(20, |text| text.parse().expect("a number"));
    let which = args.next().unwrap_or_default();
    let profiles: Vec<Profile> = match args.next() {
        Some(list) => list.split(',').map(|name| name.parse().expect("a profile")).collect(),
        None => Profile::ALL.to_vec(),
    };
    std::panic::set_hook(Box::new(|info| eprintln!("panic {info}")));
    let mut without = BTreeMap::new();
    for mutant in all().filter(|mutant| mutant.name.contains(&which)) {
        let started = std::time::Instant::now();
        let counts = tally(Prey::of(mutant), &profiles, seeds, &mut without);
        println!("{} {:?}", mutant.name, started.elapsed());
        let mut by: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for ((invariant, profile), (count, first)) in counts {
            by.entry(invariant)
                .or_default()
                .push(format!("{profile} {count} ({first})"));
        }
        for (invariant, list) in by {
            println!("      {:20} {}", invariant.name(), list.join(", "));
        }
    }
}
