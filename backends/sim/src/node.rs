//! One simulated server process: a database, an interpreter, a clock, and whether it answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use semafence::script::Script;

use crate::clock::EPOCH_US;
use crate::commands;
use crate::database::{Database, Resp};
use crate::interpreter::{Interpreter, sha1};
use crate::keyspace::{Bytes, Keyspace};
use crate::random::draw;
use crate::sync::lock;
use crate::timeline::{Timeline, WorldTime};

/// Something that a client asks a server to do.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Command(Vec<Bytes>),
    Script {
        script: &'static Script,
        keys: Vec<Bytes>,
        args: Vec<Bytes>,
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
    /// Nothing.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not running; connections are refused.
    Down,
    /// Running, but it answers nothing, as after SIGSTOP.
    Frozen,
    Up,
}

#[derive(Debug)]
pub(crate) struct Node {
    seed: u64,
    database: Arc<Mutex<Database>>,
    interpreter: Interpreter,
    /// SHA-1s that `EVALSHA` knows. Compiled scripts stay in the interpreter, which no client can see.
    cached: BTreeSet<String>,
    incarnation: u64,
    pub(crate) state: State,
    pub(crate) timeline: Timeline,
    pub(crate) step_us: i64,
}

impl Node {
    pub(crate) fn new(seed: u64) -> Self {
        let database = Arc::default();
        let mut node = Self {
            seed,
            interpreter: Interpreter::new(&database),
            database,
            cached: BTreeSet::new(),
            incarnation: 0,
            state: State::Up,
            timeline: Timeline::new(WorldTime::ZERO),
            step_us: 0,
        };
        node.start();
        node
    }

    /// How often it has started or crashed; a request sent to an earlier incarnation fails.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) fn crash(&mut self) {
        self.state = State::Down;
        self.incarnation += 1;
    }

    pub(crate) fn restart(&mut self, persistence: Persistence) {
        self.incarnation += 1;
        if persistence == Persistence::Lost {
            lock(&self.database).keys = Keyspace::default();
        }
        self.start();
    }

    fn start(&mut self) {
        self.state = State::Up;
        // Every client loads the scripts when it connects, so a server never goes long without them.
        // They are compiled at their first use, because most worlds are short.
        self.cached.extend(Script::all().map(|script| script.sha1().to_owned()));
        let half = |part| draw(self.seed, &[0x5eed, self.incarnation, part]);
        let replid = format!("{:016x}{:016x}{:08x}", half(0), half(1), half(2) >> 32);
        lock(&self.database).replid = replid;
    }

    pub(crate) fn flush_scripts(&mut self) {
        self.cached.clear();
    }

    /// The server's clock at a moment of the world, us since the Unix epoch.
    pub(crate) fn now_us(&self, world: WorldTime) -> i64 {
        let local_us = i64::try_from(self.timeline.at(world).as_micros()).unwrap_or(i64::MAX);
        EPOCH_US.saturating_add(local_us).saturating_add(self.step_us).max(0)
    }

    /// The data, as it is at a moment of the world.
    pub(crate) fn database(&self, world: WorldTime) -> std::sync::MutexGuard<'_, Database> {
        let mut database = lock(&self.database);
        database.set_clock(self.now_us(world));
        database
    }

    /// Runs one call.
    pub(crate) fn execute(&mut self, world: WorldTime, call: &Call) -> Resp {
        match call {
            Call::Command(words) => self.command(world, words),
            Call::Script {
                script,
                keys,
                args,
                in_full: true,
            } => self.eval(world, script.source(), keys, args),
            Call::Script { script, keys, args, .. } => self.evalsha(world, script, keys, args),
        }
    }

    fn command(&mut self, world: WorldTime, words: &[Bytes]) -> Resp {
        let mut database = self.database(world);
        database.wrote = false;
        database.run(words)
    }

    /// `EVAL`.
    pub(crate) fn eval(&mut self, world: WorldTime, source: &str, keys: &[Bytes], args: &[Bytes]) -> Resp {
        if let Err(refused) = self.admit(world, "eval") {
            return refused;
        }
        let sha = sha1(source.as_bytes());
        if let Err(error) = self.interpreter.compile(&sha, source) {
            return Resp::Error(error);
        }
        self.cached.insert(sha.clone());
        self.interpreter.call(&sha, keys, args)
    }

    fn evalsha(&mut self, world: WorldTime, script: &Script, keys: &[Bytes], args: &[Bytes]) -> Resp {
        if let Err(refused) = self.admit(world, "evalsha") {
            return refused;
        }
        if !self.knows(script) {
            return Resp::error("NOSCRIPT No matching script. Please use EVAL.");
        }
        match self.interpreter.compile(script.sha1(), script.source()) {
            Ok(()) => self.interpreter.call(script.sha1(), keys, args),
            Err(error) => Resp::Error(error),
        }
    }

    fn admit(&self, world: WorldTime, name: &str) -> Result<(), Resp> {
        let index = commands::find(name.as_bytes()).expect("EVAL and EVALSHA are in the table");
        let mut database = self.database(world);
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
