//! What one process saw, as a line of text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What one process saw. Times are [`now`](crate::moment::now).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// It had a permit, and has it no more.
    Permit(Seen),
    /// A lease that is kept was refreshed.
    Renewed { client: u32, at: Duration },
    /// It asked for a permit and was still waiting at the end.
    Hanging { client: u32, name: String, asked: Duration },
}

/// A permit from the first request to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) client: u32,
    pub(crate) name: String,
    pub(crate) slot: u32,
    pub(crate) token: u64,
    pub(crate) asked: Duration,
    pub(crate) granted: Duration,
    /// When it was given back, or when the loss was told.
    pub(crate) ended: Duration,
    pub(crate) how: How,
}

/// How a permit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// Given back, though the server did not know it any more.
    Absent,
    /// Told that it was lost: the server did not know it any more.
    Forgotten,
    /// Lost for another reason.
    Lost,
    /// Given back.
    Released,
    /// Given back, but whether the server knew it is not known.
    Unanswered,
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permit(seen) => {
                let Seen {
                    client,
                    name,
                    slot,
                    token,
                    ..
                } = seen;
                let [asked, granted, ended] = [seen.asked, seen.granted, seen.ended].map(|at| at.as_nanos());
                write!(
                    f,
                    "permit {client} {name} {slot} {token} {asked} {granted} {ended} {:?}",
                    seen.how
                )
            }
            Self::Renewed { client, at } => write!(f, "renewed {client} {}", at.as_nanos()),
            Self::Hanging { client, name, asked } => write!(f, "hanging {client} {name} {}", asked.as_nanos()),
        }
    }
}

impl FromStr for Sighting {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let read = match words[..] {
            ["permit", client, name, slot, token, asked, granted, ended, how] => (|| {
                Some(Self::Permit(Seen {
                    client: client.parse().ok()?,
                    name: name.to_owned(),
                    slot: slot.parse().ok()?,
                    token: token.parse().ok()?,
                    asked: moment(asked)?,
                    granted: moment(granted)?,
                    ended: moment(ended)?,
                    how: how.parse().ok()?,
                }))
            })(),
            ["renewed", client, at] => (|| {
                Some(Self::Renewed {
                    client: client.parse().ok()?,
                    at: moment(at)?,
                })
            })(),
            ["hanging", client, name, asked] => (|| {
                Some(Self::Hanging {
                    client: client.parse().ok()?,
                    name: name.to_owned(),
                    asked: moment(asked)?,
                })
            })(),
            _ => None,
        };
        read.ok_or_else(|| format!("no sighting: {line}"))
    }
}

impl FromStr for How {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [
            Self::Absent,
            Self::Forgotten,
            Self::Lost,
            Self::Released,
            Self::Unanswered,
        ];
        all.into_iter().find(|how| format!("{how:?}") == word).ok_or(())
    }
}

fn moment(nanos: &str) -> Option<Duration> {
    nanos.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sighting_is_read_back_from_its_line() {
        let at = Duration::from_nanos(5_000_000_007);
        let seen = Seen {
            client: 3,
            name: "shared".to_owned(),
            slot: 1,
            token: 1_795_703_039_070_623,
            asked: at,
            granted: at * 2,
            ended: at * 3,
            how: How::Forgotten,
        };
        let hanging = Sighting::Hanging {
            client: 1,
            name: "shared".to_owned(),
            asked: at,
        };

        for sighting in [Sighting::Permit(seen), Sighting::Renewed { client: 2, at }, hanging] {
            assert_eq!(sighting.to_string().parse(), Ok(sighting));
        }
        assert!("renewed 1".parse::<Sighting>().is_err());
    }
}
