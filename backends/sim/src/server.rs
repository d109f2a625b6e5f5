//! A test's view of the simulated server: what is on it, what was asked of it, and what befalls it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use semafence::script::{Invocation, Reply, Script};
use semafence::{Name, Status, Timestamp};

use crate::database::{Database, Refused, Resp};
use crate::driver::Shared;
use crate::history::ServerId;
use crate::keyspace::Bytes;
use crate::node::{Call, Persistence, State};
use crate::world::World;

/// A simulated server of a [`Sim`](crate::Sim). Everything here happens at once, past the network.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    id: ServerId,
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>, id: ServerId) -> Self {
        Self { shared, id }
    }

    /// Which server of which deployment.
    #[must_use]
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// The keys there are, in byte order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.with(|world| {
            let now = world.now;
            let database = world.node(self.id).database(now);
            let live = database
                .keys
                .live()
                .map(|(key, _)| String::from_utf8_lossy(key).into_owned());
            live.collect()
        })
    }

    /// How long a key will live; `None` if it is absent or has no end.
    #[must_use]
    pub fn ttl(&self, key: &str) -> Option<Duration> {
        match self.run(&["PTTL", key]) {
            Ok(Reply::Int(ms @ 0..)) => Some(Duration::from_millis(ms.unsigned_abs())),
            _ => None,
        }
    }

    /// Runs any command: its name and arguments.
    ///
    /// # Errors
    ///
    /// The text of an error reply.
    pub fn run<T: AsRef<[u8]>>(&self, words: &[T]) -> Result<Reply, String> {
        let words: Vec<Bytes> = words.iter().map(|word| word.as_ref().to_vec()).collect();
        self.execute(|world| world.run(self.id, &Call::Command(words)))
    }

    /// Runs any script.
    ///
    /// # Errors
    ///
    /// The text of an error reply.
    pub fn eval<T: AsRef<[u8]>>(&self, source: &str, keys: &[T], args: &[T]) -> Result<Reply, String> {
        let bytes = |words: &[T]| -> Vec<Bytes> { words.iter().map(|word| word.as_ref().to_vec()).collect() };
        self.execute(|world| world.eval(self.id, source, &bytes(keys).into(), &bytes(args)))
    }

    /// Runs a script that ships, by its SHA-1.
    ///
    /// # Errors
    ///
    /// The text of an error reply; `NOSCRIPT …` if the server has forgotten the script.
    pub fn evalsha(&self, invocation: &Invocation) -> Result<Reply, String> {
        let call = crate::backend::call(invocation, crate::backend::InFull::No);
        self.execute(|world| world.run(self.id, &call))
    }

    /// Runs a script that ships, past the network, whether or not the server has forgotten it.
    pub(crate) fn invoke(&self, invocation: &Invocation) {
        let call = crate::backend::call(invocation, crate::backend::InFull::Yes);
        let _whatever_it_says = self.execute(|world| world.run(self.id, &call));
    }

    /// Lets the generation of tokens begin, as the first grant does.
    pub(crate) fn begin_generation(&self) {
        self.invoke(&semafence::script::vote_for_nothing());
    }

    /// What the server knows of a name, past the network.
    pub(crate) fn status(&self, name: &Name) -> Option<Status> {
        let call = crate::backend::call(&semafence::script::inspect(name), crate::backend::InFull::Yes);
        let reply = self.execute(|world| world.run(self.id, &call)).ok()?;
        semafence::script::read_status(name, &reply).ok()
    }

    /// Lets `INFO replication` show this `master_replid`, 40 hexadecimal digits: to be compared with a real server.
    pub fn set_replid(&self, replid: &str) {
        self.with(|world| world.note(self.says(&format!("has the master_replid {replid}"))));
        self.database(|database| replid.clone_into(&mut database.replid));
    }

    /// Tells the recorder what this server knows of every name.
    pub(crate) fn tell_all(&self) {
        self.with(|world| world.record_all(self.id));
    }

    fn execute(&self, call: impl FnOnce(&mut World) -> Resp) -> Result<Reply, String> {
        let resp = self.with(|world| {
            let resp = call(world);
            world.publish(self.id);
            world.record_all(self.id);
            resp
        });
        to_reply(resp)
    }

    /// Deletes a key, as an eviction does; says whether it was there.
    pub fn delete(&self, key: &str) -> bool {
        self.with(|world| {
            let delete = Call::Command(vec![b"DEL".to_vec(), key.as_bytes().to_vec()]);
            let deleted = world.run(self.id, &delete) == Resp::Int(1);
            if deleted {
                world.note(self.says(&format!("key {key} is evicted")));
                world.forgot(self.id, false);
            }
            deleted
        })
    }

    /// Deletes every key.
    pub fn flush_all(&self) {
        self.with(|world| {
            world.note(self.says("FLUSHALL"));
            world.run(self.id, &Call::Command(vec![b"FLUSHALL".to_vec()]));
            world.forgot(self.id, true);
        });
    }

    /// Forgets every script: `SCRIPT FLUSH`.
    pub fn flush_scripts(&self) {
        self.with(|world| {
            world.note(self.says("SCRIPT FLUSH"));
            world.node(self.id).flush_scripts();
        });
    }

    /// Whether the server would find this script by its SHA-1.
    #[must_use]
    pub fn knows(&self, script: &Script) -> bool {
        self.with(|world| world.node(self.id).knows(script))
    }

    /// How often each command ran, in scripts and outside of them, as `INFO commandstats` counts.
    #[must_use]
    pub fn commands(&self) -> BTreeMap<&'static str, u64> {
        self.database(|database| database.counts())
    }

    /// Starts to count anew: `CONFIG RESETSTAT`.
    pub fn reset_commands(&self) {
        self.database(Database::reset_counts);
    }

    /// Keys that scripts touched without declaring them; there should be none, and [`run`](crate::run()) sees to it.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.database(|database| database.violations.iter().cloned().collect())
    }

    /// Answers such commands with this error from now on.
    pub fn refuse(&self, refused: Refused, error: &str) {
        self.with(|world| {
            world.note(self.says(&format!("refuses {refused:?} with {error}")));
        });
        self.database(|database| database.refused = Some((refused, error.to_owned())));
    }

    /// Refuses nothing any more.
    pub fn accept(&self) {
        self.with(|world| world.note(self.says("refuses nothing")));
        self.database(|database| database.refused = None);
    }

    /// Keeps the data as it is now, as `BGSAVE` does, for a [`restart`](Self::restart) with [`Persistence::Saved`]. A server
    /// that is down or frozen saves nothing.
    pub fn save(&self) {
        self.with(|world| {
            if world.node(self.id).state == State::Up {
                world.note(self.says("saves its data"));
                world.node(self.id).save();
            }
        });
    }

    /// Kills the server: connections break, and new ones are refused until [`restart`](Self::restart).
    pub fn crash(&self) {
        self.with(|world| {
            world.note(self.says("crashes"));
            world.crash(self.id);
        });
    }

    /// Starts the server anew, after a crash or as it stands: connections break, and it is another generation.
    pub fn restart(&self, persistence: Persistence) {
        self.with(|world| {
            world.note(self.says(&format!("restarts, data {persistence:?}")));
            world.restart(self.id, persistence);
        });
    }

    /// Stops the server as SIGSTOP does: requests arrive, and nothing comes back until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.with(|world| {
            world.note(self.says("freezes"));
            world.set_state(self.id, State::Frozen);
        });
    }

    /// Goes on after [`freeze`](Self::freeze), first with what has arrived meanwhile.
    pub fn thaw(&self) {
        self.with(|world| {
            world.note(self.says("thaws"));
            world.thaw(self.id);
        });
    }

    /// The server's clock.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.with(|world| {
            let now = world.now;
            Timestamp::from_micros(world.node(self.id).now_us(now).unsigned_abs())
        })
    }

    /// Steps the server's clock by so many microseconds, forward or back.
    pub fn step_clock_us(&self, by_us: i64) {
        self.with(|world| {
            world.note(self.says(&format!("clock steps by {by_us} us")));
            world.node(self.id).step_us += by_us;
            world.record_all(self.id);
        });
    }

    /// Lets the server's clock run so many millionths faster from now on.
    ///
    /// # Panics
    ///
    /// When the clock would stand still or go back.
    pub fn set_drift_ppm(&self, drift_ppm: i32) {
        self.with(|world| {
            world.note(self.says(&format!("clock drifts by {drift_ppm} ppm")));
            let now = world.now;
            world.node(self.id).timeline.set_drift(now, drift_ppm);
        });
    }

    /// Lets this replica hear nothing more of its master: what is under way to it is lost. Does nothing to a master.
    pub fn cut_replication(&self) {
        self.with(|world| {
            world.note(self.says("hears nothing of its master"));
            world.cut_replica(self.id);
        });
    }

    /// Lets this replica connect to its master again; it copies all data.
    pub fn repair_replication(&self) {
        self.with(|world| {
            world.note(self.says("connects to its master"));
            world.rejoin(self.id);
        });
    }

    fn says(&self, what: &str) -> String {
        format!("server {}: {what}", self.id)
    }

    fn database<T>(&self, act: impl FnOnce(&mut Database) -> T) -> T {
        self.with(|world| {
            let now = world.now;
            act(world.node(self.id).database(now))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(act)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

/// As drivers hand replies on: a status is text, and an error anywhere in a reply is its error.
pub(crate) fn to_reply(resp: Resp) -> Result<Reply, String> {
    Ok(match resp {
        Resp::Array(items) => Reply::Array(items.into_iter().map(to_reply).collect::<Result<_, _>>()?),
        Resp::Bulk(bytes) => Reply::Bytes(bytes),
        Resp::Error(text) => return Err(text),
        Resp::Int(number) => Reply::Int(number),
        Resp::Nil => Reply::Nil,
        Resp::Status(text) => Reply::Bytes(text.into_owned().into_bytes()),
    })
}
