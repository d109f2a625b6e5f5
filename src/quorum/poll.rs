//! One question to all servers at once.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::answers::Answers;
use super::paces::Paces;
use crate::clock::{Clock, Instant};
use crate::failure::BackendError;

/// For how long, at least, the rest is waited for once a majority has answered and does not agree. The answers of servers
/// that are up arrive together; one that hangs must not cost more than that.
const PATIENCE_MIN: Duration = Duration::from_millis(2);
/// And at most for the sake of one that is far away.
const PATIENCE_MAX: Duration = Duration::from_millis(250);

/// Whether answers that may change the outcome are waited for to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Impatience {
    Never,
    OnceSettled,
}

type Question<T> = BoxFuture<'static, (usize, Result<T, BackendError>)>;

/// The answers so far, and the questions that are on their way.
pub(super) struct Poll<T> {
    clock: Arc<dyn Clock>,
    began: Instant,
    majority: usize,
    paces: Arc<Paces>,
    answers: Answers<T>,
    rest: Rest<T>,
}

/// Questions whose answers decide nothing any more.
pub(super) struct Rest<T>(FuturesUnordered<Question<T>>);

impl<T: Send + 'static> Poll<T> {
    /// Puts one question to each server, `None` where it is not to be asked.
    pub(super) fn begin(
        clock: &Arc<dyn Clock>,
        majority: usize,
        paces: &Arc<Paces>,
        questions: impl Iterator<Item = Option<BoxFuture<'static, Result<T, BackendError>>>>,
    ) -> Self {
        let mut servers = 0;
        let rest = FuturesUnordered::new();
        for (index, question) in questions.enumerate() {
            servers = index + 1;
            if let Some(question) = question {
                let (clock, paces, began) = (Arc::clone(clock), Arc::clone(paces), clock.now());
                let question: Question<T> = Box::pin(async move {
                    let answer = question.await;
                    if answer.is_ok() {
                        paces.saw(index, clock.now().saturating_since(began));
                    }
                    (index, answer)
                });
                rest.push(question);
            }
        }
        Self {
            clock: Arc::clone(clock),
            began: clock.now(),
            majority,
            paces: Arc::clone(paces),
            answers: Answers::none(servers),
            rest: Rest(rest),
        }
    }

    /// Waits until the answers are enough, or all are there; once those of a majority are, or cannot be any more, no longer for
    /// the rest than twice what these took; and not beyond the deadline.
    pub(super) async fn until(&mut self, deadline: Instant, enough: impl Fn(&Answers<T>) -> bool) {
        self.wait(deadline, Impatience::OnceSettled, enough).await;
    }

    /// Waits until the answers are enough, or all are there, and not beyond the deadline.
    pub(super) async fn until_decided(&mut self, deadline: Instant, enough: impl Fn(&Answers<T>) -> bool) {
        self.wait(deadline, Impatience::Never, enough).await;
    }

    async fn wait(&mut self, deadline: Instant, impatience: Impatience, enough: impl Fn(&Answers<T>) -> bool) {
        let clock = Arc::clone(&self.clock);
        let mut ends = deadline;
        let mut is_settled = false;
        loop {
            tokio::select! {
                biased;
                answer = self.rest.0.next() => match answer {
                    Some((index, answer)) => self.answers.0[index] = Some(answer),
                    None => return,
                },
                () = clock.sleep_until(ends) => return,
            }
            if enough(&self.answers) {
                return;
            }
            if !is_settled && impatience == Impatience::OnceSettled && self.is_settled() {
                is_settled = true;
                ends = ends.min(clock.now() + self.patience());
            }
        }
    }

    /// Whether it is known if a majority answers.
    fn is_settled(&self) -> bool {
        let given = self.answers.given().count();
        given >= self.majority || given + self.answers.outstanding() < self.majority
    }

    /// Twice as long as it took, and as the slowest of those that are waited for mostly takes.
    fn patience(&self) -> Duration {
        let silent = self.answers.0.iter().enumerate().filter(|(_, answer)| answer.is_none());
        let usual = self.paces.slowest(silent.map(|(server, _)| server));
        (self.took() * 2).max(PATIENCE_MIN).max((usual * 2).min(PATIENCE_MAX))
    }

    /// How long it has taken so far.
    pub(super) fn took(&self) -> Duration {
        self.clock.now().saturating_since(self.began)
    }

    pub(super) fn into_answers(self) -> Answers<T> {
        self.into_parts().0
    }

    pub(super) fn into_parts(self) -> (Answers<T>, Rest<T>) {
        (self.answers, self.rest)
    }
}

impl<T: Send + 'static> Rest<T> {
    /// Adds those of another poll.
    pub(super) fn join(&mut self, other: Self) {
        other.0.into_iter().for_each(|question| self.0.push(question));
    }

    /// Lets the servers answer; dropped, a question might not even be sent.
    pub(super) fn detach(self) {
        self.each(|_, _| None);
    }

    /// Looks at each answer when it arrives, and does what is to be done about it.
    pub(super) fn each(
        self,
        answer: impl Fn(usize, Result<T, BackendError>) -> Option<BoxFuture<'static, ()>> + Send + 'static,
    ) {
        let Self(mut questions) = self;
        if questions.is_empty() {
            return;
        }
        tokio::spawn(async move {
            while let Some((index, answered)) = questions.next().await {
                if let Some(work) = answer(index, answered) {
                    tokio::spawn(work);
                }
            }
        });
    }
}
