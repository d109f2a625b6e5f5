//! Says of each mutant in how many plans each invariant catches it, and in which first: what to expect of it, and where
//! to look. `cargo run --release -p semafence-mutants --example survey -- [SEEDS] [NAME] [PROFILE,…]`.

use std::collections::BTreeMap;

use semafence_mutants::{Prey, all, tally};
use semafence_sim::explore::Profile;

fn main() {
    let mut args = std::env::args().skip(1);
    let seeds = args.next().map_or(10, |text| text.parse().expect("how many seeds"));
    let part = args.next().unwrap_or_default();
    let profiles = args.next().map_or(Profile::ALL.to_vec(), |list| {
        list.split(',').map(|name| name.parse().expect("a profile")).collect()
    });
    let mut without = BTreeMap::new();
    for mutant in all().filter(|mutant| mutant.name.contains(&part)) {
        println!("{}", mutant.name);
        for ((invariant, profile), (count, first)) in tally(Prey::of(mutant), &profiles, 1..=seeds, &mut without) {
            println!("{count:>6} {invariant} in {profile}, first {first}");
        }
    }
}
