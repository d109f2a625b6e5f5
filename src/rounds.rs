//! Questions that are asked together: one round is on its way at a time, and whoever comes meanwhile goes with the next.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::{BoxFuture, FutureExt, Shared};

/// Rounds of questions, for a connection on which a question holds up those behind it. Clones share the rounds.
///
/// No task drives a round: whoever waits for it does, so that it ends with the last of them, and with no runtime.
pub(crate) struct Rounds<Q, A>(Arc<Mutex<State<Q, A>>>);

/// A round, until its answers: one for each question in its order, none for those whose asker had gone before it began.
type Round<A> = Shared<BoxFuture<'static, Arc<[Option<A>]>>>;

struct State<Q, A> {
    /// The round that begins after the one under way.
    next: Option<Gathering<Q, A>>,
    /// The latest, whether it is under way or is still to begin.
    latest: Option<Round<A>>,
}

struct Gathering<Q, A> {
    questions: Vec<Asked<Q>>,
    round: Round<A>,
}

struct Asked<Q> {
    question: Q,
    /// Gone with its asker.
    asker: Weak<()>,
}

impl<Q: Send + 'static, A: Clone + Send + Sync + 'static> Rounds<Q, A> {
    /// Asks in the next round. `send` carries out the round that this question begins, and answers each of its questions
    /// in order; where the question joins a round, the `send` of its first one does.
    ///
    /// # Cancel safety
    ///
    /// A question whose round has not begun is not asked.
    pub(crate) async fn ask<F>(&self, question: Q, send: impl FnOnce(Vec<Q>) -> F + Send + 'static) -> Option<A>
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let asker = Arc::new(());
        let asked = Asked {
            question,
            asker: Arc::downgrade(&asker),
        };
        let (round, place) = self.join(asked, send);
        let answers = round.await;
        answers.get(place).cloned().flatten()
    }

    fn join<F>(&self, asked: Asked<Q>, send: impl FnOnce(Vec<Q>) -> F + Send + 'static) -> (Round<A>, usize)
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let mut state = lock(&self.0);
        if let Some(next) = &mut state.next {
            next.questions.push(asked);
            return (next.round.clone(), next.questions.len() - 1);
        }
        let (before, rounds) = (state.latest.take(), Arc::downgrade(&self.0));
        let round = async move {
            if let Some(before) = before {
                before.await;
            }
            let gathered = rounds.upgrade().and_then(|state| lock(&state).next.take());
            ask_all(gathered.map(|gathering| gathering.questions).unwrap_or_default(), send).await
        };
        let round = round.boxed().shared();
        state.latest = Some(round.clone());
        state.next = Some(Gathering {
            questions: vec![asked],
            round: round.clone(),
        });
        (round, 0)
    }
}

/// Asks what is still wanted.
async fn ask_all<Q, A, F>(asked: Vec<Asked<Q>>, send: impl FnOnce(Vec<Q>) -> F) -> Arc<[Option<A>]>
where
    F: Future<Output = Vec<A>>,
{
    let wanted: Vec<bool> = asked.iter().map(|asked| asked.asker.strong_count() > 0).collect();
    let questions = asked.into_iter().zip(&wanted).filter(|(_, wanted)| **wanted);
    let mut answers = send(questions.map(|(asked, _)| asked.question).collect())
        .await
        .into_iter();
    wanted
        .into_iter()
        .map(|wanted| if wanted { answers.next() } else { None })
        .collect()
}

fn lock<Q, A>(state: &Mutex<State<Q, A>>) -> MutexGuard<'_, State<Q, A>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Q, A> Default for Rounds<Q, A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            next: None,
            latest: None,
        })))
    }
}

impl<Q, A> Clone for Rounds<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q, A> fmt::Debug for Rounds<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = lock(&self.0).next.as_ref().map_or(0, |next| next.questions.len());
        f.debug_struct("Rounds")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    /// A connection that takes a second for a round, and notes what was asked in it.
    #[derive(Clone, Default)]
    struct Slow {
        rounds: Rounds<u32, u32>,
        asked: Arc<Mutex<Vec<Vec<u32>>>>,
    }

    impl Slow {
        async fn double(&self, number: u32) -> Option<u32> {
            let asked = Arc::clone(&self.asked);
            let send = |numbers: Vec<u32>| async move {
                asked.lock().unwrap().push(numbers.clone());
                sleep(Duration::from_secs(1)).await;
                numbers.into_iter().map(|number| number * 2).collect()
            };
            self.rounds.ask(number, send).await
        }

        fn asked(&self) -> Vec<Vec<u32>> {
            self.asked.lock().unwrap().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_during_a_round_goes_with_the_next() {
        let slow = Slow::default();
        let later = async {
            sleep(Duration::from_millis(1)).await;
            tokio::join!(slow.double(2), slow.double(3))
        };

        let (first, others) = tokio::join!(slow.double(1), later);

        assert_eq!((first, others), (Some(2), (Some(4), Some(6))));
        assert_eq!(slow.asked(), [vec![1], vec![2, 3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_whose_asker_goes_before_its_round_is_not_asked() {
        let slow = Slow::default();
        let impatient = async {
            sleep(Duration::from_millis(1)).await;
            let gives_up = timeout(Duration::from_millis(1), slow.double(2)).await;
            assert!(gives_up.is_err());
            slow.double(3).await
        };

        let (first, last) = tokio::join!(slow.double(1), impatient);

        assert_eq!((first, last), (Some(2), Some(6)));
        assert_eq!(slow.asked(), [vec![1], vec![3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_whose_first_asker_goes_is_carried_on_by_the_next() {
        let slow = Slow::default();
        let gives_up = timeout(Duration::from_millis(1), slow.double(1)).await;
        assert!(gives_up.is_err());

        assert_eq!(slow.double(2).await, Some(4));
        assert_eq!(slow.asked(), [vec![1], vec![2]]);
    }
}
