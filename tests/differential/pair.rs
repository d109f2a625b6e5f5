//! A real server and the simulated one, doing the same.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use semafence::script::{Script, read_wakeup};
use semafence::{Inbox, LockBackend, Wakeup};
use semafence_sim::{Refused, Sim, SimBackend};
use xtask::{Connection, Flavor, Server};

use crate::outcome::{Outcome, of_server};
use crate::report::Difference;
use crate::seen::{self, Seen};
use crate::state::{self, State};
use crate::step::{Refusal, Run, Source, Step};
use crate::{outcome, quirks::Numbers};

/// The time of day at which every run begins, us: that of a simulation.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;
/// How many inboxes are listened to, from 0.
pub(crate) const INBOXES: u64 = 3;

/// Commands that only a real server is sent, or more often.
const UNCOUNTED: [&str; 9] = [
    "config",
    "debug",
    "eval",
    "evalsha",
    "flushall",
    "info",
    "ping",
    "script",
    "subscribe",
];

const PATIENCE: Duration = Duration::from_secs(10);

/// Plays a run on both, from an empty server on; the first difference.
pub(crate) fn play(server: &Server, flavor: Flavor, run: &Run, seen: &mut Seen) -> Option<Difference> {
    // Not by `semafence_sim::run`: what it says of undeclared keys is one more difference here.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    runtime.block_on(async move {
        let sim = Sim::new(1);
        let mut pair = Pair::new(server, flavor, run.numbers, sim).await;
        for (index, step) in run.steps.iter().enumerate() {
            if let Some((real, simulated)) = pair.step(step).await {
                seen.append(&mut pair.seen);
                return Some(Difference { index, real, simulated });
            }
        }
        let looked = pair.look().await.or_else(|| pair.counts());
        seen.append(&mut pair.seen);
        let (real, simulated) = looked?;
        Some(Difference {
            index: run.steps.len(),
            real,
            simulated,
        })
    })
}

/// What the real one and the simulated one said.
type Said = (String, String);

struct Pair<'a> {
    server: &'a Server,
    flavor: Flavor,
    numbers: Numbers,
    connection: Connection,
    /// Listens to all inboxes.
    listener: Connection,
    sim: Sim,
    /// The processes to which the inboxes belong must live to listen.
    _backends: Vec<SimBackend>,
    messages: Vec<BoxStream<'static, Wakeup>>,
    now_us: i64,
    seen: Seen,
}

impl<'a> Pair<'a> {
    async fn new(server: &'a Server, flavor: Flavor, numbers: Numbers, sim: Sim) -> Self {
        let mut listener = server.connect(PATIENCE).expect("the server runs");
        let backends: Vec<_> = (0..INBOXES).map(|_| sim.backend()).collect();
        let mut messages = Vec::new();
        for (number, backend) in (0..INBOXES).zip(&backends) {
            let inbox = Inbox::from_bits(number);
            listener
                .command(&["SUBSCRIBE", &inbox.channel()])
                .expect("the server runs");
            messages.push(backend.notify(inbox).await.expect("nothing is broken here"));
        }
        let connection = server.connect(PATIENCE).expect("the server runs");
        let (_backends, now_us) = (backends, START_US);
        let mut pair = Self {
            server,
            flavor,
            numbers,
            connection,
            listener,
            sim,
            _backends,
            messages,
            now_us,
            seen: Seen::new(),
        };
        pair.refuse(Refusal::Nothing);
        pair.empty();
        pair.set_clock();
        pair.share_replid();
        let _it_never_fails = pair.command(&["CONFIG", "RESETSTAT"]);
        pair.sim.server().reset_commands();
        pair
    }

    fn empty(&mut self) {
        for words in [
            &["FLUSHALL"][..],
            &["SCRIPT", "FLUSH"],
            &["DEBUG", "SET-ACTIVE-EXPIRE", "0"],
        ] {
            let reply = self.command(words);
            assert!(reply.is_ok(), "{words:?}: {reply:?}");
        }
        for script in Script::all() {
            let _its_sha_is_known = self.command(&["SCRIPT", "LOAD", script.source()]);
        }
    }

