//! Plays a plan: clients work, faults befall them, everything heals, and nothing may be left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use semafence::Quorum;
use tokio::task::JoinHandle;

use super::marks;
use super::meddler::Meddler;
use super::plan::Plan;
use super::saboteur::Saboteur;
use super::scribe::Scribe;
use super::setting::Setting;
use super::work::Work;
use crate::Client;
use crate::backend::SimBackend;
use crate::check::{self, Invariant, Report};
use crate::clock::SimClock;
use crate::history::{History, Recorder, What};
use crate::marks::Marks;
use crate::random::draw;
use crate::scripts::ScriptEdit;
use crate::sim::Sim;
use crate::sync::lock;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What happened, as far as the checker reads it.
    pub history: History,
    /// What is wrong with it.
    pub report: Report,
    /// What was covered.
    pub marks: Marks,
    /// What happened, line by line; empty unless it was asked for.
    pub trace: Vec<String>,
    /// How much world time it took.
    pub simulated: Duration,
}

/// How a plan is played.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Runs edited scripts instead of those that ship.
    pub edit: Option<ScriptEdit>,
    /// Keeps the trace.
    pub trace: bool,
}

/// Plays a plan in a world of its own, on this thread and in virtual time.
///
/// # Panics
///
/// Inside of a tokio runtime, and when a script touches a key that it has not declared.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    run_with(plan, &Options::default())
}

/// Plays a plan with edited scripts.
///
/// # Panics
///
/// As [`run`].
#[must_use]
pub fn run_edited(plan: &Plan, edit: &ScriptEdit) -> Outcome {
    let edit = Some(edit.clone());
    run_with(plan, &Options { edit, trace: false })
}

/// Plays a plan as `options` say.
///
/// # Panics
///
/// As [`run`].
#[must_use]
pub fn run_with(plan: &Plan, options: &Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let (mut history, mut marks, trace, simulated, leftovers) = runtime.block_on(async {
        let stage = Stage::set(plan, options);
        let simulated = stage.play(plan).await;
        let trace = if options.trace { stage.sim.trace() } else { Vec::new() };
        assert_eq!(
            stage.violations(),
            Vec::<String>::new(),
            "a script touched undeclared keys"
        );
        let leftovers = stage.leftovers();
        (stage.recorder.history(), stage.sim.marks(), trace, simulated, leftovers)
    });
    if plan.setting().servers > 1 {
        history.events.retain(|event| !event.what.is_of_one_server());
    }
    let mut report = check::check(&history);
    for text in leftovers {
        report.add(Invariant::NothingLeft, simulated, [], text);
    }
    marks::of_history(&history, &report, &mut marks);
    Outcome {
        history,
        report,
        marks,
        trace,
        simulated,
    }
}

/// How long servers have been there, where their clocks are far apart.
const AGE_US: i64 = 5_000_000_000;

/// Independent servers show other times, as far as the order of tokens allows: within the time that they have been there, and
/// within an hour.
fn set_clocks_apart(sim: &Sim, setting: &Setting) {
    let apart_us = u64::try_from(setting.apart.as_micros()).expect("an hour is short");
    for site in 0..setting.servers {
        let server = sim.deployment(site).master();
        let drawn = draw(sim.seed(), &[0xc10c, 1, u64::from(site)]) % (apart_us + 1);
        let by_us = i64::try_from(drawn).expect("an hour is short");
        if setting.apart > Duration::from_secs(60) {
            server.step_clock_us(-AGE_US);
            server.begin_generation();
            server.step_clock_us(AGE_US);
        }
        server.step_clock_us(by_us);
    }
}

/// The processes that work, and their tasks.
type Crew = BTreeMap<u32, (Member, Vec<JoinHandle<()>>)>;

/// A client of one server, or of a majority of several.
enum Member {
    OfOne(Client),
    OfSeveral(semafence::Client<Quorum<SimBackend>, SimClock>),
}

impl Member {
    async fn close(&self) {
        match self {
            Self::OfOne(client) => drop(client.close().await),
            Self::OfSeveral(client) => drop(client.close().await),
        }
    }
}

/// Everything that a run needs.
#[derive(Clone)]
struct Stage {
    sim: Sim,
    setting: Setting,
    recorder: Recorder,
    scribe: Scribe,
    saboteur: Saboteur,
    work: Work,
    crew: Arc<Mutex<Crew>>,
}

impl Stage {
    fn set(plan: &Plan, options: &Options) -> Self {
        let setting = plan.setting();
        let sim = Sim::with_deployments(plan.seed, setting.servers, setting.replicas);
        sim.keep_trace(options.trace);
        set_clocks_apart(&sim, &setting);
        let recorder = Recorder::default();
        sim.record(&recorder);
        let meddler = Meddler::new(plan.seed);
        sim.set_faults(meddler.clone());
        if let Some(edit) = &options.edit {
            sim.edit_scripts(edit.clone());
        }
        if setting.min_replicas {
            sim.deployment(0).set_min_replicas(1, Duration::from_secs(1));
        }
        let time = sim.clone();
        let scribe = Scribe::new(recorder.clone(), move || time.now());
        Self {
            saboteur: Saboteur {
                sim: sim.clone(),
                setting: setting.clone(),
                recorder: recorder.clone(),
                meddler,
                cast: Arc::default(),
            },
            work: Work::new(plan.seed, setting.clone(), scribe.clone()),
            scribe,
            sim,
            setting,
            recorder,
            crew: Arc::default(),
        }
    }

