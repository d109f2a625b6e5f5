//! Kinds of faults, as people choose them.

use std::fmt;
use std::str::FromStr;

use super::fault::Verb;
use super::names::{name_of, named, values};
use super::plan::Plan;

/// A kind of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group {
    /// Clocks of clients and servers drift, wobble and are stepped.
    Clock,
    /// A replica lags, the master dies and a replica is promoted, clients do not hear of it.
    Failover,
    /// Client processes die.
    Kill,
    /// A server loses all data, or a key.
    Memory,
    /// Messages are lost, late, repeated, or kept back.
    Net,
    /// Operators take permits by force and change limits.
    Operator,
    /// Clients are cut off.
    Partition,
    /// Client processes and their machines stand still.
    Pause,
    /// A server refuses what it is asked.
    Refuse,
    /// A server stands still or starts again, with its data, older data or none, or forgets its scripts.
    Restart,
    /// Both sides have a master.
    Split,
}

const NAMES: [(&str, Group); 11] = [
    ("clock", Group::Clock),
    ("failover", Group::Failover),
    ("kill", Group::Kill),
    ("memory", Group::Memory),
    ("net", Group::Net),
    ("operator", Group::Operator),
    ("partition", Group::Partition),
    ("pause", Group::Pause),
    ("refuse", Group::Refuse),
    ("restart", Group::Restart),
    ("split", Group::Split),
];

impl Group {
    /// All kinds, in the order of their names.
    pub const ALL: [Self; 11] = values(&NAMES);

    /// Whether a plan has faults, and only such as belong to `groups`.
    ///
    /// # Examples
    ///
    /// ```
    /// use semafence_sim::explore::{Group, Plan};
    ///
    /// let text = "seed 1\nprofile twice\nclients 2\nuntil 50000ms\n9000ms pause client=1 for=70ms";
    /// let plan: Plan = text.parse()?;
    ///
    /// assert!(Group::cover(&[Group::Kill, Group::Pause], &plan));
    /// assert!(!Group::cover(&[Group::Kill], &plan));
    /// # Ok::<(), semafence_sim::explore::ParsePlanError>(())
    /// ```
    #[must_use]
    pub fn cover(groups: &[Self], plan: &Plan) -> bool {
        let covered = |verb: &Verb| groups.contains(&verb.group());
        !plan.faults.is_empty() && plan.faults.iter().all(|fault| covered(&fault.verb))
    }
}

impl Verb {
    /// To which kind it belongs.
    #[must_use]
    pub fn group(&self) -> Group {
        match self {
            Self::Drift { .. }
            | Self::DriftClock { .. }
            | Self::StepClock { .. }
            | Self::StepWall { .. }
            | Self::Wobble { .. }
            | Self::WobbleClock { .. } => Group::Clock,
            Self::Deaf { .. } | Self::Failover { .. } | Self::Lag { .. } => Group::Failover,
            Self::Kill { .. } => Group::Kill,
            Self::Evict { .. } | Self::FlushAll => Group::Memory,
            Self::Cut { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::Duplicate { .. }
            | Self::Hold { .. }
            | Self::Noise { .. } => Group::Net,
            Self::Force | Self::Resize { .. } => Group::Operator,
            Self::Partition { .. } => Group::Partition,
            Self::Pause { .. } | Self::Suspend { .. } => Group::Pause,
            Self::Refuse { .. } => Group::Refuse,
            Self::Crash { .. }
            | Self::FlushScripts
            | Self::Freeze { .. }
            | Self::Restart { .. }
            | Self::Revert { .. } => Group::Restart,
            Self::Hang { .. } | Self::Split { .. } => Group::Split,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&NAMES, self))
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&NAMES, text).map_err(|known| format!("there are no faults {text}, only {known}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Profile;

    #[test]
    fn every_group_has_a_name_that_is_read_back() {
        for group in Group::ALL {
            assert_eq!(group.to_string().parse(), Ok(group));
        }
    }

    #[test]
    fn every_group_alone_is_drawn_by_some_seed() {
        for group in Group::ALL {
            let drawn = (1..20_000).any(|seed| Group::cover(&[group], &Plan::draw(Profile::of(seed), seed)));
            assert!(drawn, "{group}");
        }
    }
}
