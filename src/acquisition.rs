//! One acquisition: asks, waits, and leaves nothing behind when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Instrument, Span};

use crate::backend::{Acknowledgement, Attempt, Claim, Grant, Queueing, Standing};
use crate::backoff::Backoff;
use crate::call::{at, in_time};
use crate::clock::Instant;
use crate::config::{Config, LeaseTime, Strategy};
use crate::core::Core;
use crate::error::Error;
use crate::failure::{BackendError, Outcome};
use crate::fence::FencingToken;
use crate::held::Held;
use crate::keeper::Intervals;
use crate::lease::Lease;
use crate::meter::{Meter, Wait};
use crate::name::Name;
use crate::stats::Acquired;
use crate::trace;
use crate::waiters::Seat;

/// What a semaphore hands to each of its acquisitions.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) core: Arc<Core>,
    pub(crate) name: Name,
    pub(crate) config: Config,
    pub(crate) meta: Arc<str>,
    pub(crate) meter: Arc<Meter>,
}

impl Terms {
    /// Waits for `permits` at once, for at most `timeout`.
    pub(crate) async fn acquire(&self, permits: u32, timeout: Option<Duration>) -> Result<Held, Error> {
        let deadline = timeout.map(|timeout| self.core.clock.now() + timeout);
        Acquisition::new(self, permits)?.wait(deadline).await
    }
}

/// A claim on its way to a permit. Dropped before it gets there, it is undone by the keeper.
#[derive(Debug)]
pub(crate) struct Acquisition<'a> {
    terms: &'a Terms,
    claim: Claim,
    /// The backend may hold or queue the claim.
    at_stake: bool,
    /// A request is on its way; its outcome is unknown until it is answered.
    in_flight: bool,
    asked_at: Instant,
    failure: Option<BackendError>,
    /// What the caller is doing, whatever it is.
    caller: Span,
    wait: Wait,
    /// The highest token before the first request: a grant has a higher one.
    token_before: Option<FencingToken>,
}

impl<'a> Acquisition<'a> {
    pub(crate) fn new(terms: &'a Terms, weight: u32) -> Result<Self, Error> {
        let (core, config) = (&terms.core, &terms.config);
        core.check_open()?;
        if weight == 0 || weight > config.limit {
            let reason = format!("is {weight}, not within 1 to the limit of {}", config.limit);
            return Err(Error::config("permits", reason));
        }
        let claim = Claim {
            name: terms.name.clone(),
            holder: core.random.holder(),
            limit: config.limit,
            weight,
            ttl: config.ttl,
            window: config.window(),
            patience: config.patience(),
            inbox: core.inbox,
            meta: Arc::clone(&terms.meta),
            client_time: (config.lease_time == LeaseTime::Client).then(|| core.clock.wall()),
            stepless: config.lease_time == LeaseTime::Stepless,
            doubtful: false,
            grace: config.grace(core.backend.fails_over()),
            grant: None,
        };
        let now = core.clock.now();
        Ok(Self {
            terms,
            claim,
            at_stake: false,
            in_flight: false,
            asked_at: now,
            failure: None,
            caller: Span::current(),
            wait: Wait::begin(&terms.meter, now, weight),
            token_before: terms.meter.token(),
        })
    }

    /// One attempt that does not wait.
    pub(crate) async fn attempt(&mut self) -> Result<Option<Held>, Error> {
        let span = self.wait.span().clone();
        let held = self.ask_once().instrument(span).await;
        self.wait.end(Acquired::of(held.as_ref().map(Option::is_some)));
        held
    }

