//! The layer and its builder.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use semafence::{Client, Clock, Config, Error, LockBackend, Name};
use tower_layer::Layer;

use crate::door::{Door, Doors};
use crate::key::Key;
use crate::recent::Recent;
use crate::rejection::{Change, Rejection, Responses};
use crate::service::ConcurrencyLimit;
use crate::tenure::OnLoss;

/// What becomes of requests while the backend cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnOutage {
    /// They are answered with 503.
    #[default]
    Reject,
    /// They are let in without a permit: no limit holds until the backend is back.
    Admit,
}

/// At most so many requests of a key at once, over all processes that share the backend.
///
/// A request gets a permit, or waits for one, or is [rejected](Rejection). It keeps the permit until its response body
/// has ended or its client is gone. Clones are one layer.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimitLayer {
    settings: Arc<Settings>,
}

impl ConcurrencyLimitLayer {
    /// Starts a layer that gives `limit` permits to each key, 1–65,536 unless [`Key::limit`] says otherwise.
    ///
    /// `key` says what a request is limited by: a [`Key`], a `String`, or `None` for a request that is not limited. It
    /// sees all but the body; what is in there has to be read before, and put into the request's extensions.
    pub fn builder<B, C, K>(
        client: &Client<B, C>,
        limit: u32,
        key: impl Fn(&Parts) -> Option<K> + Send + Sync + 'static,
    ) -> ConcurrencyLimitBuilder<B, C>
    where
        B: LockBackend,
        C: Clock,
        K: Into<Key>,
    {
        ConcurrencyLimitBuilder {
            client: client.clone(),
            template: Config::new("-", limit),
            key: Box::new(move |head| key(head).map(Into::into)),
            wait: Duration::from_secs(10),
            handles: 1024,
            busy_status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Duration::from_secs(1),
            change: None,
            on_loss: OnLoss::default(),
            on_outage: OnOutage::default(),
        }
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = ConcurrencyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyLimit::new(inner, Arc::clone(&self.settings))
    }
}

type KeyOf = dyn Fn(&Parts) -> Option<Key> + Send + Sync;

/// What a layer and its services share.
pub(crate) struct Settings {
    pub(crate) key: Box<KeyOf>,
    pub(crate) door: Box<dyn Door>,
    pub(crate) responses: Responses,
    pub(crate) on_loss: OnLoss,
    pub(crate) on_outage: OnOutage,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("door", &self.door)
            .field("responses", &self.responses)
            .field("on_loss", &self.on_loss)
            .field("on_outage", &self.on_outage)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ConcurrencyLimitLayer`].
#[must_use = "a builder does nothing until it is built"]
pub struct ConcurrencyLimitBuilder<B, C> {
    client: Client<B, C>,
    template: Config,
    key: Box<KeyOf>,
    wait: Duration,
    handles: usize,
    busy_status: StatusCode,
    retry_after: Duration,
    change: Option<Box<Change>>,
    on_loss: OnLoss,
    on_outage: OnOutage,
}

impl<B: LockBackend, C: Clock> ConcurrencyLimitBuilder<B, C> {
    /// How long a request waits for a permit, on the local clock. Default: 10 s.
    ///
    /// A backend that is away when the request comes is told at once. One that goes away while it is queued is waited
    /// for as long.
    pub fn wait(mut self, timeout: Duration) -> Self {
        self.wait = timeout;
        self
    }

    /// Requests do not wait: without a free permit they are rejected. The same as to wait for no time.
    pub fn shed(self) -> Self {
        self.wait(Duration::ZERO)
    }

    /// The status of rejections because too many are inside or wait. Default: 429; 503 says that the service is busy,
    /// not its client.
    pub fn busy_status(mut self, status: StatusCode) -> Self {
        self.busy_status = status;
        self
    }

    /// What `Retry-After` says, where the [table](Rejection) has it; rounded up to whole seconds. Default: 1 s.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = after;
        self
    }

    /// Changes or replaces the response of a rejection; it is given the one of the [table](Rejection). Default: that
    /// one.
    pub fn rejection(
        mut self,
        change: impl Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.change = Some(Box::new(change));
        self
    }

    /// What becomes of a request whose lease is lost while it is served. Default: [`OnLoss::Cut`].
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// What becomes of requests while the backend cannot be asked. Default: [`OnOutage::Reject`].
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.on_outage = on_outage;
        self
    }

    /// Sets what all semaphores of the layer have in common: ttl, strategy, namespace and so on. Their names and
    /// limits are those of the keys, and [`wait`](Self::wait) is their timeout.
    pub fn configure(mut self, configure: impl FnOnce(&mut Config)) -> Self {
        configure(&mut self.template);
        self
    }

    /// How many handles of keys are kept, at least 2; those that were not used lately are made anew when they are
    /// needed, which sends nothing. Default: 1024.
    pub fn handles(mut self, handles: usize) -> Self {
        self.handles = handles;
        self
    }

    /// Checks the configuration and makes the layer. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn build(self) -> Result<ConcurrencyLimitLayer, Error> {
        self.template.check()?;
        let namespace = self.template.namespace.as_deref();
        Name::new(namespace.unwrap_or_else(|| self.client.namespace()), "-")?;
        let doors = Doors {
            client: self.client,
            template: self.template,
            wait: self.wait,
            handles: Mutex::new(Recent::new(self.handles)),
        };
        let settings = Settings {
            key: self.key,
            door: Box::new(doors),
            responses: Responses {
                busy_status: self.busy_status,
                retry_after: self.retry_after,
                change: self.change,
            },
            on_loss: self.on_loss,
            on_outage: self.on_outage,
        };
        Ok(ConcurrencyLimitLayer {
            settings: Arc::new(settings),
        })
    }
}

impl<B, C> fmt::Debug for ConcurrencyLimitBuilder<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimitBuilder")
            .field("template", &self.template)
            .field("wait", &self.wait)
            .field("busy_status", &self.busy_status)
            .finish_non_exhaustive()
    }
}
