//! Carries out the faults of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fault::{Fault, Part, Refusal, Verb};
use super::meddler::{Meddler, Rule};
use super::setting::Setting;
use crate::database::Refused;
use crate::history::{Disturbance, History, Record, Recorder, Trouble, What};
use crate::node::Persistence;
use crate::process::Process;
use crate::random::draw;
use crate::sim::Sim;
use crate::sync::lock;

/// How long sentinels need to notice that an old master is back, and to demote it.
const DEMOTION: Duration = Duration::from_millis(400);
/// How long a client that died is gone before another takes its place.
const REPLACEMENT: Duration = Duration::from_millis(800);

/// What carries out faults; clones act on the same run.
#[derive(Debug, Clone)]
pub(super) struct Saboteur {
    pub(super) sim: Sim,
    pub(super) setting: Setting,
    pub(super) recorder: Recorder,
    pub(super) meddler: Meddler,
    /// The process of each client, by its number from 1.
    pub(super) cast: Arc<Mutex<BTreeMap<u32, Process>>>,
}

impl Saboteur {
    /// Waits for its time, befalls whom it is to befall, and is over when its effects are.
    ///
    /// It excuses what `trouble` says.
    pub(super) async fn carry_out(self, number: u32, fault: Fault, trouble: Option<Trouble>, replace: impl Fn(u32)) {
        tokio::time::sleep(fault.at.saturating_sub(self.sim.now())).await;
        let victims = self.victims(&fault.verb);
        self.disturb(number, &fault, trouble, &victims);
        self.act(&fault, &victims).await;
        if let Verb::Kill { client } = fault.verb {
            tokio::time::sleep(REPLACEMENT).await;
            if self.plays(client, &victims) {
                replace(client);
            }
        }
        if trouble.is_some() && !self.is_lasting(&fault.verb) {
            self.recorder.add(self.sim.now(), What::Ceased { number });
            tokio::time::sleep(self.aftermath(&fault.verb)).await;
            self.recorder.add(self.sim.now(), What::Calmed { number });
        }
    }

    /// Whether it is one of these processes that plays a client: one that dies twice is replaced once.
    fn plays(&self, client: u32, processes: &[Process]) -> bool {
        let number = lock(&self.cast).get(&client).map(Process::number);
        processes.iter().any(|process| Some(process.number()) == number)
    }

    /// Whether a fault is felt to the end: clocks of servers that were set apart stay so, and a lease that one has given
    /// ends early or late by the clock of the next.
    fn is_lasting(&self, verb: &Verb) -> bool {
        matches!(verb, Verb::StepClock { .. }) && self.setting.replicas > 0
    }

    fn victims(&self, verb: &Verb) -> Vec<Process> {
        let chosen = verb.clients();
        let cast = lock(&self.cast);
        let chosen = cast
            .iter()
            .filter(|(number, _)| chosen.as_ref().is_some_and(|chosen| chosen.contains(number)));
        chosen.map(|(_, process)| process.clone()).collect()
    }

    fn disturb(&self, number: u32, fault: &Fault, trouble: Option<Trouble>, victims: &[Process]) {
        let text = fault.verb.to_string();
        self.sim.note(format!("fault {number}: {text}"));
        let Some(trouble) = trouble else { return };
        let client = match victims {
            [victim] => Some(victim.number()),
            _ => None,
        };
        let disturbance = Disturbance {
            number,
            trouble,
            client,
            text,
        };
        self.recorder.add(self.sim.now(), What::Disturbed(disturbance));
    }

    /// How long after its end a fault is still felt: what it left behind ends with its ttl at the latest, whoever waited
    /// asks again within its longest pause, and a message that was missed costs a look.
    fn aftermath(&self, verb: &Verb) -> Duration {
        let settling = Duration::from_millis(1_500);
        match verb {
            Verb::Kill { .. } => self.setting.ttl * 2 + Duration::from_secs(8) + settling,
            _ => self.setting.ttl + Duration::from_secs(2) + settling,
        }
    }