    async fn step(&mut self, step: &Step) -> Option<Said> {
        match step {
            Step::Call(call) => {
                let keys: Vec<_> = call.keys().iter().map(|key| key.as_bytes().to_vec()).collect();
                let args: Vec<_> = call.args().map(|arg| arg.as_bytes().to_vec()).collect();
                let real = self.real_script("EVALSHA", call.script.sha1(), &keys, &args);
                let simulated = self.sim.server().evalsha(call);
                self.seen.insert(seen::reply(call, &simulated));
                if !forgotten(&real) || !forgotten(&simulated) {
                    return self.compare(&real, &simulated);
                }
                self.run_source(call.script.source(), &keys, &args)
            }
            Step::Clock(us) => {
                self.now_us = (self.now_us + us).max(1_000_000);
                self.set_clock();
                None
            }
            Step::Command(words) => {
                let (real, simulated) = (self.command(words), self.sim.server().run(words));
                self.compare(&real, &simulated)
            }
            Step::ForgetScripts => {
                let _it_never_fails = self.command(&["SCRIPT", "FLUSH"]);
                self.sim.server().flush_scripts();
                None
            }
            Step::Look => self.look().await,
            Step::NewGeneration => {
                let changed = self.command(&["DEBUG", "CHANGE-REPL-ID"]);
                assert!(changed.is_ok(), "{changed:?}");
                self.share_replid();
                None
            }
            Step::Refuse(refusal) => {
                self.refuse(*refusal);
                None
            }
            Step::Script(source) => {
                let Source { text, keys, args } = &**source;
                self.run_source(text, keys, args)
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        for set in refusal.settings() {
            let set = self.command(&set);
            assert!(set.is_ok(), "{set:?}");
        }
        let simulated = self.sim.server();
        match refusal {
            Refusal::Growth => {
                simulated.refuse(
                    Refused::Growth,
                    "OOM command not allowed when used memory > 'maxmemory'.",
                );
            }
            Refusal::Nothing => simulated.accept(),
            Refusal::Writes => simulated.refuse(Refused::Writes, "NOREPLICAS Not enough good replicas to write."),
        }
    }

    fn run_source(&mut self, text: &str, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Option<Said> {
        let real = self.real_script("EVAL", text, keys, args);
        let simulated = self.sim.server().eval(text, keys, args);
        self.compare(&real, &simulated)
    }

    fn compare(&self, real: &Outcome, simulated: &Outcome) -> Option<Said> {
        let same = outcome::same(self.flavor, self.numbers, real, simulated);
        (!same).then(|| (outcome::show(real), outcome::show(simulated)))
    }

    fn command<A: AsRef<[u8]>>(&mut self, words: &[A]) -> Outcome {
        let reply = self.connection.command(words);
        of_server(reply.unwrap_or_else(|error| panic!("{error}\n{}", self.server.log_tail())))
    }

    fn real_script(&mut self, verb: &str, text: &str, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Outcome {
        let count = keys.len().to_string();
        let head = [verb.as_bytes(), text.as_bytes(), count.as_bytes()];
        let words: Vec<&[u8]> = head
            .into_iter()
            .chain(keys.iter().chain(args).map(Vec::as_slice))
            .collect();
        self.command(&words)
    }

    fn set_clock(&self) {
        self.server.set_clock_us(self.now_us);
        let simulated = self.sim.server();
        let shown_us = i64::try_from(simulated.time().as_micros()).expect("a time of this century");
        if shown_us != self.now_us {
            simulated.step_clock_us(self.now_us - shown_us);
        }
    }

    fn share_replid(&self) {
        let replid = &self.server.info("replication")["master_replid"];
        self.sim.server().set_replid(replid);
    }

    /// Compares all keys, and the messages that arrived since the last look.
    async fn look(&mut self) -> Option<Said> {
        let (real, simulated) = self.states();
        if let Some(said) = real.differs(&simulated, |real, simulated| self.compare(real, simulated)) {
            return Some(said);
        }
        let (real, simulated) = (self.real_messages(), self.simulated_messages().await);
        let kinds = real.iter().flatten().map(|message| match message {
            Wakeup::Forced(_) => "message forced",
            _ => "message look",
        });
        self.seen.extend(kinds.map(str::to_owned));
        (real != simulated).then(|| (format!("messages {real:?}"), format!("messages {simulated:?}")))
    }

    /// Compares how often each command ran, in scripts and outside of them.
    fn counts(&self) -> Option<Said> {
        // Which wrong number of arguments is found out before a command runs is a matter of its version.
        if self.numbers == Numbers::ByValue && self.flavor != Flavor::Redis70 {
            return None;
        }
        // Servers also list what they only refused.
        let counted = |name: &str, calls: u64| calls > 0 && !name.contains('|') && !UNCOUNTED.contains(&name);
        let mut real = self.server.calls();
        real.retain(|name, calls| counted(name, *calls));
        let mut simulated = self.sim.server().commands();
        simulated.retain(|name, calls| counted(name, *calls));
        let same = real
            .iter()
            .map(|(name, calls)| (name.as_str(), calls))
            .eq(simulated.iter().map(|(name, calls)| (*name, calls)));
        (!same).then(|| (format!("calls {real:?}"), format!("calls {simulated:?}")))
    }

    fn states(&mut self) -> (State, State) {
        let server = self.sim.server();
        let simulated = state::read(|words| server.run(words));
        (state::read(|words| self.command(words)), simulated)
    }

    /// By inbox.
    fn real_messages(&mut self) -> Vec<Vec<Wakeup>> {
        let mut messages = vec![Vec::new(); self.messages.len()];
        self.listener.send(&["PING"]).expect("the server runs");
        loop {
            let push = self.listener.read().expect("the server runs");
            let [kind, channel, message] = push.items() else {
                return messages;
            };
            assert_eq!(kind.text(), "message");
            let inbox = (0..INBOXES).position(|inbox| Inbox::from_bits(inbox).channel() == channel.text());
            messages[inbox.expect("only these are subscribed to")].extend(read_wakeup(message.text().as_bytes()));
        }
    }

    async fn simulated_messages(&mut self) -> Vec<Vec<Wakeup>> {
        // Longer than any message is under way. The clock of the simulated server goes on meanwhile: set it right.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut all = Vec::new();
        for stream in &mut self.messages {
            let mut messages = Vec::new();
            while let Some(Some(message)) = futures::FutureExt::now_or_never(stream.next()) {
                messages.push(message);
            }
            all.push(messages);
        }
        self.set_clock();
        all
    }
}

fn forgotten(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(|error| error.starts_with("NOSCRIPT "))
}