    /// How long until whoever waits has been served once everything works again: everybody in front holds for as long
    /// as anybody does, and what was left behind ends with its ttl.
    fn patience(&self) -> Duration {
        let longest_hold = (self.setting.hold * 4).max(self.setting.ttl * 2);
        let crowd = self.setting.clients * self.setting.workers;
        let turns = crowd.div_ceil(self.setting.limit) + 1;
        longest_hold * turns + self.setting.ttl * 2 + Duration::from_secs(15)
    }

    async fn play(&self, plan: &Plan) -> Duration {
        for client in 1..=plan.clients {
            self.enter(client, client);
        }
        let faults: Vec<JoinHandle<()>> = (1..)
            .zip(&plan.faults)
            .map(|(number, fault)| {
                let (stage, fault, trouble) = (self.clone(), fault.clone(), plan.trouble(fault));
                tokio::spawn(async move {
                    let replacing = stage.clone();
                    let saboteur = stage.saboteur.clone();
                    saboteur
                        .carry_out(number, fault, trouble, move |client| replacing.replace(client))
                        .await;
                })
            })
            .collect();
        tokio::time::sleep(plan.until.saturating_sub(self.sim.now())).await;
        self.work.stop();
        for fault in faults {
            fault.await.expect("a fault does not panic");
        }
        self.saboteur.heal();
        self.scribe.add(What::Healed);
        self.finish().await;
        self.sim.now()
    }

    /// A client process begins to work. Its number decides its latencies and ids, so it depends on nothing else.
    fn enter(&self, client: u32, number: u32) {
        let process = self.sim.process_numbered(number);
        lock(&self.saboteur.cast).insert(client, process.clone());
        let (member, workers) = if self.setting.servers > 1 {
            let quorum = self.sim.quorum_of(&process).expect("an odd number of servers");
            let handle = self.sim.client_over(quorum, &process).build();
            let handle = handle.expect("a keeper that is a task always starts");
            let workers = self.work.begin(&handle, number);
            (Member::OfSeveral(handle), workers)
        } else {
            let handle = self.sim.client_of(&process).build();
            let handle = handle.expect("a keeper that is a task always starts");
            let workers = self.work.begin(&handle, number);
            (Member::OfOne(handle), workers)
        };
        lock(&self.crew).insert(client, (member, workers));
    }

    /// A client has died; its successor has a process of its own.
    fn replace(&self, client: u32) {
        let dead = lock(&self.crew).remove(&client);
        if let Some((handle, workers)) = dead {
            workers.iter().for_each(JoinHandle::abort);
            drop(handle);
        }
        let before = lock(&self.saboteur.cast)
            .get(&client)
            .map_or(client, crate::Process::number);
        self.enter(client, before + 1_000);
    }

    /// Everybody comes to an end, closes, and time passes until nothing can be left.
    async fn finish(&self) {
        let crew = std::mem::take(&mut *lock(&self.crew));
        let deadline = tokio::time::Instant::now() + self.patience();
        for (_, (client, workers)) in crew {
            for mut worker in workers {
                if tokio::time::timeout_at(deadline, &mut worker).await.is_err() {
                    worker.abort();
                }
            }
            let _whoever_hangs_is_found_by_the_checker = tokio::time::timeout_at(deadline, client.close()).await;
        }
        tokio::time::sleep(self.setting.ttl * 2 + Duration::from_secs(4)).await;
        if self.setting.stepless {
            // By each look time goes on by a quarter of the ttl, and leases are given a quarter more.
            // A server that was away may remember several waiters, each of which has its turn.
            let looks = if self.setting.servers > 1 { 40 } else { 8 };
            for _ in 0..looks {
                self.look_at_all();
                tokio::time::sleep(self.setting.ttl / 4).await;
            }
        }
        if self.setting.grace {
            // A server that took over and that nobody has asked since sweeps no waiters before a grace is over.
            self.look_at_all();
            tokio::time::sleep(self.setting.ttl).await;
        }
        self.look_at_all();
        // A server that was away when a claim gave up its place remembers it; each look serves as many as there are slots.
        for _ in 0..self.setting.clients * self.setting.workers {
            if self.leftovers().is_empty() {
                break;
            }
            tokio::time::sleep(self.setting.ttl).await;
            self.look_at_all();
        }
        self.scribe.add(What::Quiesced);
        self.sim.server().tell_all();
    }

    /// What is left on several servers; what is left on one is for the checker, which sees its records.
    fn leftovers(&self) -> Vec<String> {
        if self.setting.servers == 1 {
            return Vec::new();
        }
        let all = self.names().flat_map(|name| {
            let servers = self.saboteur.servers().into_iter();
            servers.filter_map(move |server| server.status(&name))
        });
        let held = all.filter(|status| status.holders_total + status.waiters_total > 0);
        held.map(|status| format!("{status:?}")).collect()
    }

    fn names(&self) -> impl Iterator<Item = semafence::Name> + use<> {
        let name = |name| semafence::Name::new(semafence::DEFAULT_NAMESPACE, &format!("name-{name}"));
        (1..=self.setting.names).map(move |number| name(number).expect("a good name"))
    }

    /// A look at each name sweeps what has ended.
    fn look_at_all(&self) {
        for name in self.names() {
            let look = semafence::script::resize(&name, None);
            (0..self.setting.servers).for_each(|site| self.sim.deployment(site).master().invoke(&look));
        }
    }

    fn violations(&self) -> Vec<String> {
        let servers = self.saboteur.servers();
        servers.iter().flat_map(crate::Server::violations).collect()
    }
}