    /// The deployment that a fault befalls.
    fn site(&self, fault: &Fault) -> u32 {
        let chosen = self.chance(fault, 0) % u64::from(self.setting.servers);
        u32::try_from(chosen).expect("servers are few")
    }

    fn chance(&self, fault: &Fault, part: u64) -> u64 {
        let at = u64::try_from(fault.at.as_micros()).unwrap_or(u64::MAX);
        draw(self.sim.seed(), &[0x517e, part, at])
    }

    async fn act(&self, fault: &Fault, victims: &[Process]) {
        let verb = &fault.verb;
        match verb {
            Verb::Partition { length, .. } => {
                if self.setting.servers > 1 && !self.chance(fault, 1).is_multiple_of(4) {
                    let site = self.site(fault);
                    victims.iter().for_each(|process| process.partition_from(site));
                } else {
                    victims.iter().for_each(Process::partition);
                }
                tokio::time::sleep(*length).await;
                victims.iter().for_each(Process::repair);
            }
            Verb::Cut {
                link,
                direction,
                length,
                ..
            } => {
                victims.iter().for_each(|process| process.cut(*link, *direction));
                tokio::time::sleep(*length).await;
                victims.iter().for_each(Process::repair);
            }
            Verb::Hold {
                link,
                direction,
                length,
                ..
            } => {
                victims.iter().for_each(|process| process.hold(*link, *direction));
                tokio::time::sleep(*length).await;
                victims.iter().for_each(Process::deliver);
            }
            Verb::Drop { .. } | Verb::Duplicate { .. } | Verb::Delay { .. } => {
                victims
                    .iter()
                    .for_each(|process| self.meddler.add(Rule::of(process.number(), verb)));
                // Gone by then, or there was nothing to befall.
                tokio::time::sleep(Duration::from_secs(2)).await;
                victims.iter().for_each(|process| self.meddler.clear(process.number()));
            }
            Verb::Noise { one_in, length } => {
                self.meddler.set_noise(Some(*one_in));
                tokio::time::sleep(*length).await;
                self.meddler.set_noise(None);
            }
            Verb::Deaf { length, .. } => {
                victims.iter().for_each(|process| process.set_deaf(true));
                tokio::time::sleep(*length).await;
                victims.iter().for_each(|process| process.set_deaf(false));
            }
            Verb::Pause { length, .. } | Verb::Suspend { length, .. } => {
                victims.iter().for_each(Process::pause);
                tokio::time::sleep(*length).await;
                victims.iter().for_each(Process::resume);
            }
            Verb::Kill { .. } => victims.iter().for_each(Process::kill),
            Verb::Drift { ppm, length, .. } => self.drift(victims, *ppm, *length).await,
            Verb::Wobble {
                ppm, period, length, ..
            } => {
                for half in 0..halves(*period, *length) {
                    let ppm = if half % 2 == 0 { *ppm } else { -ppm };
                    self.drift(victims, ppm, *period / 2).await;
                }
            }
            Verb::StepWall { by_ms, .. } => {
                victims
                    .iter()
                    .for_each(|process| process.clock().step_wall_us(by_ms * 1000));
            }
            _ => self.act_on_server(verb, self.site(fault)).await,
        }
    }

    async fn drift(&self, victims: &[Process], ppm: i32, length: Duration) {
        victims.iter().for_each(|process| process.clock().set_drift_ppm(ppm));
        tokio::time::sleep(length).await;
        victims.iter().for_each(|process| process.clock().set_drift_ppm(0));
    }

