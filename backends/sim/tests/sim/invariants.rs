//! Random runs of all verbs by claims of all kinds, and what must hold after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semafence::script::Reply;
use semafence::{
    Added, Addition, Attempt, Ballot, Claim, FencingToken, HolderId, LockBackend, Queueing, Stage, Standing, Vote, Wish,
};
use semafence_sim::{Random, Server, Sim, run};

use crate::support::{Bench, sleep};

/// What the test knows, to compare with what the server says.
struct Model {
    sim: Sim,
    bench: Bench,
    random: Random,
    claims: Vec<Claim>,
    /// Holders that were granted and neither released nor seen to be gone.
    granted: BTreeMap<HolderId, (FencingToken, Vec<u32>)>,
    /// The largest token seen of each slot, and of all.
    newest: BTreeMap<u32, FencingToken>,
    limit: u32,
    ids: u128,
    marks: BTreeSet<&'static str>,
}

impl Model {
    fn new(sim: &Sim) -> Self {
        let mut random = Random::new(sim.seed());
        let limit = [1, 2, 3, 8, 40][random.below(5) as usize];
        Self {
            sim: sim.clone(),
            bench: Bench::new(sim, limit),
            random,
            claims: Vec::new(),
            granted: BTreeMap::new(),
            newest: BTreeMap::new(),
            limit,
            ids: 0,
            marks: BTreeSet::new(),
        }
    }

    async fn step(&mut self) {
        match self.random.below(100) {
            0..35 => self.ask_anew().await,
            35..50 => self.ask_again().await,
            50..65 => self.refresh().await,
            65..88 => self.release().await,
            88..91 => self.force().await,
            91..94 => self.resize().await,
            94 => self.add_permits().await,
            _ => {
                let ms = [1, 30, 300, 1_100, 3_500][self.random.below(5) as usize];
                sleep(Duration::from_millis(ms)).await;
            }
        }
        self.check().await;
    }

    async fn ask_anew(&mut self) {
        self.ids += 1;
        let weight = 1 + self.random.below(u64::from(self.bench.limit).min(5)) as u32;
        let claim = self.bench.weighing(self.ids, weight);
        self.claims.push(claim.clone());
        self.ask(&claim).await;
    }

    async fn ask_again(&mut self) {
        if let Some(claim) = self.any_claim() {
            self.ask(&claim).await;
        }
    }

    async fn ask(&mut self, claim: &Claim) {
        // A name has one strategy, so queue and wake-ups are mixed in some of the runs only.
        let queueing = match (self.sim.seed() % 3, self.random.below(4)) {
            (_, 0) => Queueing::Never,
            (0, _) | (2, 1) => Queueing::WakeUp,
            _ => Queueing::HandOff,
        };
        let before = self.bench.status().await;
        let attempt = self.bench.attempt(claim, queueing).await;
        match attempt {
            Attempt::Granted(grant) => {
                let known = self.granted.insert(claim.holder, (grant.token, grant.slots.clone()));
                if known.as_ref().is_some_and(|(token, _)| *token == grant.token) {
                    self.marks.insert("granted again");
                    assert_eq!(known.unwrap().1, grant.slots);
                    return;
                }
                self.marks.insert("granted");
                assert_eq!(grant.slots.len(), claim.weight as usize);
                for slot in grant.slots {
                    let older = self.newest.insert(slot, grant.token);
                    assert!(
                        older.is_none_or(|older| older < grant.token),
                        "token of slot {slot} went back"
                    );
                }
                if before.waiters.iter().any(|waiter| waiter.queueing == Queueing::HandOff) {
                    let was_waiting = before.waiters.iter().any(|waiter| waiter.holder == claim.holder);
                    self.marks.insert(if was_waiting {
                        "waiter served"
                    } else {
                        "queue was stale"
                    });
                }
            }
            Attempt::Queued(_) => _ = self.marks.insert("queued"),
            Attempt::Busy(_) => _ = self.marks.insert("busy"),
            Attempt::GivenUp => _ = self.marks.insert("given up"),
            Attempt::Oversized { limit } => assert!(claim.weight > limit),
            Attempt::Full { .. } => panic!("the queue is far from full"),
        }
    }

