//! A run as data: what decides everything that happens in it.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, Verb};
use super::profile::Profile;
use super::setting::Setting;
use super::words::{ParsePlanError, ms, no_time, read_ms};
use crate::history::Trouble;

/// One run: printed, read back, replayed and shrunk.
///
/// # Examples
///
/// ```
/// use semafence_sim::explore::{Plan, Profile};
///
/// let plan = Plan::draw(Profile::Failover, 7);
/// let read: Plan = plan.to_string().parse()?;
///
/// assert_eq!(read, plan);
/// # Ok::<(), semafence_sim::explore::ParsePlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What all draws follow from: latencies, ids, what clients do.
    pub seed: u64,
    /// What kind of run it is.
    pub profile: Profile,
    /// How many client processes there are; 1–64.
    pub clients: u32,
    /// When the last work begins, in world time.
    pub until: Duration,
    /// Whether a server that took over grants nothing for one ttl.
    pub grace: bool,
    /// How many replicas a grant waits for; at most as many as there are.
    pub acks: u32,
    /// Whether lease time is stepless.
    pub stepless: bool,
    /// What befalls them, in the order of its beginning.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// The plan that belongs to a seed.
    #[must_use]
    pub fn draw(profile: Profile, seed: u64) -> Self {
        let clients = Setting::draw(profile, seed).clients;
        Self::draw_for(profile, seed, clients)
    }

    /// The plan that belongs to a seed, with another number of clients; at least 1, at most 64.
    #[must_use]
    pub fn draw_for(profile: Profile, seed: u64, clients: u32) -> Self {
        let clients = clients.clamp(1, 64);
        let Setting {
            grace, acks, stepless, ..
        } = Setting::draw(profile, seed);
        Self {
            seed,
            profile,
            clients,
            until: profile.until(),
            grace,
            acks,
            stepless,
            faults: profile.faults(seed, clients),
        }
    }

    /// The same with so many clients, and without what befalls only others.
    pub(super) fn among(&self, clients: u32) -> Self {
        let faults = self.faults.iter().filter_map(|fault| {
            let verb = fault.verb.clone().among(clients)?;
            Some(Fault { at: fault.at, verb })
        });
        Self {
            clients,
            faults: faults.collect(),
            ..self.clone()
        }
    }

    /// What clients do in it.
    #[must_use]
    pub fn setting(&self) -> Setting {
        Setting {
            clients: self.clients,
            grace: self.grace,
            acks: self.acks,
            stepless: self.stepless,
            ..Setting::draw(self.profile, self.seed)
        }
    }

    /// What one of its faults can excuse, if anything. Stepless leases outlast one step within their ttl, not two.
    pub(super) fn trouble(&self, fault: &Fault) -> Option<Trouble> {
        let trouble = fault.verb.trouble();
        if trouble != Some(Trouble::Clock) || !self.stepless {
            return trouble;
        }
        let lately = fault.at.saturating_sub(self.setting().ttl)..=fault.at;
        let is_step = |other: &&Fault| matches!(other.verb, Verb::StepClock { .. }) && lately.contains(&other.at);
        let first = self.faults.iter().filter(is_step).min_by_key(|other| other.at);
        Some(if first == Some(fault) {
            Trouble::Step
        } else {
            Trouble::Clock
        })
    }

    /// Whether servers forget what they have confirmed.
    #[must_use]
    pub fn forgets(&self) -> bool {
        let forgets = |fault: &Fault| {
            matches!(
                fault.verb,
                Verb::Evict { .. }
                    | Verb::Failover { .. }
                    | Verb::FlushAll
                    | Verb::Hang { .. }
                    | Verb::Restart { .. }
                    | Verb::Revert { .. }
                    | Verb::Split { .. }
            )
        };
        self.faults.iter().any(forgets)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "profile {}", self.profile)?;
        writeln!(f, "clients {}", self.clients)?;
        write!(f, "until {}", ms(self.until))?;
        if self.grace {
            f.write_str("\ngrace on")?;
        }
        if self.acks > 0 {
            write!(f, "\nacks {}", self.acks)?;
        }
        if self.stepless {
            f.write_str("\nstepless on")?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))?;
        f.write_char('\n')
    }
}

impl FromStr for Plan {
    type Err = ParsePlanError;

    /// Reads what `Display` prints: four lines, `grace on`, `acks` and `stepless on` where they are, then one for each
    /// fault. Empty lines and those that begin with `#` are passed over. A fault must befall a client or a server that there
    /// is.
    fn from_str(text: &str) -> Result<Self, ParsePlanError> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let mut lines = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .peekable();
        let mut plan = Self {
            seed: field(lines.next(), "seed", number)?,
            profile: field(lines.next(), "profile", |_, text| text.parse())?,
            clients: field(lines.next(), "clients", clients)?,
            until: field(lines.next(), "until", time)?,
            grace: lines.next_if(|(_, line)| *line == "grace on").is_some(),
            acks: 0,
            stepless: false,
            faults: Vec::new(),
        };
        let replicas = plan.setting().replicas;
        if let Some(line) = lines.next_if(|(_, line)| line.starts_with("acks ")) {
            plan.acks = field(Some(line), "acks", |name, text| acks(name, text, replicas))?;
        }
        plan.stepless = lines.next_if(|(_, line)| *line == "stepless on").is_some();
        for (number, line) in lines {
            let fault = line.parse().and_then(|fault| befalling(fault, line, &plan, replicas));
            plan.faults.push(fault.map_err(|error| error.at(number))?);
        }
        Ok(plan)
    }
}

fn field<T>(
    line: Option<(usize, &str)>,
    name: &str,
    read: impl FnOnce(&str, &str) -> Result<T, String>,
) -> Result<T, ParsePlanError> {
    let (number, line) = line.ok_or_else(|| ParsePlanError::new("", format!("{name} is missing")))?;
    let value = match line.split_once(' ') {
        Some((key, value)) if key == name => read(name, value.trim()),
        _ => Err(format!("{name} is missing")),
    };
    value.map_err(|reason| ParsePlanError::new(line, reason).at(number))
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} is no number"))
}

fn clients(name: &str, text: &str) -> Result<u32, String> {
    let clients = number(name, text)?;
    let some = (1..=64).contains(&clients).then_some(clients);
    some.ok_or_else(|| format!("{name} must be within 1 and 64"))
}

/// With more than there are, nothing would ever be granted.
fn acks(name: &str, text: &str, replicas: u32) -> Result<u32, String> {
    let acks = number(name, text)?;
    let some = (1..=replicas).contains(&acks).then_some(acks);
    some.ok_or_else(|| format!("{name} must be at least 1, and there are {replicas} replicas"))
}

fn time(name: &str, text: &str) -> Result<Duration, String> {
    read_ms(text).ok_or_else(|| no_time(name))
}

/// The fault, unless it befalls nobody: then all would hold, and nothing would have been shown.
fn befalling(fault: Fault, line: &str, plan: &Plan, replicas: u32) -> Result<Fault, ParsePlanError> {
    let clients = plan.clients;
    if fault.verb.named_clients().is_some_and(|named| *named.end() > clients) {
        return Err(ParsePlanError::new(
            line,
            format!("there are clients 1 to {clients} only"),
        ));
    }
    if fault.verb.named_server().is_some_and(|named| named > replicas) {
        return Err(ParsePlanError::new(
            line,
            format!("there are servers 0 to {replicas} only"),
        ));
    }
    Ok(fault)
}