    async fn act_on_server(&self, verb: &Verb, site: u32) {
        let deployment = self.sim.deployment(site);
        let master = deployment.master();
        match verb {
            Verb::Freeze { length } => {
                master.freeze();
                tokio::time::sleep(*length).await;
                master.thaw();
            }
            Verb::Crash { length } => start_again(&master, *length, Persistence::Kept).await,
            Verb::Restart { length } => start_again(&master, *length, Persistence::Lost).await,
            Verb::Revert { age, length } => {
                master.save();
                tokio::time::sleep(*age).await;
                start_again(&master, *length, Persistence::Saved).await;
            }
            Verb::FlushScripts => master.flush_scripts(),
            Verb::FlushAll => master.flush_all(),
            Verb::Evict { part } => self.evict(*part),
            Verb::Refuse { how, length } => {
                let (refused, error) = refusal(*how);
                master.refuse(refused, error);
                tokio::time::sleep(*length).await;
                master.accept();
            }
            Verb::StepClock { server, by_ms } => self.server(*server).step_clock_us(by_ms * 1000),
            Verb::DriftClock { server, ppm, length } => self.drift_server(*server, *ppm, *length).await,
            Verb::WobbleClock {
                server,
                ppm,
                period,
                length,
            } => {
                for half in 0..halves(*period, *length) {
                    let ppm = if half % 2 == 0 { *ppm } else { -ppm };
                    self.drift_server(*server, ppm, *period / 2).await;
                }
            }
            Verb::Lag { server, by, length } => {
                let replica = self.server(*server);
                deployment.set_lag(&replica, *by);
                tokio::time::sleep(*length).await;
                deployment.set_lag(&replica, crate::site::REPLICATION);
            }
            Verb::Failover { lost, detected } => self.fail_over(*lost, *detected).await,
            Verb::Hang { detected, length } => self.hang(*detected, *length).await,
            Verb::Split {
                first,
                last,
                detected,
                length,
            } => self.split(*first..=*last, *detected, *length).await,
            Verb::Force => self.force(),
            Verb::Resize { limit, length } => self.resize(*limit, *length).await,
            _ => unreachable!("faults of clients are carried out elsewhere"),
        }
    }

    fn server(&self, node: u32) -> crate::server::Server {
        let servers = self.servers();
        servers[node as usize % servers.len()].clone()
    }

    pub(super) fn servers(&self) -> Vec<crate::server::Server> {
        let sites = 0..self.setting.servers;
        sites.flat_map(|site| self.sim.deployment(site).servers()).collect()
    }

    async fn drift_server(&self, server: u32, ppm: i32, length: Duration) {
        let server = self.server(server);
        server.set_drift_ppm(ppm);
        tokio::time::sleep(length).await;
        server.set_drift_ppm(0);
    }

    fn evict(&self, part: Part) {
        let master = self.sim.server();
        let suffix = match part {
            Part::Free => ":free",
            Part::Generation => "semafence:generation",
            Part::Inboxes => ":inboxes",
            Part::Leases => ":leases",
            Part::Queue => ":queue",
            Part::State => ":state",
        };
        if let Some(key) = master.keys().iter().find(|key| key.ends_with(suffix)) {
            master.delete(key);
        }
    }

    async fn fail_over(&self, lost: Duration, detected: Duration) {
        let deployment = self.sim.deployment(0);
        let old = deployment.master();
        if lost > Duration::ZERO {
            deployment
                .servers()
                .iter()
                .for_each(crate::server::Server::cut_replication);
            tokio::time::sleep(lost).await;
        }
        old.crash();
        tokio::time::sleep(detected).await;
        match deployment.successor().filter(|_| deployment.master().id() == old.id()) {
            Some(new) => {
                deployment.promote(&new);
                tokio::time::sleep(DEMOTION).await;
                old.restart(Persistence::Kept);
            }
            // Nobody is left to take over.
            None => old.restart(Persistence::Kept),
        }
    }

    async fn hang(&self, detected: Duration, length: Duration) {
        let deployment = self.sim.deployment(0);
        let old = deployment.master();
        old.freeze();
        tokio::time::sleep(detected).await;
        if let Some(new) = deployment.successor().filter(|_| deployment.master().id() == old.id()) {
            deployment.promote(&new);
        }
        tokio::time::sleep(length.saturating_sub(detected)).await;
        old.thaw();
        tokio::time::sleep(DEMOTION).await;
        deployment.demote(&old);
    }