    async fn refresh(&mut self) {
        let count = 1 + self.random.below(4);
        let claims: Vec<Claim> = (0..count).filter_map(|_| self.any_claim()).collect();
        for (claim, standing) in claims.iter().zip(self.bench.backend.refresh(&claims).await) {
            match standing.unwrap() {
                Standing::Held => _ = self.marks.insert("refreshed"),
                _ => _ = self.granted.remove(&claim.holder),
            }
        }
    }

    async fn release(&mut self) {
        if let Some(mut claim) = self.any_claim() {
            claim.doubtful = self.random.chance(20);
            match self.bench.release(&claim).await {
                Standing::Held => _ = self.marks.insert("released"),
                Standing::Waiting => _ = self.marks.insert("left the queue"),
                Standing::Forced | Standing::Absent => {}
            }
            self.granted.remove(&claim.holder);
            if self.random.chance(80) {
                self.claims.retain(|one| one.holder != claim.holder);
            }
        }
    }

    async fn force(&mut self) {
        if let Some(claim) = self.any_claim() {
            let standing = self
                .bench
                .backend
                .force_release(&self.bench.name, claim.holder)
                .await
                .unwrap();
            if standing == Standing::Held {
                self.marks.insert("forced");
            }
            self.granted.remove(&claim.holder);
        }
    }

    async fn resize(&mut self) {
        let limit = [
            None,
            Some(1 + self.random.below(u64::from(self.bench.limit) * 2) as u32),
        ][self.random.below(2) as usize];
        self.bench.backend.resize(&self.bench.name, limit).await.unwrap();
        self.limit = limit.unwrap_or(self.bench.limit);
        self.marks.insert("resized");
    }

    /// At most as many as a resize makes.
    async fn add_permits(&mut self) {
        if self.limit >= self.bench.limit * 2 {
            return;
        }
        let addition = Addition {
            name: self.bench.name.clone(),
            id: HolderId::from_bits(u128::from(self.random.draw())),
            permits: 1,
            limit: self.bench.limit,
        };
        for _ in 0..2 {
            let added = self.bench.backend.add_permits(&addition).await.unwrap();
            assert_eq!(added, Added::Raised { limit: self.limit + 1 });
        }
        self.limit += 1;
        self.marks.insert("added");
    }

    fn any_claim(&mut self) -> Option<Claim> {
        let index = self.random.below(self.claims.len().max(1) as u64) as usize;
        self.claims.get(index).cloned()
    }

    async fn check(&mut self) {
        let status = self.bench.status().await;
        let slots: Vec<u32> = status.holders.iter().flat_map(|holder| holder.slots.clone()).collect();
        let distinct: BTreeSet<u32> = slots.iter().copied().collect();
        assert_eq!(distinct.len(), slots.len(), "a slot is held twice: {status:#?}");
        let highest_limit = self.bench.limit * 2;
        assert!(slots.iter().all(|&slot| slot < highest_limit), "{slots:?}");
        if status.limit_override.is_none() {
            // Holders under a larger override that was cleared since may still be in.
            let fits = slots.len() <= self.bench.limit as usize || self.marks.contains("resized");
            assert!(fits, "{} slots of {}", slots.len(), self.bench.limit);
        }
        self.check_counters(&status.holders.iter().map(|holder| holder.holder).collect());
        self.check_idle_permits(&status);
    }