    async fn ask_once(&mut self) -> Result<Option<Held>, Error> {
        match self.ask(Queueing::Never).await {
            Ok(Attempt::Granted(grant)) => match self.acknowledge(&grant).await {
                Ok(acknowledgement) => self.seal(grant, acknowledgement),
                Err(error) => Err(Error::backend("acknowledge", &self.terms.name, error)),
            },
            Ok(attempt) => self.refusal(&attempt).map_or(Ok(None), Err),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Waits for a permit until `deadline`, or for ever.
    pub(crate) async fn wait(&mut self, deadline: Option<Instant>) -> Result<Held, Error> {
        let span = self.wait.span().clone();
        let held = self.obtain_by(deadline).instrument(span).await;
        self.wait.end(Acquired::of(held.as_ref().map(|_| true)));
        held
    }

    async fn obtain_by(&mut self, deadline: Option<Instant>) -> Result<Held, Error> {
        let (clock, closed) = (Arc::clone(&self.terms.core.clock), self.terms.core.closed.clone());
        let started_at = clock.now();
        let timeout = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closed.cancelled() => return Err(Error::Closed),
            held = self.obtain() => return held,
            () = timeout => {}
        }
        let waited = clock.now().saturating_since(started_at);
        Err(match self.failure.take() {
            Some(error) => self.failed(error),
            None => Error::TimedOut {
                name: self.terms.name.clone(),
                waited,
            },
        })
    }

    /// Asks and waits by the strategy until the backend grants or refuses.
    async fn obtain(&mut self) -> Result<Held, Error> {
        let terms = self.terms;
        let mut pauses = Backoff::new(&terms.config);
        let mut troubles = Backoff::new(&terms.config);
        let mut seat: Option<Seat> = None;
        let mut call = None;
        loop {
            let queueing = self.queueing(seat.is_some());
            if queueing != Queueing::Never && seat.is_none() {
                let interval = terms.config.look_interval();
                seat = Some(terms.core.waiters.join(&terms.name, self.claim.holder, interval));
            }
            let answer = self.ask(queueing).await;
            if !matches!(answer, Ok(Attempt::Granted(_))) {
                self.wait.goes_on();
            }
            match answer {
                Ok(Attempt::Granted(grant)) => {
                    if let Some(seat) = &seat {
                        seat.granted(call);
                    }
                    match self.acknowledge(&grant).await {
                        Ok(acknowledgement) => {
                            if let Some(held) = self.seal(grant, acknowledgement)? {
                                return Ok(held);
                            }
                            // The answer took longer than the lease, or another server took over that does not know the
                            // grant: ask again, which starts it anew.
                        }
                        Err(error) => self.put_up_with(error, self.asked_at, &mut troubles).await?,
                    }
                }
                Ok(Attempt::Queued(queued)) => {
                    troubles = Backoff::new(&terms.config);
                    let Some(seat) = &seat else { continue };
                    if call.is_none() || queued.is_new {
                        trace::queued(&self.claim, &queued);
                    }
                    seat.queued(self.now(), &queued, call);
                    call = Some(seat.called().await);
                    self.listen(&mut troubles).await?;
                }
                Ok(Attempt::Busy(_)) if terms.config.strategy == Strategy::Poll => {
                    troubles = Backoff::new(&terms.config);
                    self.pause(&mut pauses, self.now()).await;
                }
                Ok(Attempt::Busy(_)) => self.listen(&mut troubles).await?,
                Ok(attempt) => {
                    if let Some(error) = self.refusal(&attempt) {
                        return Err(error);
                    }
                }
                Err(error) => self.put_up_with(error, self.asked_at, &mut troubles).await?,
            }
        }
    }

    /// The first attempt is a bare one unless this client is listening already: an uncontended acquire must not pay for
    /// the queue. Once in the queue it stays there.
    fn queueing(&self, queued: bool) -> Queueing {
        match self.terms.config.strategy {
            Strategy::Poll => Queueing::Never,
            _ if !queued && !self.terms.core.waiters.is_listening() => Queueing::Never,
            Strategy::Queue => Queueing::HandOff,
            Strategy::Notify => Queueing::WakeUp,
        }
    }

    /// Makes sure that messages arrive before the queue is joined, or joined again.
    async fn listen(&mut self, troubles: &mut Backoff) -> Result<(), Error> {
        let core = &self.terms.core;
        let mut began = self.now();
        while let Err(error) = core.waiters.listen(&core.backend, core.inbox).await {
            self.put_up_with(error, began, troubles).await?;
            began = self.now();
        }
        Ok(())
    }

    /// Asks once, within the time that an operation may take.
    async fn ask(&mut self, queueing: Queueing) -> Result<Attempt, BackendError> {
        let core = &self.terms.core;
        let claim = at(&self.claim, core.clock.wall());
        self.asked_at = core.clock.now();
        self.in_flight = true;
        let call = core.backend.acquire(&claim, queueing);
        let answer = in_time(&*core.clock, claim.timeout(), call)
            .await
            .and_then(|answer| answer);
        self.in_flight = false;
        match &answer {
            Ok(Attempt::Granted(_) | Attempt::Queued(_)) => self.at_stake = true,
            // Answers that leave nothing behind, unless an earlier request of this claim may still arrive.
            Ok(_) => self.at_stake = self.claim.doubtful,
            Err(error) if error.outcome() == Outcome::Unknown => {
                self.claim.doubtful = true;
                self.at_stake = true;
            }
            Err(_) => {}
        }
        if answer.is_ok() {
            self.failure = None;
        }
        answer
    }

    /// Waits until as many replicas have the grant as are wanted; `None` where none are.
    async fn acknowledge(&mut self, grant: &Grant) -> Result<Option<Acknowledgement>, BackendError> {
        let Config { acks, .. } = self.terms.config;
        if acks == 0 {
            return Ok(None);
        }
        let core = &self.terms.core;
        let within = self.terms.config.acknowledged_within();
        let claim = Claim {
            grant: Some(Arc::new(grant.clone())),
            ..at(&self.claim, core.clock.wall())
        };
        let asked_at = core.clock.now();
        self.in_flight = true;
        let call = core.backend.acknowledge(&claim, acks, within);
        let answer = in_time(&*core.clock, within + claim.timeout(), call)
            .await
            .and_then(|answer| answer);
        self.in_flight = false;
        match &answer {
            // Its lease began anew.
            Ok(acknowledgement) if acknowledgement.standing == Standing::Held => self.asked_at = asked_at,
            Err(error) if error.outcome() == Outcome::Unknown => self.claim.doubtful = true,
            _ => {}
        }
        answer.map(Some)
    }

    /// Turns a grant into a permit that the keeper keeps; `None` if the lease is over already.
    fn seal(&mut self, grant: Grant, acknowledgement: Option<Acknowledgement>) -> Result<Option<Held>, Error> {
        let terms = self.terms;
        self.report_limit(&grant);
        terms.meter.granted(&grant, self.token_before.take());
        if let Some(Acknowledgement { standing, replicas, .. }) = acknowledgement {
            if standing != Standing::Held {
                return Ok(None);
            }
            if replicas < terms.config.acks {
                // Dropping this gives it back.
                return Err(Error::Unacknowledged {
                    name: terms.name.clone(),
                    acks: replicas,
                    wanted: terms.config.acks,
                });
            }
        }
        let (clock, meter) = (Arc::clone(&terms.core.clock), &terms.meter);
        let lease = Lease::new(self.claim.clone(), grant, self.asked_at, clock, meter, &self.caller);
        let Some(lease) = lease.map(|lease| Arc::new(lease.backed_by(acknowledgement))) else {
            return Ok(None);
        };
        trace::granted(&lease);
        let intervals = Intervals {
            refresh: terms.config.refreshes_every(),
            retry: terms.config.retries_refresh_after(),
        };
        if !terms.core.keeper.keep(Arc::clone(&lease), intervals, self.asked_at) {
            // Closed while the request was on its way; dropping this gives it back.
            return Err(Error::Closed);
        }
        self.at_stake = false;
        Ok(Some(Held::new(Arc::clone(&terms.core), lease, terms.config.strict)))
    }

    fn report_limit(&self, grant: &Grant) {
        let Some(other) = grant.other_limit else { return };
        if self.terms.meter.is_news(other) {
            trace::limits_differ(&self.terms.name, self.terms.config.limit, other);
        }
    }

    /// Waits a while after a transient failure; anything else ends the acquisition. The pause counts from when the attempt
    /// began: whoever has waited for a server all the time must not be asleep when it is there again.
    async fn put_up_with(&mut self, error: BackendError, began: Instant, troubles: &mut Backoff) -> Result<(), Error> {
        if !error.is_to_be_tried_again() {
            return Err(self.failed(error));
        }
        trace::acquire_failed(&self.terms.name, &error);
        self.failure = Some(error);
        self.pause(troubles, began).await;
        Ok(())
    }

    async fn pause(&self, backoff: &mut Backoff, since: Instant) {
        let pause = backoff.pause(&self.terms.core.random);
        self.terms.core.clock.sleep_until(since + pause).await;
    }

    fn refusal(&self, attempt: &Attempt) -> Option<Error> {
        let name = self.terms.name.clone();
        match attempt {
            Attempt::Full { waiters } => Some(Error::QueueFull {
                name,
                waiters: *waiters,
            }),
            Attempt::GivenUp => Some(Error::Removed { name }),
            Attempt::Oversized { limit } => {
                let reason = format!("is {}, more than the limit in force, {limit}", self.claim.weight);
                Some(Error::config("permits", reason))
            }
            Attempt::Busy(_) | Attempt::Granted(_) | Attempt::Queued(_) => None,
        }
    }

    fn failed(&self, error: BackendError) -> Error {
        Error::backend("acquire", &self.terms.name, error)
    }

    fn now(&self) -> Instant {
        self.terms.core.clock.now()
    }
}

impl Drop for Acquisition<'_> {
    fn drop(&mut self) {
        if self.at_stake || self.in_flight {
            self.claim.doubtful |= self.in_flight;
            self.terms.core.keeper.give_back(self.claim.clone());
        }
    }
}
