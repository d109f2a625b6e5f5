//! Visits every world that can come about, the nearest first.

use std::hash::BuildHasherDefault;
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use rustc_hash::FxHasher;

use crate::config::Config;
use crate::event::Event;
use crate::mark::Marks;
use crate::packed::Packed;
use crate::property::{Property, broken};
use crate::step;
use crate::story;
use crate::world::World;

/// What was found in a space.
#[derive(Debug)]
pub struct Exploration {
    /// How many worlds there are, those that differ only in names counted once.
    pub states: usize,
    /// How many steps lead from one to another.
    pub steps: usize,
    /// What has occurred in them.
    pub marks: Marks,
    /// The shortest way to something that must not be. Without one the space was visited to its end.
    pub violation: Option<Violation>,
    /// How long that took.
    pub took: Duration,
}

/// A property that is broken, and how that comes about.
#[derive(Debug)]
pub struct Violation {
    /// What is broken.
    pub property: Property,
    /// The shortest way there, a sentence for each step.
    pub story: Vec<String>,
}

/// Visits the whole space, or as much as it takes to find something that must not be.
///
/// # Panics
///
/// If a bound is out of its range, or tokens could grow beyond 13: the first proposals plus one for each confirm.
#[must_use]
pub fn explore(config: &Config) -> Exploration {
    assert!(config.fits(), "a bound is out of its range: {config:?}");
    let started = Instant::now();
    let mut search = Search::new(config);
    let mut next = 0;
    let mut found = None;
    while next < search.worlds.len() && found.is_none() {
        found = search.visit(next);
        next += 1;
    }
    Exploration {
        states: search.worlds.len(),
        steps: search.steps,
        marks: search.marks,
        violation: found.map(|(property, event)| Violation {
            property,
            story: story::tell(config, &search.way_to(next - 1), event, property),
        }),
        took: started.elapsed(),
    }
}

/// Worlds in the order in which they were found: those behind the one that is visited are still to be visited.
struct Search<'a> {
    config: &'a Config,
    worlds: IndexSet<Packed, BuildHasherDefault<FxHasher>>,
    /// From which world each was found.
    parents: Vec<u32>,
    steps: usize,
    marks: Marks,
}

impl<'a> Search<'a> {
    fn new(config: &'a Config) -> Self {
        let first = Packed::new(&World::new(config), config.limit);
        Self {
            config,
            worlds: IndexSet::from_iter([first]),
            parents: vec![0],
            steps: 0,
            marks: Marks::default(),
        }
    }

    /// Takes every step from a world. Tells the first that breaks something.
    fn visit(&mut self, index: usize) -> Option<(Property, Event)> {
        let before = self.worlds[index].world();
        let mut found = None;
        step::for_each(&before, self.config, |event, after| {
            self.steps += 1;
            self.marks.look_at(&event, &before, &after);
            found = found.or_else(|| broken(self.config, &event, &before, &after).map(|property| (property, event)));
            if self.worlds.insert(Packed::new(&after, self.config.limit)) {
                self.parents
                    .push(u32::try_from(index).expect("fewer than four thousand million worlds"));
            }
        });
        found
    }

    /// The worlds from the first to this one.
    fn way_to(&self, mut index: usize) -> Vec<Packed> {
        let mut way = vec![self.worlds[index]];
        while index > 0 {
            index = self.parents[index] as usize;
            way.push(self.worlds[index]);
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;
    use crate::tidy::tidy;

    fn worlds(config: &Config) -> IndexSet<Packed, BuildHasherDefault<FxHasher>> {
        let mut search = Search::new(config);
        let mut next = 0;
        while next < search.worlds.len() {
            search.visit(next);
            next += 1;
        }
        search.worlds
    }

    /// Whole worlds, tidied only now.
    fn tidied(config: &Config) -> IndexSet<Packed, BuildHasherDefault<FxHasher>> {
        let whole = Config { whole: true, ..*config };
        let tidied = |packed: Packed| {
            let mut world = packed.world();
            tidy(&mut world, config);
            Packed::new(&world, config.limit)
        };
        worlds(&whole).into_iter().map(tidied).collect()
    }

    fn small(limit: u8) -> Config {
        Config {
            holders: 2,
            confirms: 1,
            ..Config::new(limit)
        }
    }

    #[test]
    fn tidying_loses_no_world_and_adds_none() {
        let restart = Config {
            amnesias: 1,
            ..small(1)
        };
        let refresh = Config {
            refreshes: 1,
            proposals: 1,
            confirms: 0,
            ..restart
        };

        for config in [small(1), small(2), restart, refresh] {
            assert!(tidied(&config) == worlds(&config), "{config:?}");
        }
    }

    #[test]
    fn tidying_loses_no_world_and_adds_none_where_claims_overrule() {
        let overrules = Config {
            proposals: 1,
            overrules: true,
            ..small(1)
        };
        let higher = Config {
            proposals: 2,
            ..overrules
        };
        let two_slots = Config { limit: 2, ..overrules };
        let three = Config {
            holders: 3,
            proposals: 2,
            confirms: 0,
            ..overrules
        };
        let restart = Config {
            amnesias: 1,
            ..overrules
        };
        let refresh = Config {
            refreshes: 1,
            ..overrules
        };
        let restart_refresh = Config {
            amnesias: 1,
            confirms: 0,
            ..refresh
        };

        for config in [overrules, higher, two_slots, three, restart, refresh, restart_refresh] {
            assert!(tidied(&config) == worlds(&config), "{config:?}");
        }
    }

    #[test]
    fn without_tombstones_the_same_worlds_come_about() {
        let without = small(1).with(Rule::NoTombstone);

        assert!(tidied(&without) == worlds(&small(1)));
    }
}