    /// The counters of the state agree with the keys beside it.
    fn check_counters(&mut self, live: &BTreeSet<HolderId>) {
        let server = &self.bench.server;
        let [used, high, queued, wakers] = ["used", "high", "queued", "wakers"]
            .map(|field| number(server, &["HGET", &self.bench.key("state"), field]));
        let free = number(server, &["ZCARD", &self.bench.key("free")]);
        let records = self.records();
        let held: i64 = records
            .iter()
            .filter(|record| record.kind == 'h')
            .map(|record| record.weight)
            .sum();
        assert_eq!(
            high - used,
            free,
            "free slots are those below the highest that nobody uses"
        );
        assert_eq!(used, held, "used slots are those of the holders");
        assert_eq!(queued, number(server, &["ZCARD", &self.bench.key("queue")]));
        assert_eq!(wakers, number(server, &["ZCARD", &self.bench.key("wake")]));
        let of_kind = |kind| records.iter().filter(|record| record.kind == kind).count() as i64;
        assert_eq!((queued, wakers), (of_kind('q'), of_kind('n')));
        let entries = records.iter().filter(|record| "htf".contains(record.kind)).count() as i64;
        assert_eq!(
            entries,
            number(server, &["ZCARD", &self.bench.key("leases")]),
            "one entry for each that ends"
        );
        for record in &records {
            assert!(record.kind == 'h' || !live.contains(&record.holder));
        }
        self.bench.assert_every_key_ends();
    }

    /// While a waiter at the head could be served, somebody holds a hand-off or an ended lease that is about to be swept.
    fn check_idle_permits(&mut self, status: &semafence::Status) {
        let head = status
            .waiters
            .iter()
            .find(|waiter| waiter.queueing == Queueing::HandOff);
        let Some(head) = head else {
            return;
        };
        let used = self
            .records()
            .iter()
            .filter(|record| record.kind == 'h')
            .map(|record| record.weight)
            .sum::<i64>();
        let ended = self.records().iter().filter(|record| record.kind == 'h').count() > status.holders.len();
        let fits = used + i64::from(head.weight) <= i64::from(self.limit);
        assert!(!fits || ended, "the head waits although its weight fits: {status:#?}");
    }

    fn records(&self) -> Vec<Record> {
        let reply = self.bench.server.run(&["HGETALL", &self.bench.key("state")]);
        let Ok(Reply::Array(fields)) = reply else {
            panic!("the state is a hash: {reply:?}");
        };
        fields
            .chunks(2)
            .filter_map(|pair| Record::read(&text(&pair[0]), &text(&pair[1])))
            .collect()
    }
}

struct Record {
    holder: HolderId,
    kind: char,
    weight: i64,
    /// Of a holder.
    slots: Vec<u32>,
}

impl Record {
    fn read(field: &str, record: &str) -> Option<Self> {
        let words: Vec<&str> = record.split(' ').collect();
        let slots = words
            .get(8)
            .filter(|_| words[0] == "h")
            .map_or("", |slots| slots.split(';').next().unwrap_or(""));
        Some(Self {
            holder: field.parse().ok()?,
            kind: words[0].chars().next()?,
            weight: words.get(1).map_or(0, |weight| weight.parse().expect("a weight")),
            slots: slots
                .split(',')
                .filter(|range| !range.is_empty())
                .flat_map(range)
                .collect(),
        })
    }
}

fn range(text: &str) -> std::ops::RangeInclusive<u32> {
    let (first, last) = text.split_once('-').expect("a range");
    first.parse().expect("a slot")..=last.parse().expect("a slot")
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("not a text: {other:?}"),
    }
}

fn number(server: &Server, command: &[&str]) -> i64 {
    match server.run(command) {
        Ok(Reply::Int(number)) => number,
        Ok(Reply::Bytes(bytes)) => String::from_utf8_lossy(&bytes).parse().expect("a number"),
        Ok(Reply::Nil) => 0,
        other => panic!("{command:?}: {other:?}"),
    }
}

#[test]
fn invariants_hold_after_every_step_of_random_runs() {
    let runs: u64 = std::env::var("SEMAFENCE_RUNS").map_or(60, |text| text.parse().expect("a number of runs"));
    let mut marks = BTreeSet::new();
    for seed in 0..runs {
        marks.extend(run(seed, |sim| async move {
            let mut model = Model::new(&sim);
            for _ in 0..150 {
                model.step().await;
            }
            model.marks
        }));
    }

    let expected = [
        "added",
        "busy",
        "forced",
        "given up",
        "granted",
        "granted again",
        "left the queue",
        "queued",
        "refreshed",
        "released",
        "resized",
        "waiter served",
    ];
    for mark in expected {
        assert!(marks.contains(mark), "no run has seen \"{mark}\": {marks:?}");
    }
}

