//! Failovers in a row, with clocks that differ and writes that are lost: how many grants go back behind one before.

use std::sync::Arc;
use std::time::Duration;

use semafence::{Attempt, Claim, FencingToken, HolderId, Inbox, LockBackend, Name, Queueing};
use semafence_sim::{ScriptEdit, Sim, SimBackend, draw, run_with_replicas};

/// A rule of tokens: the one that ships, or one that lacks a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// What is replaced by what in the scripts.
    pub(crate) edits: &'static [(&'static str, &'static str)],
}

const NEXT_TOKEN: &str = "math.max(last + 1, us)";
const GUARD: &str = "us + 4294967296)";
const BASE_STEP: &str = "(base or 0) + 1048576 + tonumber(string.sub(replid, 1, 5), 16)";
const STEP: &str = "local step = state.tick == 1 and 67108864 or 1048576";
const JITTER: &str = "local jitter = tonumber(string.sub(generation.replid, 1, 5), 16)";
/// The shortcut only takes what the long way would take as well; without it only the long way is left.
const NO_SHORTCUT: (&str, &str) = ("if not got[1] and got[8]", "if false and got[8]");

pub(crate) const SHIPPED: Rule = Rule {
    name: "as shipped",
    edits: &[],
};

/// The rule without each of its parts.
pub(crate) const RULES: [Rule; 8] = [
    SHIPPED,
    Rule {
        name: "a plain counter",
        edits: &[NO_SHORTCUT, (NEXT_TOKEN, "state.token + 1")],
    },
    Rule {
        name: "no generation: max(last + 1, now)",
        edits: &[NO_SHORTCUT, (NEXT_TOKEN, "math.max(state.token + 1, us)")],
    },
    Rule {
        name: "no guard of 71 minutes",
        edits: &[NO_SHORTCUT, (GUARD, "us)")],
    },
    Rule {
        name: "no step between generations",
        edits: &[NO_SHORTCUT, (BASE_STEP, "(base or 0)")],
    },
    Rule {
        name: "no step of the token",
        edits: &[NO_SHORTCUT, (STEP, "local step = 0"), (JITTER, "local jitter = 0")],
    },
    Rule {
        name: "the small step always",
        edits: &[NO_SHORTCUT, (STEP, "local step = 1048576")],
    },
    Rule {
        name: "no jitter",
        edits: &[
            NO_SHORTCUT,
            (JITTER, "local jitter = 0"),
            (BASE_STEP, "(base or 0) + 1048576"),
        ],
    },
];

/// Which failovers follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// One.
    Once,
    /// One, and the new master has heard of nothing since the deployment began.
    Begun,
    /// Two, the second 2 s after the first; the replicas have copied the new master meanwhile.
    Twice,
    /// Two, the second 2 s after the first; no replica has heard of the master in between.
    MiddleLost,
    /// Three, none of the masters but the first known to the last.
    MiddleTwoLost,
}

impl Course {
    fn failovers(self) -> u32 {
        match self {
            Self::Once | Self::Begun => 1,
            Self::Twice | Self::MiddleLost => 2,
            Self::MiddleTwoLost => 3,
        }
    }
}

/// One cell of the sweep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) rule: Rule,
    pub(crate) course: Course,
    /// By how much the clock of every second server is ahead, ms.
    pub(crate) ahead_ms: i64,
    /// How long before a failover the replicas heard of nothing.
    pub(crate) lost: Duration,
}

/// In how many of `trials` a token went back.
pub(crate) fn regressions(case: Case, trials: u64) -> u64 {
    (1..=trials).map(|seed| u64::from(goes_back(case, seed))).sum()
}

fn goes_back(case: Case, seed: u64) -> bool {
    run_with_replicas(seed, case.course.failovers(), |sim| async move {
        if !case.rule.edits.is_empty() {
            sim.edit_scripts(ScriptEdit::new(move |_, text| edited(case.rule, text)));
        }
        Trial::new(sim, case, seed).run().await
    })
}

