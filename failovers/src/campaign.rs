//! Failover after failover, under load from several processes.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use xtask::{Announcements, Deployment, DeploymentBuilder, Node, RedisFixture, Server};

use crate::driver::Driver;
use crate::failover::{Failover, side_of};
use crate::moment;
use crate::sides::Sides;
use crate::sighting::Sighting;
use crate::split;
use crate::verdict::Verdict;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long the master grants what its replicas do not learn of.
const LOST_TAIL: Duration = Duration::from_millis(200);
/// How far the clocks of the replicas are behind.
const BEHIND_US: i64 = -5_000_000;

/// What to do, and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    /// Who speaks to the servers.
    #[arg(long, default_value = "redis-rs")]
    pub driver: Driver,
    /// What happens to the master.
    #[arg(long, default_value = "killed")]
    pub fault: Fault,
    /// How many failovers.
    #[arg(long, default_value_t = 100)]
    pub failovers: u32,
    /// How many processes make load.
    #[arg(long, default_value_t = 8)]
    pub processes: u32,
    /// How long leases last.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// Nothing is granted for so long after a failover; `0s` for no grace.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    pub grace: Duration,
    /// Leases go by stepless time: no clock of a server that takes over ends one early.
    #[arg(long)]
    pub stepless: bool,
    /// A master that no replica has acknowledged for a second takes no more writes.
    #[arg(long)]
    pub min_replicas: bool,
}

/// What happens to the master after it has granted what no replica knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// It is killed.
    Killed,
    /// It is killed, and the clocks of the others are 5 s behind.
    ClockBehind,
    /// It is suspended, and goes on as a replica later.
    Hung,
    /// It is killed, while one sentinel is suspended.
    HungSentinel,
    /// It is cut off from all but its side, which it goes on serving, and demoted once that is over.
    Split,
    /// It is killed, and its successor right after.
    Twice,
}

/// Runs a campaign and prints what came of it; answers whether all that must hold did.
///
/// # Errors
///
/// When servers or processes cannot be started.
pub fn run(plan: &Plan) -> io::Result<bool> {
    let deployment = deployment(plan)?;
    if plan.fault == Fault::HungSentinel {
        deployment.sentinels()[0].stop();
    }
    let workers: Vec<Worker> = (1..=plan.processes)
        .map(|number| Worker::start(plan, number, &deployment))
        .collect::<io::Result<_>>()?;
    // The first grant of a deployment waits for the grace, too.
    thread::sleep(plan.grace + Duration::from_secs(2));
    let mut tale = Tale::default();
    while tale.failovers.len() < plan.failovers as usize {
        fail_over(plan, &deployment, &mut tale);
        println!("{} failovers", tale.failovers.len());
    }
    // Whoever has not been told by then never will be.
    thread::sleep(told_within(plan.ttl));
    let sightings: Vec<Sighting> = workers
        .into_iter()
        .map(Worker::finish)
        .collect::<io::Result<Vec<_>>>()?
        .concat();
    let verdict = Verdict::of(&sightings, &tale.failovers, plan.processes, told_within(plan.ttl));
    let (failovers, incr) = (tale.failovers.len(), tale.incr_regressed);
    println!(
        "failovers  {failovers}, {} by {:?}, grace {:?}{}",
        plan.driver.name(),
        plan.fault,
        plan.grace,
        if plan.stepless { ", stepless" } else { "" }
    );
    println!("{verdict}");
    println!("INCR       repeated or went back in {incr} of {failovers}");
    Ok(verdict.is_good(plan.excuses_overlaps()) && bites(plan, &verdict, incr))
}

/// A fault that never bites proves nothing.
fn bites(plan: &Plan, verdict: &Verdict, incr_regressed: usize) -> bool {
    let sides = verdict.sides.as_ref();
    incr_regressed > 0 && (plan.min_replicas || sides.is_none_or(Sides::bite))
}

impl Plan {
    /// Whether more than the limit may believe to hold: there is no grace, or an old master that nothing stops.
    fn excuses_overlaps(&self) -> bool {
        self.grace.is_zero() || (self.fault == Fault::Split && !self.min_replicas)
    }
}

/// How long a holder may believe in what a whole deployment does not know: until its next refresh, with time to spare.
fn told_within(ttl: Duration) -> Duration {
    ttl / 3 + Duration::from_secs(2)
}

/// What the campaign itself saw.
#[derive(Debug, Default)]
struct Tale {
    failovers: Vec<Failover>,
    /// After how many failovers a plain counter gave a number that it had given before.
    incr_regressed: usize,
}

