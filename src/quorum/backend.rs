//! A majority as a backend: what becomes of each verb.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::answers::Answers;
use super::election::Election;
use super::mail::Mail;
use super::{Quorum, standings, survey};
use crate::backend::{Added, Addition, Attempt, Claim, LockBackend, Queueing, Standing, Wakeup};
use crate::clock::{Clock, Timestamp};
use crate::failure::BackendError;
use crate::holder::{HolderId, Inbox};
use crate::name::Name;
use crate::reconnect::Reconnect;
use crate::status::Status;

#[async_trait]
impl<B: LockBackend> LockBackend for Quorum<B> {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let answer = Election::new(self, claim, queueing).decide().await;
        answer.map_err(|error| self.as_told(error))
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let limit = claims.iter().map(Claim::timeout).min().unwrap_or_default();
        let shared: Arc<[Claim]> = claims.iter().map(standings::to_refresh).collect();
        let mut poll = self.ask(|_, node| {
            let claims = Arc::clone(&shared);
            Box::pin(async move { Ok(node.refresh(&claims).await) })
        });
        let majority = self.majority();
        let is_decided = |answers: &Answers<_>| standings::are_decided(answers, claims.len(), majority);
        poll.until_decided(self.clock.now() + limit, is_decided).await;
        let (answers, rest) = poll.into_parts();
        rest.detach();
        standings::heal(self, claims, &answers);
        (0..claims.len())
            .map(|index| {
                let answers = standings::of(&answers, index);
                standings::decide(&answers, majority).ok_or_else(|| self.no_majority(&answers))
            })
            .collect()
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        self.mail.end(claim.holder);
        let mut poll = self.ask(|index, node| {
            let claim = Claim {
                doubtful: self.unsettled.release(claim.holder, index) || claim.doubtful,
                ..claim.clone()
            };
            Box::pin(async move { node.release(&claim).await })
        });
        let majority = self.majority();
        let is_decided = |answers: &Answers<_>| standings::decide(answers, majority).is_some();
        poll.until_decided(self.clock.now() + claim.timeout(), is_decided).await;
        let (answers, rest) = poll.into_parts();
        rest.detach();
        let answers = self.with_majority(answers)?;
        Ok(standings::decide(&answers, majority).unwrap_or_else(|| standings::released(&answers)))
    }

    fn fails_over(&self) -> bool {
        true
    }

    /// The median of what a majority says.
    async fn time(&self) -> Result<Timestamp, BackendError> {
        let times = self.survey(|node| Box::pin(async move { node.time().await })).await?;
        Ok(times.median(|time| *time))
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        let wakeups = Mail::subscribe(self, inbox).await;
        wakeups.map_err(|error| self.as_told(error))
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        stream::select_all(self.nodes.iter().map(|node| node.backend.reconnects())).boxed()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        let statuses = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.inspect(&name).await })
            })
            .await?;
        Ok(survey::merge(name, &statuses, self.majority()))
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        let lists = self
            .survey(|node| {
                let namespace = namespace.to_owned();
                Box::pin(async move { node.list(&namespace).await })
            })
            .await?;
        Ok(survey::union(&lists))
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        let answers = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.force_release(&name, holder).await })
            })
            .await?;
        Ok(standings::decide(&answers, self.majority()).unwrap_or_else(|| standings::mixed(&answers)))
    }

    /// A server that cannot be reached keeps its limit: as long as a majority knows the new one, no slot above it is given.
    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        let before = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.resize(&name, limit).await })
            })
            .await?;
        Ok(before.median(|before| *before))
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let added = self
            .survey(|node| {
                let addition = addition.clone();
                Box::pin(async move { node.add_permits(&addition).await })
            })
            .await?;
        Ok(survey::added(&added))
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Quorum {
            nodes: self.handles(),
            clock: Arc::clone(&self.clock),
            horizon: Arc::clone(&self.horizon),
            mail: Arc::clone(&self.mail),
            paces: Arc::clone(&self.paces),
            unsettled: Arc::clone(&self.unsettled),
            fails_at_once: false,
        })
    }
}
