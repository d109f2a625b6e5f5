//! What sentinels say: who the master is, and when that changes.

use std::iter;
use std::time::Duration;

use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError};
use semafence::script::Reply;
use semafence::{BackendError, Failure, Outcome};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::failure;
use crate::reply;

/// How much longer than the first the others may take: one that hangs must not keep us waiting, and one that is a
/// little slower may know of a newer master.
const STRAGGLERS: Duration = Duration::from_millis(50);
/// The pause before a sentinel that cannot be heard is listened to again.
const LISTEN_AGAIN: Duration = Duration::from_millis(250);
const SWITCHED: &str = "+switch-master";

/// The sentinels of a deployment.
#[derive(Debug)]
pub(crate) struct Watchers {
    service: String,
    watchers: Vec<Watcher>,
    min_others: u32,
    /// How long one of them may take to answer, connecting included.
    answer_timeout: Duration,
    secrets: Vec<String>,
}

/// One sentinel.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    client: Client,
    address: String,
}

/// Who is the master, as sentinels say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Master {
    /// Grows with every failover; first, since it decides between answers that differ.
    pub(crate) epoch: u64,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Master {
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl Watcher {
    pub(crate) fn new(client: Client, address: String) -> Self {
        Self { client, address }
    }
}

impl Watchers {
    pub(crate) fn new(
        service: String,
        watchers: Vec<Watcher>,
        min_others: u32,
        answer_timeout: Duration,
        secret: Option<&str>,
    ) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty());
        Self {
            service,
            watchers,
            min_others,
            answer_timeout,
            secrets: secret.map(str::to_owned).into_iter().collect(),
        }
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Asks all of them at once; of answers that differ the newest counts.
    ///
    /// Fails where none gives an answer: transiently if that may pass for at least one of them.
    pub(crate) async fn master(&self) -> Result<Master, BackendError> {
        let mut asked: FuturesUnordered<_> = self.watchers.iter().map(|watcher| self.ask(watcher)).collect();
        let mut until = Instant::now() + self.answer_timeout;
        let mut newest = None;
        let mut objections = Vec::new();
        while let Ok(Some(answer)) = timeout_at(until, asked.next()).await {
            match answer {
                Ok(master) => {
                    until = until.min(Instant::now() + STRAGGLERS);
                    newest = newest.max(Some(master));
                }
                Err(objection) => objections.push(objection),
            }
        }
        newest.ok_or_else(|| self.unanswered(&objections))
    }

    /// An item whenever one of them announces a new master of the service, and so several for each. Goes on when a sentinel
    /// is lost, and never ends.
    pub(crate) fn announcements(&self) -> BoxStream<'static, ()> {
        let listened = self.watchers.iter().map(|watcher| {
            let (watcher, service) = (watcher.clone(), self.service.clone());
            let pauses = iter::once(Duration::ZERO).chain(iter::repeat(LISTEN_AGAIN));
            let patience = self.answer_timeout;
            let again = move |pause| listen(watcher.clone(), service.clone(), pause, patience);
            stream::iter(pauses).then(again).flatten().boxed()
        });
        stream::select_all(listened).boxed()
    }

    async fn ask(&self, watcher: &Watcher) -> Result<Master, BackendError> {
        let answers = match timeout(self.answer_timeout, watcher.ask(&self.service)).await {
            Ok(answers) => answers.map_err(|error| failure::unconnected(&error, &watcher.address, &self.secrets))?,
            Err(_elapsed) => return Err(failure::late(&watcher.address, self.answer_timeout)),
        };
        self.read(answers).map_err(|error| watcher.says(&error))
    }

    fn read(&self, answers: Vec<redis::Value>) -> Result<Master, BackendError> {
        let mut answers = answers.into_iter().map(reply::read);
        let (Some(address), Some(state)) = (answers.next(), answers.next()) else {
            return Err(objection(Failure::Permanent, "too few answers".to_owned()));
        };
        let address = address?;
        if address == Reply::Nil {
            let text = format!("it knows no service `{}`", self.service);
            return Err(objection(Failure::Permanent, text));
        }
        let state = state?;
        let others = field(&state, "num-other-sentinels").unwrap_or(0);
        if others < u64::from(self.min_others) {
            let text = format!("it knows {others} other sentinels, not {}", self.min_others);
            return Err(objection(Failure::Transient, text));
        }
        let epoch = field(&state, "config-epoch");
        read_address(&address)
            .zip(epoch)
            .map(|((host, port), epoch)| Master { epoch, host, port })
            .ok_or_else(|| objection(Failure::Permanent, format!("unreadable: {address:?}")))
    }

    fn unanswered(&self, objections: &[BackendError]) -> BackendError {
        let may_pass = objections.len() < self.watchers.len() || objections.iter().any(BackendError::is_transient);
        let failure = match objections.first() {
            Some(first) if !may_pass => first.failure(),
            _ => Failure::Transient,
        };
        let silent = self.watchers.len() - objections.len();
        let mut texts: Vec<String> = objections.iter().map(ToString::to_string).collect();
        if silent > 0 {
            texts.push(format!("{silent} without an answer within {:?}", self.answer_timeout));
        }
        let text = format!(
            "no sentinel tells the master of `{}`: {}",
            self.service,
            texts.join("; ")
        );
        BackendError::new(failure, Outcome::NotApplied, text)
    }
}

impl Watcher {
    async fn ask(&self, service: &str) -> Result<Vec<redis::Value>, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut questions = Pipeline::with_capacity(2);
        // Of the two only this one names a promoted replica at once, and only the other tells the epoch.
        questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        questions.cmd("SENTINEL").arg("MASTER").arg(service);
        connection.send_packed_commands(&questions, 0, 2).await
    }

    fn says(&self, error: &BackendError) -> BackendError {
        objection(error.failure(), format!("{}: {error}", self.address))
    }
}

/// The announcements of one sentinel, after a pause, for as long as it can be heard.
async fn listen(watcher: Watcher, service: String, pause: Duration, patience: Duration) -> BoxStream<'static, ()> {
    sleep(pause).await;
    let subscribed = async {
        let (mut sink, messages) = watcher.client.get_async_pubsub().await?.split();
        sink.subscribe(SWITCHED).await?;
        Ok::<_, RedisError>(messages)
    };
    match timeout(patience, subscribed).await {
        Ok(Ok(messages)) => messages
            .filter(move |message| std::future::ready(is_about(&service, message.get_payload_bytes())))
            .map(drop)
            .boxed(),
        _unheard => stream::empty().boxed(),
    }
}

/// Reads `NAME old-ip old-port new-ip new-port`.
fn is_about(service: &str, announcement: &[u8]) -> bool {
    let name = announcement.split(|&byte| byte == b' ').next();
    name == Some(service.as_bytes())
}

fn read_address(reply: &Reply) -> Option<(String, u16)> {
    let Reply::Array(parts) = reply else { return None };
    let [host, port] = &parts[..] else { return None };
    Some((text(host)?.to_owned(), text(port)?.parse().ok()?))
}

/// A number among names and values that follow each other.
fn field(reply: &Reply, name: &str) -> Option<u64> {
    let Reply::Array(parts) = reply else { return None };
    let mut pairs = parts.chunks_exact(2);
    let value = pairs.find(|pair| text(&pair[0]) == Some(name)).map(|pair| &pair[1])?;
    text(value)?.parse().ok()
}

fn text(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn objection(failure: Failure, text: String) -> BackendError {
    BackendError::new(failure, Outcome::NotApplied, text)
}