    async fn split(&self, clients: RangeInclusive<u32>, detected: Duration, length: Duration) {
        let deployment = self.sim.deployment(0);
        let old = deployment.master();
        let cut_off: Vec<Process> = {
            let cast = lock(&self.cast);
            cast.range(clients).map(|(_, process)| process.clone()).collect()
        };
        deployment.split(&cut_off);
        tokio::time::sleep(detected).await;
        if let Some(new) = deployment.successor().filter(|_| deployment.master().id() == old.id()) {
            deployment.promote(&new);
        }
        tokio::time::sleep(length.saturating_sub(detected)).await;
        deployment.unite();
        tokio::time::sleep(DEMOTION).await;
        deployment.demote(&old);
    }

    /// Takes the first permit that the master knows of, or else the first place in a queue.
    fn force(&self) {
        let Some((name, holder)) = victim(&self.recorder.history()) else {
            return;
        };
        let Ok(semaphore) = semafence::Name::new(semafence::DEFAULT_NAMESPACE, &name) else {
            return;
        };
        self.recorder.add(self.sim.now(), What::Forced { name, holder });
        let force = semafence::script::force_release(&semaphore, holder);
        (0..self.setting.servers).for_each(|site| self.sim.deployment(site).master().invoke(&force));
    }

    async fn resize(&self, limit: u32, length: Duration) {
        self.store_limit(Some(limit));
        tokio::time::sleep(length).await;
        self.store_limit(None);
    }

    fn store_limit(&self, limit: Option<u32>) {
        let name = "name-1";
        let semaphore = semafence::Name::new(semafence::DEFAULT_NAMESPACE, name).expect("a good name");
        let what = What::Resized {
            name: name.to_owned(),
            limit,
        };
        self.recorder.add(self.sim.now(), what);
        for site in 0..self.setting.servers {
            let server = self.sim.deployment(site).master();
            server.invoke(&semafence::script::resize(&semaphore, limit));
        }
    }

    /// Ends whatever may still go on.
    pub(super) fn heal(&self) {
        self.meddler.set_noise(None);
        let deployment = self.sim.deployment(0);
        deployment.unite();
        for process in lock(&self.cast).values() {
            process.repair();
            process.deliver();
            process.resume();
            process.set_deaf(false);
            process.clock().set_drift_ppm(0);
        }
    }
}

async fn start_again(server: &crate::server::Server, length: Duration, data: Persistence) {
    server.crash();
    tokio::time::sleep(length).await;
    server.restart(data);
}

/// Who is to be found in the newest record of some name.
fn victim(history: &History) -> Option<(String, semafence::HolderId)> {
    let mut seen = BTreeSet::new();
    let newest = history.events.iter().rev().filter_map(|event| match &event.what {
        What::Record(record) => seen.insert(&record.name).then_some(record),
        _ => None,
    });
    newest.filter_map(victim_of).next()
}

fn victim_of(record: &Record) -> Option<(String, semafence::HolderId)> {
    let holder = record.holders.first().map(|lease| lease.holder);
    let holder = holder.or_else(|| record.waiters.first().map(|waiter| waiter.holder));
    holder.map(|holder| (record.name.clone(), holder))
}

fn halves(period: Duration, length: Duration) -> u128 {
    length.as_millis() / (period.as_millis() / 2).max(1)
}

fn refusal(how: Refusal) -> (Refused, &'static str) {
    match how {
        Refusal::Loading => (Refused::All, "LOADING Redis is loading the dataset in memory"),
        Refusal::Memory => (
            Refused::Growth,
            "OOM command not allowed when used memory > 'maxmemory'.",
        ),
        Refusal::Misconfigured => (
            Refused::Writes,
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        ),
        Refusal::Rights => (
            Refused::All,
            "NOPERM User semafence has no permissions to run the 'evalsha' command",
        ),
    }
}
