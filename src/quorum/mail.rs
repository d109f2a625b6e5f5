//! Messages from all servers, passed on once a majority has sent the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{Quorum, SURVEY_MAX};
use crate::backend::{LockBackend, Wakeup};
use crate::clock::Clock;
use crate::failure::BackendError;
use crate::holder::{HolderId, Inbox};

/// How long it takes to try again to listen to a server that is not there.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// Of how many holders it is remembered that some servers say they were removed by force: fewer than a majority may have
/// known them, and then the rest never comes.
const FORCED_MAX: usize = 1024;

/// Which servers have something for whom. A waiter that asked at the first message would find the others not ready yet.
#[derive(Debug)]
pub(super) struct Mail {
    majority: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asks: u64,
    waiting: BTreeMap<HolderId, Given>,
    forced: BTreeMap<HolderId, Servers>,
}

/// One bit for each server.
type Servers = u16;

/// Which servers have given a waiter what it wants since it asked.
#[derive(Debug, Default)]
struct Given {
    ask: u64,
    servers: Servers,
}

impl Mail {
    pub(super) fn new(majority: usize) -> Self {
        Self {
            majority: u32::try_from(majority).unwrap_or(u32::MAX),
            state: Mutex::default(),
        }
    }

    /// A claim asks, and waits if need be. Answers with the number of this time.
    pub(super) fn begin(&self, holder: HolderId) -> u64 {
        let mut state = self.lock();
        state.asks += 1;
        let ask = state.asks;
        state.waiting.insert(holder, Given { ask, servers: 0 });
        ask
    }

    /// Servers have voted for a claim that waits for others; whether they are a majority with those that have since.
    pub(super) fn hold(&self, holder: HolderId, servers: impl Iterator<Item = usize>) -> bool {
        let mut state = self.lock();
        let Some(given) = state.waiting.get_mut(&holder) else {
            return false;
        };
        given.servers |= servers.fold(0, |bits, server| bits | 1 << server);
        given.servers.count_ones() >= self.majority
    }

    /// The vote of this server has been given back.
    pub(super) fn give_back(&self, holder: HolderId, ask: u64, server: usize) {
        let mut state = self.lock();
        if let Some(given) = state.waiting.get_mut(&holder).filter(|given| given.ask == ask) {
            given.servers &= !(1 << server);
        }
    }

    /// Whether the claim waits since that time, and has not asked again.
    pub(super) fn is_current(&self, holder: HolderId, ask: u64) -> bool {
        self.lock().waiting.get(&holder).is_some_and(|given| given.ask == ask)
    }

    /// The claim waits no more.
    pub(super) fn end(&self, holder: HolderId) {
        self.lock().waiting.remove(&holder);
    }

    /// A message from a server, if it is the one that makes a majority.
    fn receive(&self, server: usize, wakeup: Wakeup) -> Option<Wakeup> {
        let mut state = self.lock();
        let servers = match wakeup {
            Wakeup::Missed => return Some(wakeup),
            Wakeup::Look(holder) => &mut state.waiting.get_mut(&holder)?.servers,
            Wakeup::Forced(holder) => {
                if state.forced.len() >= FORCED_MAX && !state.forced.contains_key(&holder) {
                    state.forced.pop_first();
                }
                state.forced.entry(holder).or_default()
            }
        };
        let before = servers.count_ones();
        *servers |= 1 << server;
        let is_majority = before < self.majority && servers.count_ones() == self.majority;
        is_majority.then_some(wakeup)
    }

    /// Listens to all servers; returns once it does to a majority.
    pub(super) async fn subscribe<B: LockBackend>(
        quorum: &Quorum<B>,
        inbox: Inbox,
    ) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        let mut poll = quorum.ask(|_, node| Box::pin(async move { node.notify(inbox).await }));
        let majority = quorum.majority();
        let deadline = quorum.clock.now() + SURVEY_MAX;
        poll.until(deadline, |answers| answers.given().count() >= majority)
            .await;
        let mut answers = poll.into_answers();
        if answers.given().count() < majority {
            return Err(quorum.no_majority(&answers));
        }
        let streams = answers.0.drain(..).enumerate().map(|(server, answer)| {
            let stream = match answer {
                Some(Ok(stream)) => stream,
                _ => later(
                    Arc::clone(&quorum.nodes[server].backend),
                    Arc::clone(&quorum.clock),
                    inbox,
                ),
            };
            let mail = Arc::clone(&quorum.mail);
            stream.filter_map(move |wakeup| std::future::ready(mail.receive(server, wakeup)))
        });
        Ok(stream::select_all(streams.map(StreamExt::boxed)).boxed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages of a server that is not there yet, the first of which says that others were missed.
fn later<B: LockBackend>(node: Arc<B>, clock: Arc<dyn Clock>, inbox: Inbox) -> BoxStream<'static, Wakeup> {
    let listening = async move {
        loop {
            clock.sleep_until(clock.now() + LISTEN_AGAIN).await;
            if let Ok(wakeups) = node.notify(inbox).await {
                return stream::iter([Wakeup::Missed]).chain(wakeups);
            }
        }
    };
    stream::once(listening).flatten().boxed()
}
