//! How many permits a name has and how many are free, and how that is changed: what clients and handles ask the backend.

use std::time::Duration;

use crate::backend::{Added, Addition, OPERATION_TIMEOUT_MAX};
use crate::call::in_time;
use crate::config::{LIMIT, within};
use crate::core::Core;
use crate::error::Error;
use crate::failure::{BackendError, Outcome};
use crate::name::Name;
use crate::status::Status;
use crate::trace;

/// For how long an addition that failed in a way that may pass is sent again; far less than backends know it by its id.
const PATIENCE: Duration = Duration::from_secs(6);
/// The pause before that.
const RETRY: Duration = Duration::from_millis(100);

impl Core {
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.is_cancelled() {
            return Err(Error::Closed);
        }
        Ok(())
    }

    pub(crate) async fn status(&self, name: &Name) -> Result<Status, Error> {
        self.check_open()?;
        let status = self.backend.inspect(name).await;
        status.map_err(|error| Error::backend("status", name, error))
    }

    pub(crate) async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, Error> {
        if let Some(limit) = limit {
            within("limit", &limit, &LIMIT)?;
        }
        self.check_open()?;
        let before = self.backend.resize(name, limit).await;
        let before = before.map_err(|error| Error::backend("resize", name, error))?;
        trace::resized(name, limit, before);
        Ok(before)
    }

    /// Adds to the limit in force, which is `limit` where none is stored; answers with what it is now.
    pub(crate) async fn add_permits(&self, name: &Name, limit: u32, permits: u32) -> Result<u32, Error> {
        within("permits", &permits, &(1..=LIMIT.end() - 1))?;
        self.check_open()?;
        let addition = Addition {
            name: name.clone(),
            id: self.random.holder(),
            permits,
            limit,
        };
        match self.add(&addition).await? {
            Added::Raised { limit } => {
                trace::permits_added(name, permits, limit);
                Ok(limit)
            }
            Added::TooMany { limit } => {
                let most = LIMIT.end();
                let reason = format!("is {permits}, and the limit in force, {limit}, can be raised to {most} at most");
                Err(Error::config("permits", reason))
            }
        }
    }

    /// Sends the addition, again and again under one id, until it is answered. What was unanswered once may have been
    /// applied, whatever is said later.
    async fn add(&self, addition: &Addition) -> Result<Added, Error> {
        let give_up_at = self.clock.now() + PATIENCE;
        let mut unanswered = false;
        loop {
            let call = self.backend.add_permits(addition);
            let answer = in_time(&*self.clock, OPERATION_TIMEOUT_MAX, call).await;
            let error = match answer.and_then(|answer| answer) {
                Ok(added) => return Ok(added),
                Err(error) => error,
            };
            unanswered |= error.outcome() == Outcome::Unknown;
            if !error.is_transient() || self.clock.now() + RETRY >= give_up_at {
                return Err(failed(addition, error, unanswered));
            }
            self.clock.sleep_until(self.clock.now() + RETRY).await;
        }
    }
}

fn failed(addition: &Addition, source: BackendError, unanswered: bool) -> Error {
    Error::Backend {
        operation: "add_permits",
        name: Some(addition.name.clone()),
        outcome: if unanswered { Outcome::Unknown } else { source.outcome() },
        source,
    }
}
