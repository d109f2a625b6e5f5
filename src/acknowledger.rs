//! Waits for replicas on connections of their own: whatever is sent behind a `WAIT` waits as well.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::backend::{Acknowledgement, Claim, Standing};
use crate::failure::{BackendError, Failure, Outcome};
use crate::rounds::Rounds;
use crate::script::Acknowledgements;

const ROUND_MAX: Duration = Duration::from_secs(1);

/// A connection to a server with replicas, which is opened when it is first needed.
#[async_trait]
pub trait WaitingLine: Clone + Debug + Send + Sync + 'static {
    /// Sends all calls in one go, and answers each claim in order.
    async fn acknowledge(&self, calls: Acknowledgements) -> Vec<Result<Acknowledgement, BackendError>>;
}

/// Waits for replicas, for backends over a driver: one connection for each number of replicas that is asked for, and on
/// it one round at a time with all claims that have come meanwhile. So a thousand grants wait for few round trips, and those
/// that wait for one replica do not wait for two.
pub struct Acknowledger<L> {
    open: Box<dyn Fn() -> L + Send + Sync>,
    round_max: Duration,
    ways: Mutex<BTreeMap<u32, Way<L>>>,
}

#[derive(Debug, Clone)]
struct Way<L> {
    line: L,
    rounds: Rounds<Question, Result<Acknowledgement, BackendError>>,
}

#[derive(Debug)]
struct Question {
    claim: Claim,
    until: Instant,
}

impl<L: WaitingLine> Acknowledger<L> {
    /// One whose connections are made by `open`, and may be silent for `silence_max`: a round waits no longer, nor longer
    /// than a second, so that nobody waits behind it for long.
    pub fn new(silence_max: Duration, open: impl Fn() -> L + Send + Sync + 'static) -> Self {
        Self {
            open: Box::new(open),
            round_max: silence_max.min(ROUND_MAX),
            ways: Mutex::default(),
        }
    }

    /// Does what [`LockBackend::acknowledge`](crate::LockBackend::acknowledge) asks for.
    ///
    /// # Errors
    ///
    /// What the connection says; nothing is sent again.
    pub async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        let way = self.way(replicas);
        let until = Instant::now() + within;
        loop {
            let question = Question {
                claim: claim.clone(),
                until,
            };
            let line = way.line.clone();
            let round_max = self.round_max;
            let send = move |questions| wait(line, questions, replicas, round_max);
            let answer = way
                .rounds
                .ask(question, send)
                .await
                .unwrap_or_else(|| Err(interrupted()))?;
            let has_enough = answer.standing != Standing::Held || answer.replicas >= replicas;
            // A round waits no longer than the most impatient in it; others go on in the next.
            if has_enough || Instant::now() >= until {
                return Ok(answer);
            }
        }
    }

    fn way(&self, replicas: u32) -> Way<L> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Way {
            line: (self.open)(),
            rounds: Rounds::default(),
        };
        ways.entry(replicas).or_insert_with(new).clone()
    }
}

/// One round. In a task, since the runtime of the one that waits for it first may end before the others have their answer.
async fn wait<L: WaitingLine>(
    line: L,
    questions: Vec<Question>,
    replicas: u32,
    longest: Duration,
) -> Vec<Result<Acknowledgement, BackendError>> {
    let Some(until) = questions.iter().map(|question| question.until).min() else {
        return Vec::new();
    };
    let within = until.saturating_duration_since(Instant::now()).min(longest);
    let claims: Vec<Claim> = questions.into_iter().map(|question| question.claim).collect();
    let count = claims.len();
    let calls = Acknowledgements::new(&claims, replicas, within);
    let round = tokio::spawn(async move { line.acknowledge(calls).await });
    round.await.unwrap_or_else(|_| vec![Err(interrupted()); count])
}

fn interrupted() -> BackendError {
    BackendError::new(
        Failure::Transient,
        Outcome::Unknown,
        "the runtime that waited for replicas has ended",
    )
}

impl<L> Debug for Acknowledger<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Acknowledger")
            .field("connections", &ways.len())
            .finish_non_exhaustive()
    }
}
