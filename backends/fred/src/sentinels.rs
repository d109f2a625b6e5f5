//! Who is master: all sentinels are asked at once.
//!
//! fred asks one after the other and gives up at the first that accepts a connection and then says nothing, so one hung
//! sentinel at the head of the list keeps it from connecting at all. Here it costs a fifth of a second, and where answers
//! differ the newest counts.

use std::fmt;
use std::time::Duration;

use fred::types::Resp3Frame;
use fred::types::config::ServerConfig;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use semafence::{BackendError, Failure, Outcome};
use tokio::time::{Instant, timeout_at};

use crate::connector::address_of;
use crate::failure;
use crate::line::{Command, Line, Target};
use crate::reply;

/// How much longer others may take, once one has answered, to say something newer.
const SETTLE: Duration = Duration::from_millis(200);

/// The sentinels of one master.
pub(crate) struct Sentinels {
    pub(crate) service: String,
    pub(crate) targets: Vec<Target>,
    /// How many other sentinels one must know of for its word to count.
    pub(crate) others_min: u32,
}

/// What one sentinel says.
#[derive(Debug)]
pub(crate) struct Opinion {
    pub(crate) master: ServerConfig,
    /// Grows with every failover that a majority has agreed to.
    pub(crate) epoch: u64,
}

impl Sentinels {
    /// Where the master is, by the newest of what they say. Who leads a failover may be alone to know of it for a second,
    /// so all are waited for, but those that hang not for long.
    pub(crate) async fn master(&self, timeout: Duration) -> Result<Opinion, BackendError> {
        let mut asked: FuturesUnordered<_> = self.targets.iter().map(|target| self.ask(target, timeout)).collect();
        let mut opinions = Vec::new();
        let mut errors = Vec::new();
        let mut until = Instant::now() + timeout;
        loop {
            match timeout_at(until, asked.next()).await {
                Ok(Some(Ok(opinion))) => {
                    opinions.push(opinion);
                    until = until.min(Instant::now() + SETTLE);
                }
                Ok(Some(Err(error))) => errors.push(error),
                Ok(None) | Err(_) => break,
            }
        }
        let newest = opinions.into_iter().max_by_key(|opinion| opinion.epoch);
        newest.ok_or_else(|| self.unknown(&errors))
    }

    async fn ask(&self, target: &Target, timeout: Duration) -> Result<Opinion, BackendError> {
        let address = address_of(&target.server);
        let unconnected = |error| failure::unconnected(&error, &address, target.password.as_slice());
        let line = Line::dial(target, timeout, timeout).await.map_err(unconnected)?;
        let question = |verb: &'static str| {
            let question = Command::new("SENTINEL").arg(verb).arg(self.service.as_str());
            line.send(question, timeout)
        };
        let (place, state) = futures::join!(question("GET-MASTER-ADDR-BY-NAME"), question("MASTER"));
        let (place, state) = (place.map_err(unconnected)?, state.map_err(unconnected)?);
        if let Some(text) = reply::error(&place).or(reply::error(&state)) {
            return Err(failure::rejected(&failure::replied(text), &address));
        }
        self.opinion(&texts(place), &texts(state))
            .map_err(|words| failure::rejected(&words, &address))
    }

    fn opinion(&self, place: &[String], state: &[String]) -> Result<Opinion, BackendError> {
        let [host, port] = place else {
            return Err(said(
                Failure::Permanent,
                format!("it knows no master {:?}", self.service),
            ));
        };
        let Ok(port) = port.parse() else {
            return Err(said(Failure::Permanent, "it names a master without a port".to_owned()));
        };
        let number = |field: &str| -> u64 {
            let pairs = state.chunks_exact(2);
            let value = pairs.filter(|pair| pair[0] == field).map(|pair| &pair[1]).next();
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        let others = number("num-other-sentinels");
        if others < u64::from(self.others_min) {
            let text = format!("it knows of {others} other sentinels, not of {}", self.others_min);
            return Err(said(Failure::Transient, text));
        }
        Ok(Opinion {
            master: ServerConfig::new_centralized(host.as_str(), port),
            epoch: number("config-epoch"),
        })
    }

    /// Whether waiting helps depends on all of them.
    fn unknown(&self, errors: &[BackendError]) -> BackendError {
        let all = |failure| !errors.is_empty() && errors.iter().all(|error| error.failure() == failure);
        let failure = [Failure::Permanent, Failure::Refused]
            .into_iter()
            .find(|&failure| all(failure) && errors.len() == self.targets.len())
            .unwrap_or(Failure::Transient);
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let told = if told.is_empty() {
            "no answer in time".to_owned()
        } else {
            told.join("; ")
        };
        let text = format!("no sentinel names the master {:?}: {told}", self.service);
        BackendError::new(failure, Outcome::NotApplied, text)
    }
}

fn said(failure: Failure, text: String) -> BackendError {
    BackendError::new(failure, Outcome::NotApplied, text)
}

/// The strings of a flat array; none of anything else.
fn texts(frame: Resp3Frame) -> Vec<String> {
    let Resp3Frame::Array { data, .. } = frame else {
        return Vec::new();
    };
    let text = |item| match item {
        Resp3Frame::BlobString { data, .. } => String::from_utf8_lossy(&data).into_owned(),
        _ => String::new(),
    };
    data.into_iter().map(text).collect()
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.targets.iter().map(|target| address_of(&target.server)).collect();
        write!(f, "the master {:?} of {}", self.service, addresses.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentinels(others_min: u32) -> Sentinels {
        Sentinels {
            service: "main".to_owned(),
            targets: Vec::new(),
            others_min,
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_sentinel_that_knows_too_few_others_does_not_count() {
        let (place, state) = (words("10.0.0.7 6379"), words("config-epoch 4 num-other-sentinels 1"));

        let enough = sentinels(1).opinion(&place, &state).unwrap();
        let too_few = sentinels(2).opinion(&place, &state).unwrap_err();

        assert_eq!(
            (address_of(&enough.master), enough.epoch),
            ("10.0.0.7:6379".to_owned(), 4)
        );
        assert_eq!(too_few.to_string(), "it knows of 1 other sentinels, not of 2");
        assert!(too_few.is_transient());
    }

    #[test]
    fn a_service_that_no_sentinel_knows_is_permanent() {
        let error = sentinels(0).opinion(&[], &[]).unwrap_err();

        assert_eq!(error.failure(), Failure::Permanent);
        assert_eq!(error.to_string(), "it knows no master \"main\"");
    }
}
