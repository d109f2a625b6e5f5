//! Where the plans of the runs come from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use semafence_sim::explore::{Group, Plan, Profile};

use super::args::{Profiles, SimArgs};
use crate::failure::Failure;

/// So many seeds in a row that do not fit: then none will.
const MISSES_MAX: u64 = 200_000;

/// Plans, one after the other, in an order that does not depend on anything else.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// From seeds.
    Seeds(Seeds),
    /// One that was given.
    Given(Given),
}

/// Plans that are drawn from seeds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seeds {
    pub(crate) first: u64,
    pub(crate) profile: Option<Profile>,
    pub(crate) clients: Option<u32>,
    pub(crate) groups: Vec<Group>,
}

/// A plan from a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    path: PathBuf,
    plan: Plan,
}

impl Source {
    /// What the options ask for, from `first` on where they name no seed.
    pub(crate) fn of(args: &SimArgs, first: u64) -> Result<Self, Failure> {
        if let Some(path) = &args.plan {
            let plan = read(path)?;
            let path = path.clone();
            return Ok(Self::Given(Given { path, plan }));
        }
        Ok(Self::Seeds(Seeds {
            first: args.seed.unwrap_or(first),
            profile: match args.profile {
                Profiles::All => None,
                Profiles::One(profile) => Some(profile),
            },
            clients: args.clients,
            groups: distinct(&args.faults),
        }))
    }

    /// All of them; ends where there are no more.
    pub(crate) fn plans(&self) -> Box<dyn Iterator<Item = Plan> + Send + '_> {
        match self {
            Self::Seeds(seeds) => Box::new(seeds.plans()),
            Self::Given(given) => Box::new(std::iter::once(given.plan.clone())),
        }
    }

    /// Whether everything may happen, so that what never does is missed.
    pub(crate) fn is_everything(&self) -> bool {
        match self {
            Self::Seeds(seeds) => seeds.profile.is_none() && seeds.clients.is_none() && seeds.groups.is_empty(),
            Self::Given(_) => false,
        }
    }

    /// The command that plays a plan of this source again.
    pub(crate) fn repeat(&self, plan: &Plan) -> String {
        match self {
            Self::Seeds(seeds) => seeds.repeat(plan.seed),
            Self::Given(given) if is_stdin(&given.path) => "save the plan, then semafence sim --plan FILE".to_owned(),
            Self::Given(given) => format!("semafence sim --plan {}", quoted(&given.path.to_string_lossy())),
        }
    }
}

impl Seeds {
    fn plan(&self, seed: u64) -> Plan {
        let profile = self.profile.unwrap_or_else(|| Profile::of(seed));
        match self.clients {
            None => Plan::draw(profile, seed),
            Some(clients) => Plan::draw_for(profile, seed, clients),
        }
    }

    fn plans(&self) -> impl Iterator<Item = Plan> + Send + '_ {
        let mut misses = 0;
        let fits = |plan: &Plan| self.groups.is_empty() || Group::cover(&self.groups, plan);
        let plans = (self.first..=u64::MAX).map(|seed| self.plan(seed));
        let plans = plans.map_while(move |plan| {
            let fitting = fits(&plan).then_some(plan);
            misses = if fitting.is_some() { 0 } else { misses + 1 };
            (misses < MISSES_MAX).then_some(fitting)
        });
        plans.flatten()
    }

    /// Groups are left out: they choose among plans and change none.
    fn repeat(&self, seed: u64) -> String {
        let mut command = format!("semafence sim --seed {seed}");
        if let Some(profile) = self.profile {
            let _a_string_takes_everything = write!(command, " --profile {profile}");
        }
        if let Some(clients) = self.clients {
            let _a_string_takes_everything = write!(command, " --clients {clients}");
        }
        command
    }
}

/// Each once, in the order of the first.
fn distinct(groups: &[Group]) -> Vec<Group> {
    let is_first = |index: usize, group: &Group| !groups[..index].contains(group);
    let firsts = groups
        .iter()
        .enumerate()
        .filter(|(index, group)| is_first(*index, group));
    firsts.map(|(_, group)| *group).collect()
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn read(path: &Path) -> Result<Plan, Failure> {
    let text = if is_stdin(path) {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::config(format!("cannot read the plan {}: {error}", path.display())))?;
    let plan = text.parse();
    plan.map_err(|error| Failure::config(format!("cannot read the plan {}: {error}", path.display())))
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(groups: &[Group]) -> Seeds {
        Seeds {
            first: 5,
            profile: None,
            clients: None,
            groups: groups.to_vec(),
        }
    }

    #[test]
    fn groups_choose_among_plans_and_change_none() {
        let chosen = seeds(&[Group::Failover, Group::Pause]);

        for plan in chosen.plans().take(20) {
            assert_eq!(plan, Plan::draw(Profile::of(plan.seed), plan.seed));
            assert!(Group::cover(&chosen.groups, &plan), "{plan}");
        }
    }

    #[test]
    fn a_word_that_comes_twice_counts_once() {
        let groups = [Group::Pause, Group::Net, Group::Pause];

        assert_eq!(distinct(&groups), [Group::Pause, Group::Net]);
    }

    #[test]
    fn what_never_happens_has_an_end() {
        let never = Seeds {
            profile: Some(Profile::Calm),
            ..seeds(&[Group::Net])
        };
        let last = Seeds {
            first: u64::MAX,
            ..seeds(&[])
        };

        assert_eq!(never.plans().count(), 0);
        assert_eq!(last.plans().count(), 1);
    }

    #[test]
    fn a_plan_from_stdin_is_repeated_from_a_file() {
        let plan = Plan::draw(Profile::Calm, 1);
        let of = |path: &str| {
            let given = Given {
                path: path.into(),
                plan: plan.clone(),
            };
            Source::Given(given).repeat(&plan)
        };

        assert_eq!(of("-"), "save the plan, then semafence sim --plan FILE");
        assert_eq!(of("my plan"), "semafence sim --plan 'my plan'");
    }

    #[test]
    fn a_path_is_quoted_as_a_shell_needs_it() {
        assert_eq!(quoted("a/b-1.plan"), "a/b-1.plan");
        assert_eq!(quoted("it's mine"), r"'it'\''s mine'");
        assert_eq!(quoted(""), "''");
    }
}
