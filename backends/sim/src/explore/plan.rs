//! A run as data: what decides everything that happens in it.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, Verb};
use super::profile::Profile;
use super::setting::Setting;
use super::words::{ParsePlanError, ms, read_ms};

/// When the last work begins, unless a plan was shrunk.
const UNTIL: Duration = Duration::from_secs(50);

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
        Self {
            seed,
            profile,
            clients,
            until: UNTIL,
            faults: profile.faults(seed, clients),
        }
    }

    /// What clients do in it.
    #[must_use]
    pub fn setting(&self) -> Setting {
        Setting {
            clients: self.clients,
            ..Setting::draw(self.profile, self.seed)
        }
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
        self.faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))?;
        f.write_char('\n')
    }
}

impl FromStr for Plan {
    type Err = ParsePlanError;

    /// Reads what `Display` prints: four lines, then one for each fault. Empty lines and those that begin with `#` are
    /// passed over.
    fn from_str(text: &str) -> Result<Self, ParsePlanError> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let seed = read(field(lines.next(), "seed")?, "seed")?;
        let profile = field(lines.next(), "profile")?;
        let profile = profile
            .parse()
            .map_err(|reason: String| ParsePlanError::new(profile, reason))?;
        let clients: u32 = read(field(lines.next(), "clients")?, "clients")?;
        if !(1..=64).contains(&clients) {
            return Err(ParsePlanError::new(
                &clients.to_string(),
                "clients must be within 1 and 64",
            ));
        }
        let until = field(lines.next(), "until")?;
        let until = read_ms(until).ok_or_else(|| ParsePlanError::new(until, "until is no time like 50000ms"))?;
        let faults = lines.map(str::parse).collect::<Result<Vec<Fault>, _>>()?;
        Ok(Self {
            seed,
            profile,
            clients,
            until,
            faults,
        })
    }
}

fn field<'a>(line: Option<&'a str>, name: &str) -> Result<&'a str, ParsePlanError> {
    let missing = || ParsePlanError::new(line.unwrap_or(""), format!("{name} is missing"));
    let (key, value) = line.and_then(|line| line.split_once(' ')).ok_or_else(missing)?;
    if key == name { Ok(value.trim()) } else { Err(missing()) }
}

fn read<T: FromStr>(text: &str, name: &str) -> Result<T, ParsePlanError> {
    text.parse()
        .map_err(|_| ParsePlanError::new(text, format!("{name} is no number")))
}