impl Model {
    /// What a claim of a quorum may do to one of its servers, in any order.
    async fn step_of_ballots(&mut self, proposed: u64) {
        match self.random.below(100) {
            0..30 => {
                self.ids += 1;
                let weight = 1 + self.random.below(u64::from(self.bench.limit).min(4)) as u32;
                self.claims.push(self.bench.weighing(self.ids, weight));
                let claim = self.claims[self.claims.len() - 1].clone();
                self.vote(&claim, proposed).await;
            }
            30..75 => {
                if let Some(claim) = self.any_claim() {
                    self.vote(&claim, proposed).await;
                }
            }
            75..92 => {
                if let Some(claim) = self.any_claim() {
                    self.bench.release(&claim).await;
                }
            }
            92..96 => {
                let limit = 1 + self.random.below(u64::from(self.bench.limit)) as u32;
                let limit = (self.random.below(2) == 0).then_some(limit);
                self.bench.backend.resize(&self.bench.name, limit).await.unwrap();
            }
            _ => {
                let ms = [1, 300, 3_500][self.random.below(3) as usize];
                sleep(Duration::from_millis(ms)).await;
            }
        }
        let status = self.bench.status().await;
        self.check_counters(&status.holders.iter().map(|holder| holder.holder).collect());
        let mut taken = BTreeSet::new();
        for record in self.records().iter().filter(|record| record.kind == 'h') {
            assert_eq!(
                record.slots.len() as i64,
                record.weight,
                "it has as many slots as it weighs"
            );
            for slot in &record.slots {
                assert!(taken.insert(*slot), "slot {slot} is given once");
            }
        }
    }

    async fn vote(&mut self, claim: &Claim, proposed: u64) {
        let stage = [Stage::Asks, Stage::Confirms, Stage::Holds, Stage::Yields][self.random.below(4) as usize];
        let first = self.random.below(u64::from(self.bench.limit)) as u32;
        let wish = match self.random.below(8) {
            0 => Wish::Exactly(Vec::new()),
            1..=4 if first + claim.weight <= self.bench.limit => Wish::Exactly((first..first + claim.weight).collect()),
            _ => Wish::From(first),
        };
        let queueing = [Queueing::Never, Queueing::HandOff][self.random.below(2) as usize];
        // Some arrive late.
        let token = proposed - self.random.below(2) * self.random.below(40);
        let ballot = Ballot {
            token: Some(FencingToken::from_u64(token)),
            wish,
            ticket: None,
            stage,
        };
        let vote = self.bench.backend.vote(claim, queueing, &ballot).await.unwrap();
        self.marks.insert(match (stage, &vote) {
            (Stage::Yields, Vote::Busy(..)) => "yielded",
            (Stage::Yields, _) => panic!("{vote:?}"),
            (Stage::Holds, Vote::Cast(..)) => "held",
            (_, Vote::Cast(..)) => "cast",
            (_, Vote::Queued(..)) => "queued",
            _ => "not given",
        });
    }
}

#[test]
fn invariants_hold_after_every_step_of_random_ballots() {
    const SOON: u64 = 1_800_000_000_000_000;
    let runs: u64 = std::env::var("SEMAFENCE_RUNS").map_or(60, |text| text.parse().expect("a number of runs"));
    let mut marks = BTreeSet::new();
    for seed in 0..runs {
        marks.extend(run(seed, |sim| async move {
            let mut model = Model::new(&sim);
            for step in 0..150 {
                model.step_of_ballots(SOON + step * 10).await;
            }
            model.marks
        }));
    }

    for mark in ["cast", "held", "not given", "queued", "yielded"] {
        assert!(marks.contains(mark), "no run has seen \"{mark}\": {marks:?}");
    }
}
