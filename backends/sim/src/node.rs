//! One simulated server process: a database, a clock, whether it answers, and whom it follows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use semafence::script::Script;

use crate::clock::EPOCH_US;
use crate::commands;
use crate::database::{Database, Effect, Resp};
use crate::history::ServerId;
use crate::interpreter::interpret;
use crate::keyspace::{Bytes, Keyspace};
use crate::random::draw;
use crate::scripts::Scripts;
use crate::timeline::{Timeline, WorldTime};

/// Something that a client asks a server to do.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Command(Vec<Bytes>),
    Script {
        script: &'static Script,
        keys: Arc<[Bytes]>,
        args: Arc<[Bytes]>,
        /// Sent with its text, because the server had forgotten it.
        in_full: bool,
    },
}

impl Call {
    /// What it is called in the trace.
    pub(crate) fn verb(&self) -> String {
        match self {
            Self::Command(words) => String::from_utf8_lossy(&words[0]).to_lowercase(),
            Self::Script { script, .. } => script.name.to_owned(),
        }
    }
}

/// What is left of the data when a server starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// Everything, as with `appendfsync always`.
    Kept,
    /// What there was when it was last [saved](crate::Server::save), as with RDB snapshots, or with `appendfsync everysec`
    /// for a second: older data. Nothing if it never was.
    Saved,
    /// Nothing.
    Lost,
}

/// The data on disk.
#[derive(Debug, Default)]
struct Snapshot {
    keys: Keyspace,
    offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not running; connections are refused.
    Down,
    /// Running, but it answers nothing, as after SIGSTOP.
    Frozen,
    Up,
}

/// Whom a replica follows, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Following {
    /// The node of the same site.
    pub(crate) master: u32,
    /// Which connection to it; what belongs to an earlier one is void.
    pub(crate) connection: u64,
    /// Since when the connection is cut; `None` while it is whole.
    pub(crate) cut_since: Option<WorldTime>,
    /// How long a change takes to arrive.
    pub(crate) lag: Duration,
    /// Nothing arrives before what was sent earlier.
    pub(crate) last_arrival: WorldTime,
    /// Up to where the master knows that it has come.
    pub(crate) acked: u64,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: ServerId,
    seed: u64,
    database: Database,
    saved: Snapshot,
    /// SHA-1s that `EVALSHA` knows. Compiled scripts stay in the interpreter, which no client can see.
    cached: BTreeSet<String>,
    incarnation: u64,
    pub(crate) state: State,
    pub(crate) timeline: Timeline,
    pub(crate) step_us: i64,
    pub(crate) following: Option<Following>,
    /// What arrived from its master while it stood still, with the connection over which it came.
    pub(crate) stalled: Vec<(u64, Arc<[Effect]>)>,
    /// Since when it does not run.
    pub(crate) silent_since: Option<WorldTime>,
    /// How many changes it has made or followed.
    pub(crate) offset: u64,
    /// Writes are refused with fewer replicas than this that were heard of within so many seconds.
    pub(crate) min_replicas: Option<(usize, Duration)>,
}

impl Node {
    pub(crate) fn new(seed: u64, id: ServerId) -> Self {
        let mut node = Self {
            id,
            seed,
            database: Database::default(),
            saved: Snapshot::default(),
            cached: BTreeSet::new(),
            incarnation: 0,
            state: State::Up,
            timeline: Timeline::new(WorldTime::ZERO),
            step_us: 0,
            following: None,
            stalled: Vec::new(),
            silent_since: None,
            offset: 0,
            min_replicas: None,
        };
        node.start();
        node
    }