fn edited(rule: Rule, text: &str) -> String {
    let edits = rule.edits.iter();
    edits.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

struct Trial {
    sim: Sim,
    backend: SimBackend,
    case: Case,
    seed: u64,
    holder: u128,
    last: FencingToken,
    went_back: bool,
}

impl Trial {
    fn new(sim: Sim, case: Case, seed: u64) -> Self {
        let backend = sim.backend();
        for server in sim.deployment(0).servers().iter().skip(1).step_by(2) {
            server.step_clock_us(case.ahead_ms * 1000);
        }
        Self {
            sim,
            backend,
            case,
            seed,
            holder: 0,
            last: FencingToken::from_u64(0),
            went_back: false,
        }
    }

    async fn run(mut self) -> bool {
        if self.case.course == Course::Begun {
            self.begin_unheard().await;
            return self.went_back;
        }
        self.grant().await;
        // Tokens of a generation that is younger than 71 minutes run ahead of the clock.
        let age = [1, 60, 3 * 3600][(draw(self.seed, &[1]) % 3) as usize];
        sleep(Duration::from_secs(age)).await;
        self.grant().await;
        sleep(Duration::from_millis(10)).await;
        for number in 0..self.case.course.failovers() {
            self.fail_over(number).await;
        }
        self.went_back
    }

    /// No replica hears of the first grants.
    async fn begin_unheard(&mut self) {
        let replicas = self.sim.deployment(0).servers();
        replicas.iter().for_each(semafence_sim::Server::cut_replication);
        self.grant().await;
        self.fail_over(0).await;
    }

    async fn fail_over(&mut self, number: u32) {
        let deployment = self.sim.deployment(0);
        let unheard = number == 0 || self.case.course == Course::Twice;
        if number > 0 {
            self.reign().await;
        }
        let replicas = deployment.servers();
        if unheard {
            replicas.iter().for_each(semafence_sim::Server::cut_replication);
            self.lose().await;
        }
        deployment.master().crash();
        sleep(Duration::from_millis(1_200)).await;
        let next = &replicas[number as usize + 1];
        deployment.promote(next);
        if self.case.course != Course::Twice {
            replicas.iter().for_each(semafence_sim::Server::cut_replication);
        }
        sleep(Duration::from_millis(10)).await;
        self.grant().await;
    }

    /// What the new master does before it fails as well.
    async fn reign(&mut self) {
        for _ in 0..4 {
            sleep(Duration::from_millis(500)).await;
            self.grant().await;
        }
    }

    /// Grants that no replica hears of.
    async fn lose(&mut self) {
        for _ in 0..8 {
            sleep(self.case.lost / 8).await;
            self.grant().await;
        }
    }

    /// Takes the permit and gives it back.
    async fn grant(&mut self) {
        self.holder += 1;
        let claim = claim(self.holder);
        match self.backend.acquire(&claim, Queueing::Never).await {
            Ok(Attempt::Granted(grant)) => {
                self.went_back |= grant.token <= self.last;
                self.last = self.last.max(grant.token);
            }
            // The lease of a grant that was released may be back after a failover.
            Ok(Attempt::Busy(busy)) => {
                sleep(busy.look_after).await;
                return Box::pin(self.grant()).await;
            }
            other => panic!("{:?} was answered with {other:?}", self.case),
        }
        self.backend.release(&claim).await.expect("a master that serves");
    }
}

fn claim(holder: u128) -> Claim {
    Claim {
        name: Name::new("sweep", "orders").expect("a good name"),
        holder: HolderId::from_bits(holder),
        limit: 1,
        weight: 1,
        ttl: Duration::from_secs(1),
        window: Duration::from_secs(1),
        patience: Duration::from_secs(5),
        inbox: Inbox::from_bits(1),
        meta: Arc::from(""),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}

async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