fn deployment(plan: &Plan) -> io::Result<Deployment> {
    let mut builder = Deployment::any();
    if plan.fault == Fault::ClockBehind {
        builder = builder.clock_offset_us(1, BEHIND_US).clock_offset_us(2, BEHIND_US);
    }
    if plan.fault == Fault::Split {
        builder = builder.partitionable();
    }
    if plan.min_replicas {
        let settings = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"];
        builder = settings.into_iter().fold(builder, DeploymentBuilder::arg);
    }
    builder.start().map_err(io::Error::other)
}

fn fail_over(plan: &Plan, deployment: &Deployment, tale: &mut Tale) {
    if plan.fault == Fault::Split {
        let takes_a_sentinel = tale.failovers.len() % 2 == 1;
        let (failover, counted_again) = split::fail_over(plan, deployment, takes_a_sentinel);
        tale.failovers.push(failover);
        tale.incr_regressed += usize::from(counted_again);
        return;
    }
    let first = tale.failovers.len();
    let mut down = vec![lose_master(plan, deployment, tale)];
    if plan.fault == Fault::Twice {
        down.push(lose_master(plan, deployment, tale));
    }
    // Long enough for refreshes to come and for a grace to end.
    thread::sleep(plan.grace + Duration::from_secs(1));
    for old in down {
        match plan.fault {
            Fault::Hung => old.cont(),
            _ => deployment.rejoin(old).expect("it starts again"),
        }
    }
    if plan.fault == Fault::HungSentinel {
        // Not all sentinels will agree.
        thread::sleep(Duration::from_secs(3));
    } else {
        deployment.await_settled(PATIENCE);
    }
    let over = moment::now();
    tale.failovers[first..]
        .iter_mut()
        .for_each(|failover| failover.over = over);
}

/// A failover that loses what the master granted last; answers with the old master.
fn lose_master<'a>(plan: &Plan, deployment: &'a Deployment, tale: &mut Tale) -> &'a Server {
    let announcements = deployment.announcements();
    let old = deployment.master();
    let replicas = deployment.cut_off_replicas(old);
    let counted = count(old);
    thread::sleep(LOST_TAIL);
    let began = moment::now();
    match plan.fault {
        Fault::Hung => old.stop(),
        _ => old.kill(),
    }
    replicas.iter().for_each(|replica| replica.cont());
    let announced = announced(&announcements, old);
    tale.failovers.push(Failover {
        began,
        announced,
        ..Failover::default()
    });
    let new = deployment.await_master_other_than(old, PATIENCE);
    tale.incr_regressed += usize::from(count(new) <= counted);
    old
}

/// One process that counts with plain INCR, as the predecessors' tokens do.
pub(crate) fn count(master: &Server) -> i64 {
    let reply = master.ask(&["INCR", "plain-incr"]).expect("the master answers");
    reply.int().expect("INCR answers with a number")
}

pub(crate) fn announced(announcements: &Announcements, old: &Server) -> Duration {
    loop {
        let next = announcements.next(PATIENCE).expect("a new master is announced");
        if next.master != old.address() {
            return moment::of(next.at);
        }
    }
}

/// One process of the load.
#[derive(Debug)]
struct Worker {
    child: Child,
    reader: Option<JoinHandle<io::Result<Vec<Sighting>>>>,
}

impl Worker {
    fn start(plan: &Plan, number: u32, deployment: &Deployment) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args([
                "work",
                "--number",
                &number.to_string(),
                "--driver",
                plan.driver.name(),
                "--url",
                &deployment.url(),
            ])
            .args(["--ttl", &humantime::format_duration(plan.ttl).to_string()])
            .args(["--grace", &humantime::format_duration(plan.grace).to_string()])
            .args(plan.stepless.then_some("--stepless"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = match plan.fault {
            Fault::Split => deployment.spawn(side_of(number), command)?,
            _ => command.spawn()?,
        };
        let seen = child.stdout.take().expect("standard output is piped");
        let reader = Some(thread::spawn(move || read(seen)));
        Ok(Self { child, reader })
    }

    /// Tells it to stop, and answers with all that it saw.
    fn finish(mut self) -> io::Result<Vec<Sighting>> {
        drop(self.child.stdin.take());
        let started = Instant::now();
        let reader = self.reader.take().expect("it finishes once");
        let seen = reader.join().expect("the reader does not panic")?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!(
                "a process of the load failed after {:?}: {status}",
                started.elapsed()
            )));
        }
        Ok(seen)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended_already_is_fine = self.child.kill();
        let _reaped_already_is_fine = self.child.wait();
    }
}

fn read(seen: ChildStdout) -> io::Result<Vec<Sighting>> {
    let lines = BufReader::new(seen).lines();
    lines.map(|line| line?.parse().map_err(io::Error::other)).collect()
}