    /// How often it has started, crashed or changed its role; a request sent to an earlier incarnation fails.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) fn crash(&mut self) {
        self.incarnation += 1;
    }

    pub(crate) fn save(&mut self) {
        self.saved.keys.copy(&self.database.keys);
        self.saved.offset = self.offset;
    }

    pub(crate) fn restart(&mut self, persistence: Persistence) {
        self.incarnation += 1;
        match persistence {
            Persistence::Kept => {}
            Persistence::Saved => self.go_back(),
            Persistence::Lost => {
                self.saved = Snapshot::default();
                self.go_back();
            }
        }
        self.start();
    }

    /// Has what is on disk. How many changes that took is known there as well, and what comes is counted on from it.
    fn go_back(&mut self) {
        self.database.keys.copy(&self.saved.keys);
        self.offset = self.saved.offset;
    }

    /// Whether something is on disk, and it is older than what there is.
    pub(crate) fn has_older_data(&self) -> bool {
        let nothing = Keyspace::default();
        !self.saved.keys.is_copy_of(&nothing) && !self.saved.keys.is_copy_of(&self.database.keys)
    }

    fn start(&mut self) {
        // Every client loads the scripts when it connects, so a server never goes long without them.
        // They are compiled at their first use, because most worlds are short.
        self.cached.extend(Script::all().map(|script| script.sha1().to_owned()));
        self.begin_generation();
    }

    /// Another `master_replid`: after a start, and after a promotion.
    fn begin_generation(&mut self) {
        let (site, node) = (u64::from(self.id.site), u64::from(self.id.node));
        let half = |part| match (site, node) {
            (0, 0) => draw(self.seed, &[0x5eed, self.incarnation, part]),
            _ => draw(self.seed, &[0x5eed, self.incarnation, part, site, node]),
        };
        self.database.replid = format!("{:016x}{:016x}{:08x}", half(0), half(1), half(2) >> 32);
    }

    /// Serves as a master from now on; connections that it had break.
    pub(crate) fn lead(&mut self) {
        self.incarnation += 1;
        self.following = None;
        self.database.keys.follows = false;
        self.database.read_only = None;
        self.begin_generation();
    }

    /// Follows another node from now on; connections that it had break.
    pub(crate) fn follow(&mut self, following: Following) {
        self.incarnation += 1;
        self.following = Some(following);
        self.database.keys.follows = true;
        self.database.read_only = Some("READONLY You can't write against a read only replica.");
    }

    /// Takes over all that its master has.
    pub(crate) fn copy(&mut self, master: &Self) {
        self.database.keys.copy(&master.database.keys);
        self.database.replid.clone_from(&master.database.replid);
        self.offset = master.offset;
    }

    /// Whether it has followed another to the end; what came of other data does not count.
    pub(crate) fn knows_all_of(&self, other: &Self) -> bool {
        self.database.replid == other.database.replid && self.offset >= other.offset
    }

    /// Follows so many changes of its master.
    pub(crate) fn repeat(&mut self, effects: &[Effect]) {
        self.database.follow(effects);
        self.offset += effects.len() as u64;
    }

    /// What it has changed since it was last asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let effects = std::mem::take(&mut self.database.effects);
        self.offset += effects.len() as u64;
        effects
    }

    pub(crate) fn flush_scripts(&mut self) {
        self.cached.clear();
    }

    /// The server's clock at a moment of the world, us since the Unix epoch.
    pub(crate) fn now_us(&self, world: WorldTime) -> i64 {
        let local_us = i64::try_from(self.timeline.at(world).as_micros()).unwrap_or(i64::MAX);
        EPOCH_US.saturating_add(local_us).saturating_add(self.step_us).max(0)
    }

    /// The moment of the world at which the server's clock shows so many milliseconds since the Unix epoch.
    pub(crate) fn world_at(&self, server_ms: i64) -> WorldTime {
        let local_us = server_ms
            .saturating_mul(1000)
            .saturating_sub(EPOCH_US)
            .saturating_sub(self.step_us);
        self.timeline
            .when(Duration::from_micros(local_us.max(0).unsigned_abs()))
    }

    /// The data, as it is at a moment of the world.
    pub(crate) fn database(&mut self, world: WorldTime) -> &mut Database {
        let now_us = self.now_us(world);
        self.database.set_clock(now_us);
        &mut self.database
    }

    /// The keys as they are, without looking at the clock.
    pub(crate) fn keys(&self) -> &Keyspace {
        &self.database.keys
    }

    /// Runs one call.
    pub(crate) fn execute(&mut self, world: WorldTime, scripts: &mut Scripts, call: &Call) -> Resp {
        match call {
            Call::Command(words) => self.command(world, words),
            Call::Script {
                script,
                keys,
                args,
                in_full: true,
            } => {
                self.cached.insert(script.sha1().to_owned());
                let (sha, source) = scripts.text(script);
                self.eval(world, sha, source, keys, args)
            }
            Call::Script { script, keys, args, .. } => self.evalsha(world, scripts, script, keys, args),
        }
    }

    fn command(&mut self, world: WorldTime, words: &[Bytes]) -> Resp {
        let database = self.database(world);
        database.wrote = false;
        database.run(words)
    }

    /// `EVAL` of a text with this SHA-1.
    pub(crate) fn eval(
        &mut self,
        world: WorldTime,
        sha: &str,
        source: &str,
        keys: &Arc<[Bytes]>,
        args: &[Bytes],
    ) -> Resp {
        if let Err(refused) = self.admit(world, "eval") {
            return refused;
        }
        interpret(|interpreter| match interpreter.compile(sha, source) {
            Ok(script) => {
                self.cached.insert(sha.to_owned());
                interpreter.call(&mut self.database, &script, keys, args)
            }
            Err(error) => Resp::Error(error),
        })
    }

    fn evalsha(
        &mut self,
        world: WorldTime,
        scripts: &mut Scripts,
        script: &'static Script,
        keys: &Arc<[Bytes]>,
        args: &[Bytes],
    ) -> Resp {
        if let Err(refused) = self.admit(world, "evalsha") {
            return refused;
        }
        if !self.knows(script) {
            return Resp::error("NOSCRIPT No matching script. Please use EVAL.");
        }
        interpret(|interpreter| match scripts.compile(script, interpreter) {
            Ok(script) => interpreter.call(&mut self.database, &script, keys, args),
            Err(error) => Resp::Error(error),
        })
    }

    fn admit(&mut self, world: WorldTime, name: &str) -> Result<(), Resp> {
        let index = commands::find(name.as_bytes()).expect("EVAL and EVALSHA are in the table");
        let database = self.database(world);
        if let Some(text) = database.refusal(name, commands::Access::Read) {
            return Err(Resp::Error(text));
        }
        database.count(index);
        Ok(())
    }

    /// Whether `EVALSHA` finds a script.
    pub(crate) fn knows(&self, script: &Script) -> bool {
        self.cached.contains(script.sha1())
    }
}
