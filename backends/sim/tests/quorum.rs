//! A majority of independent servers: what holds while some of them are down, hang, forget, or are cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use semafence::{Clock, Error, Failure, KeeperMode, LossReason, Quorum, Strategy};
use semafence_sim::{
    Direction, Faults, Message, Persistence, Process, Sim, SimBackend, SimClock, Verdict, run_with_deployments,
};

type Client = semafence::Client<Quorum<SimBackend>, SimClock>;
type Semaphore = semafence::Semaphore<Quorum<SimBackend>, SimClock>;

const TTL: Duration = Duration::from_secs(3);

fn client_of(process: &Process, quorum: Quorum<SimBackend>) -> Client {
    let builder = semafence::Client::builder(quorum).clock(process.clock().clone());
    let builder = builder.keeper(KeeperMode::Task).seed(u64::from(process.number()));
    builder.build().unwrap()
}

fn client(sim: &Sim) -> Client {
    let process = sim.process();
    client_of(&process, sim.quorum_of(&process).unwrap())
}

fn semaphore(client: &Client, limit: u32) -> Semaphore {
    client.semaphore("jobs", limit).ttl(TTL).build().unwrap()
}

/// Servers that are new grant nothing for a while, since they may have forgotten something.
async fn past_the_first_grace(sim: &Sim) {
    let permit = semaphore(&client(sim), 1).acquire_owned().await.unwrap();
    permit.release().await.unwrap();
}

fn crash(sim: &Sim, site: u32) {
    sim.deployment(site).master().crash();
}

async fn holders_on(sim: &Sim, site: u32) -> u64 {
    use semafence::LockBackend;
    let backend = sim.backend_of(&sim.process(), site);
    let name = semafence::Name::new(semafence::DEFAULT_NAMESPACE, "jobs").unwrap();
    let status = backend.inspect(&name).await.unwrap();
    status.holders_total + status.waiters_total
}

async fn sleep(sim: &Sim, length: Duration) {
    let clock = sim.clock();
    clock.sleep_until(clock.now() + length).await;
}

#[test]
fn while_a_minority_is_down_everything_works() {
    run_with_deployments(1, 5, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        crash(&sim, 1);
        crash(&sim, 4);
        let (one, other) = (client(&sim), client(&sim));

        let first = semaphore(&one, 2).acquire_owned().await.unwrap();
        let second = semaphore(&other, 2).acquire_owned().await.unwrap();

        assert_ne!(first.slot(), second.slot());
        assert!(first.token() < second.token());
        assert!(semaphore(&other, 2).try_acquire().await.unwrap().is_none());
        sleep(&sim, TTL * 4).await;
        assert!(first.is_held() && second.is_held());
        first.release().await.unwrap();
        assert!(semaphore(&other, 2).try_acquire().await.unwrap().is_some());
    });
}

#[test]
fn a_majority_that_is_down_fails_in_time_and_leaves_nothing_on_the_survivors() {
    run_with_deployments(1, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        crash(&sim, 0);
        crash(&sim, 1);
        let client = client(&sim);
        let asked_at = sim.now();

        let error = semaphore(&client, 1).try_acquire().await.unwrap_err();

        assert!(sim.now() - asked_at < TTL / 6, "{:?}", sim.now() - asked_at);
        let Error::Backend { source, .. } = &error else {
            panic!("{error}");
        };
        let no_majority = source.no_majority().expect("it says which servers are missing");
        assert_eq!(
            (no_majority.answered, no_majority.needed, no_majority.servers),
            (1, 2, 3)
        );
        let missing: Vec<&str> = no_majority.failures.iter().map(|failure| &*failure.node).collect();
        assert_eq!(missing, ["site 0", "site 1"]);
        assert_eq!(source.failure(), Failure::Transient);
        sleep(&sim, Duration::from_millis(100)).await;
        assert_eq!(holders_on(&sim, 2).await, 0);
    });
}

#[test]
fn an_acquire_waits_for_a_majority_or_fails_at_once_as_it_is_told() {
    run_with_deployments(2, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let process = sim.process();
        let hasty = client_of(&process, sim.quorum_of(&process).unwrap().fail_at_once(true));
        let patient = client(&sim);
        crash(&sim, 0);
        crash(&sim, 1);

        let error = semaphore(&hasty, 1).acquire().await.unwrap_err();
        assert!(error.is_transient(), "{error}");

        let waiting = tokio::spawn(async move { semaphore(&patient, 1).acquire_owned().await });
        sleep(&sim, TTL).await;
        sim.deployment(0).master().restart(Persistence::Kept);
        let permit = waiting.await.unwrap().unwrap();
        assert!(permit.is_held());
    });
}

#[test]
fn a_server_that_hangs_costs_nothing() {
    run_with_deployments(3, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let client = client(&sim);
        let semaphore = semaphore(&client, 1);
        let mut took = [Duration::ZERO; 2];
        for (round, took) in took.iter_mut().enumerate() {
            if round == 1 {
                sim.deployment(1).master().freeze();
            }
            for _ in 0..20 {
                let began = sim.now();
                let permit = semaphore.acquire().await.unwrap();
                permit.release().await.unwrap();
                *took += sim.now() - began;
            }
        }

        assert!(took[1] < took[0].mul_f64(1.3), "{took:?}");
    });
}

#[test]
fn three_that_each_miss_another_server_never_hold_two_permits_at_once() {
    for seed in 1..=20 {
        run_with_deployments(seed, 3, 0, |sim| async move {
            past_the_first_grace(&sim).await;
            let mut held = Vec::new();
            let contenders: Vec<Semaphore> = (0..3)
                .map(|site| {
                    let process = sim.process();
                    process.partition_from(site);
                    semaphore(&client_of(&process, sim.quorum_of(&process).unwrap()), 2)
                })
                .collect();

            for semaphore in &contenders {
                let permit = semaphore.try_acquire().await.unwrap();
                held.extend(permit.map(semafence::Permit::into_owned));
            }

            assert_eq!(
                held.len(),
                2,
                "the third finds each of its servers full, or no two that agree"
            );
            assert_ne!(held[0].slots(), held[1].slots());
        });
    }
}

#[test]
fn servers_that_restart_empty_one_after_the_other_let_nobody_else_in() {
    run_with_deployments(4, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let (one, other) = (client(&sim), client(&sim));
        let permit = semaphore(&one, 1).acquire_owned().await.unwrap();
        let rival = semaphore(&other, 1);

        for site in 0..3 {
            crash(&sim, site);
            sim.deployment(site).master().restart(Persistence::Lost);
            assert!(rival.try_acquire().await.unwrap().is_none(), "after site {site}");
            // Its grace, and the refresh after that, which asks it for its vote.
            sleep(&sim, TTL * 3).await;
        }

        assert!(permit.is_held());
        assert!(rival.try_acquire().await.unwrap().is_none());
        let before = permit.token();
        permit.release().await.unwrap();
        assert!(rival.acquire().await.unwrap().token() > before);
    });
}

#[test]
fn when_most_servers_forget_at_once_holders_are_told_before_others_hold() {
    for seed in 1..=10 {
        run_with_deployments(seed, 5, 0, |sim| async move {
            past_the_first_grace(&sim).await;
            let (one, other) = (client(&sim), client(&sim));
            let permit = semaphore(&one, 1).acquire_owned().await.unwrap();
            let waiting = tokio::spawn(async move { semaphore(&other, 1).acquire_owned().await.unwrap() });
            sleep(&sim, TTL).await;

            for site in 0..3 {
                crash(&sim, site);
                sim.deployment(site).master().restart(Persistence::Lost);
            }

            assert_eq!(permit.lost().await, LossReason::Forgotten);
            assert!(!waiting.is_finished());
            assert!(waiting.await.unwrap().token() > permit.token());
        });
    }
}

#[test]
fn a_server_that_was_away_gets_to_know_who_holds() {
    run_with_deployments(5, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let client = client(&sim);
        crash(&sim, 2);
        let _permit = semaphore(&client, 1).acquire_owned().await.unwrap();
        sim.deployment(2).master().restart(Persistence::Kept);

        // Its grace, and the refresh after that.
        sleep(&sim, TTL * 3).await;

        assert_eq!(holders_on(&sim, 2).await, 1, "so the two that knew may fail one by one");
    });
}

/// One of the two servers that voted for a permit dies, the third one did not vote, since it was in its grace.
#[test]
fn a_permit_that_one_server_keeps_is_brought_to_another_before_it_ends() {
    run_with_deployments(13, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let client = client(&sim);
        crash(&sim, 2);
        sim.deployment(2).master().restart(Persistence::Lost);
        // Its grace begins.
        let before = semaphore(&client, 1).acquire_owned().await.unwrap();
        before.release().await.unwrap();
        sleep(&sim, TTL * 2 / 3).await;
        let permit = semaphore(&client, 1).acquire_owned().await.unwrap();

        crash(&sim, 0);

        sleep(&sim, TTL * 3).await;
        assert!(permit.is_held());
    });
}

#[test]
fn a_holder_that_reaches_a_minority_is_told_before_others_hold() {
    run_with_deployments(6, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let process = sim.process();
        let cut_off = client_of(&process, sim.quorum_of(&process).unwrap());
        let permit = semaphore(&cut_off, 1).acquire_owned().await.unwrap();
        let other = client(&sim);
        process.partition_from(0);
        process.partition_from(2);
        let waiting = tokio::spawn(async move { semaphore(&other, 1).acquire_owned().await.unwrap() });

        let reason = permit.lost().await;

        assert_eq!(reason, LossReason::Expired);
        assert!(!waiting.is_finished());
        assert!(waiting.await.unwrap().token() > permit.token());
    });
}

#[test]
fn two_addresses_of_one_server_are_found_out() {
    run_with_deployments(7, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let process = sim.process();
        let nodes = [0, 1, 0].map(|site| sim.backend_of(&process, site));
        let quorum = Quorum::new(nodes).unwrap().clock(process.clock().clone());

        let error = semaphore(&client_of(&process, quorum), 1).acquire().await.unwrap_err();

        assert!(!error.is_transient());
        assert!(
            error.to_string().contains("node 1 and node 3 are one server"),
            "{error}"
        );
    });
}

/// The token of a process that has just started is no smaller because its own clock is behind.
#[test]
fn tokens_grow_whatever_the_clocks_of_clients_say() {
    run_with_deployments(8, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        for site in 0..3 {
            let apart = i64::from(site) * 1_300_000_000 - 1_000_000_000;
            sim.deployment(site).master().step_clock_us(apart);
        }
        let mut last = None;
        for round in 0..12 {
            let process = sim.process();
            process
                .clock()
                .step_wall_us(i64::from(round % 3) * 3_600_000_000 - 3_600_000_000);
            let client = client_of(&process, sim.quorum_of(&process).unwrap());
            let away = round % 3;
            process.partition_from(away);

            let permit = semaphore(&client, 1).acquire_owned().await.unwrap();

            assert!(last < Some(permit.token()), "round {round}");
            last = Some(permit.token());
            permit.release().await.unwrap();
        }
    });
}

#[test]
fn everybody_who_waits_gets_a_turn_and_nobody_many_more_than_another() {
    for seed in 1..=3 {
        run_with_deployments(seed, 3, 0, |sim| async move {
            past_the_first_grace(&sim).await;
            let inside = Arc::new(AtomicU32::new(0));
            let until = sim.now() + Duration::from_secs(8);
            let crowd: Vec<_> = (0..10)
                .map(|_| contend(sim.clone(), Arc::clone(&inside), until))
                .collect();

            let turns: Vec<u32> = join_all(crowd).await;

            let (least, most) = (*turns.iter().min().unwrap(), *turns.iter().max().unwrap());
            assert!(least * 10 >= most * 9 && least > 20, "{turns:?}");
        });
    }
}

async fn contend(sim: Sim, inside: Arc<AtomicU32>, until: Duration) -> u32 {
    let client = client(&sim);
    let semaphore = semaphore(&client, 1);
    let mut turns = 0;
    while sim.now() < until {
        let permit = semaphore.acquire().await.unwrap();
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        sleep(&sim, Duration::from_millis(20)).await;
        inside.fetch_sub(1, Ordering::SeqCst);
        permit.release().await.unwrap();
        turns += 1;
    }
    turns
}

/// How many rounds of ballots to all servers an acquire takes, and how long at most, where so many come at one moment.
async fn rounds(sim: &Sim, limit: u32, claims: u32) -> (f64, Duration) {
    let semaphores: Vec<Semaphore> = (0..claims).map(|_| semaphore(&client(sim), limit)).collect();
    let (servers, turns) = (3, 15);
    let (mut ballots, mut longest) = (0, Duration::ZERO);
    for _ in 0..turns {
        reset_commands(sim, servers);
        let asked_at = sim.now();
        let permits = join_all(semaphores.iter().map(Semaphore::acquire)).await;
        longest = longest.max(sim.now() - asked_at);
        sleep(sim, Duration::from_millis(20)).await;
        ballots += scripts_run(sim, servers);
        join_all(permits.into_iter().map(|permit| permit.unwrap().release())).await;
        sleep(sim, Duration::from_millis(20)).await;
    }
    (ballots as f64 / f64::from(servers * turns * claims), longest)
}

fn reset_commands(sim: &Sim, servers: u32) {
    (0..servers).for_each(|site| sim.deployment(site).master().reset_commands());
}

fn scripts_run(sim: &Sim, servers: u32) -> u64 {
    let scripts = |site| sim.deployment(site).master().commands()["evalsha"];
    (0..servers).map(scripts).sum()
}

#[test]
fn an_acquire_takes_one_round_and_few_where_several_come_together() {
    for (limit, claims, most) in [
        (1, 1, 1.2),
        (5, 1, 1.2),
        (5, 3, 2.5),
        (5, 5, 3.5),
        (8, 8, 4.5),
        (64, 8, 4.5),
    ] {
        for seed in 1..=3 {
            let (rounds, longest) = run_with_deployments(seed, 3, 0, |sim| async move {
                past_the_first_grace(&sim).await;
                rounds(&sim, limit, claims).await
            });
            println!("{claims} claims to {limit} slots: {rounds:.2} rounds, {longest:?} at most");
            assert!(rounds < most, "{claims} claims to {limit} slots: {rounds:.2} rounds");
            assert!(
                longest < Duration::from_millis(100),
                "{claims} claims to {limit} slots: {longest:?}"
            );
        }
    }
}

/// A crowd that wants more slots than there are.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    servers: u32,
    limit: u32,
    claims: u32,
    /// Claims weigh from 1 to so much.
    weights: u32,
    /// All are of one process.
    is_shared: bool,
}

impl Crowd {
    const HOLDS: Duration = Duration::from_millis(20);
    const LASTS: Duration = Duration::from_millis(1_500);

    /// How much of the time the slots were taken, and how long a claim waited at most.
    async fn contend(self, sim: &Sim) -> (f64, Duration) {
        past_the_first_grace(sim).await;
        let (until, together) = (sim.now() + Self::LASTS, client(sim));
        let claims = (0..self.claims).map(|number| {
            let client = if self.is_shared { together.clone() } else { client(sim) };
            self.claim_again_and_again(sim, client, 1 + number % self.weights, until)
        });
        reset_commands(sim, self.servers);
        let turns = join_all(claims).await;
        let taken: Duration = turns
            .iter()
            .map(|(weight, turns, _)| Self::HOLDS * *weight * *turns)
            .sum();
        let share = taken.as_secs_f64() / (Self::LASTS * self.limit).as_secs_f64();
        let count: u32 = turns.iter().map(|(_, turns, _)| turns).sum();
        let scripts = scripts_run(sim, self.servers) as f64 / f64::from(self.servers * count);
        let longest = turns.into_iter().map(|(_, _, longest)| longest).max().unwrap();
        println!("{self:?}: slots are taken {share:.2} of the time, {scripts:.1} scripts a turn, {longest:?} at most");
        (share, longest)
    }

    async fn claim_again_and_again(
        self,
        sim: &Sim,
        client: Client,
        weight: u32,
        until: Duration,
    ) -> (u32, u32, Duration) {
        let semaphore = semaphore(&client, self.limit);
        let (mut turns, mut longest) = (0, Duration::ZERO);
        while sim.now() < until {
            let asked_at = sim.now();
            let permit = semaphore.acquire_many(weight).await.unwrap();
            longest = longest.max(sim.now() - asked_at);
            sleep(sim, Self::HOLDS).await;
            permit.release().await.unwrap();
            turns += 1;
        }
        (weight, turns, longest)
    }
}

/// Servers that give slots out in another order would go on to differ while all slots are taken: then it was a sixth of the
/// time, and a claim waited for seconds.
#[test]
fn where_claims_are_more_than_slots_the_slots_are_taken_most_of_the_time() {
    let crowd = Crowd {
        servers: 3,
        limit: 8,
        claims: 12,
        weights: 1,
        is_shared: false,
    };
    let crowds = [
        Crowd { claims: 9, ..crowd },
        crowd,
        Crowd {
            is_shared: true,
            claims: 24,
            ..crowd
        },
        Crowd { servers: 5, ..crowd },
        Crowd { weights: 3, ..crowd },
    ];
    for (seed, crowd) in (1..).zip(crowds) {
        let (share, longest) =
            run_with_deployments(seed, crowd.servers, 0, |sim| async move { crowd.contend(&sim).await });
        assert!(share > 0.6, "{crowd:?}: {share:.2}");
        assert!(longest < Duration::from_millis(400), "{crowd:?}: {longest:?}");
    }
}

/// What a waiter needs is free on different servers at different moments.
#[test]
fn waiters_are_served_while_servers_come_and_go() {
    for seed in 1..=4 {
        run_with_deployments(seed, 3, 0, |sim| async move {
            past_the_first_grace(&sim).await;
            let inside = Arc::new(AtomicU32::new(0));
            let until = sim.now() + Duration::from_secs(30);
            let crowd: Vec<_> = (0..6)
                .map(|_| contend(sim.clone(), Arc::clone(&inside), until))
                .collect();
            let trouble = async {
                for round in 0..12 {
                    let server = sim.deployment(round % 3).master();
                    server.crash();
                    sleep(&sim, Duration::from_millis(1_200)).await;
                    server.restart(Persistence::Kept);
                    sleep(&sim, Duration::from_millis(1_300)).await;
                }
            };

            let (turns, ()) = tokio::join!(join_all(crowd), trouble);

            assert!(turns.iter().all(|turns| *turns > 20), "{turns:?}");
        });
    }
}

/// What a server forgot counts for nobody until its grace is over. Of a rival it may have forgotten that it voted for it, and the
/// rival has heard that and still asks.
#[test]
fn a_server_that_forgot_its_vote_takes_nobody_else_in() {
    /// The holder is known to the second server and the third, which none of its refreshes reaches; it reaches the first from
    /// when that has forgotten the rival. The rival does not reach the second, and its ballot comes late to the third.
    #[derive(Debug)]
    struct Trap {
        holder: u32,
        rival: u32,
        granted_by: Duration,
        forgotten_at: Duration,
    }

    impl Faults for Trap {
        fn judge(&mut self, message: &Message) -> Verdict {
            let is_request = message.direction == Direction::Request;
            match (message.client, message.site) {
                (client, 0) if client == self.holder && message.at < self.forgotten_at => Verdict::Drop,
                (client, 2) if client == self.holder && message.at > self.granted_by => Verdict::Drop,
                (client, 1) if client == self.rival => Verdict::Drop,
                (client, 2) if client == self.rival && is_request => Verdict::Delay(Duration::from_millis(420)),
                _ => Verdict::Deliver,
            }
        }
    }

    run_with_deployments(9, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let (holder, rival) = (sim.process(), sim.process());
        let [ours, theirs] = [&holder, &rival].map(|process| client_of(process, sim.quorum_of(process).unwrap()));
        // So that it has a token to propose, and needs one round only.
        let theirs = semaphore(&theirs, 1);
        theirs.acquire_owned().await.unwrap().release().await.unwrap();
        sleep(&sim, TTL).await;
        let began = sim.now();
        sim.set_faults(Trap {
            holder: holder.number(),
            rival: rival.number(),
            granted_by: began + Duration::from_millis(100),
            forgotten_at: began + Duration::from_millis(2_700),
        });
        let held = semaphore(&ours, 1).acquire_owned().await.unwrap();

        sleep(&sim, began + Duration::from_millis(2_650) - sim.now()).await;
        let asking = tokio::spawn(async move { theirs.acquire_owned().await });
        sleep(&sim, Duration::from_millis(50)).await;
        crash(&sim, 0);
        sim.deployment(0).master().restart(Persistence::Lost);
        sleep(&sim, Duration::from_millis(100)).await;
        let _too_few = held.refresh().await;
        sleep(&sim, Duration::from_millis(350)).await;

        let rival_holds = asking.is_finished() && asking.await.unwrap().unwrap().is_held();
        assert!(!(rival_holds && held.is_held()), "two hold one slot");
    });
}

/// What a server that starts again with older data has on record may be a vote that it has given to another since.
#[test]
fn a_server_that_went_back_confirms_no_vote_of_before() {
    /// One holds on the second server and the third. The rival has the vote of the first, is told so late, and gives it back.
    /// Then the first and the second vote for the next, which from then on hears nothing of the first.
    #[derive(Debug)]
    struct Trap {
        before: u32,
        rival: u32,
        next: u32,
        granted_by: Duration,
    }

    impl Faults for Trap {
        fn judge(&mut self, message: &Message) -> Verdict {
            let is_early = message.at < self.granted_by;
            match (message.client, message.site) {
                (client, 0) if client == self.before => Verdict::Drop,
                (client, 1) if client == self.rival => Verdict::Drop,
                (client, 0) if client == self.rival && is_early && message.direction == Direction::Reply => {
                    Verdict::Delay(Duration::from_millis(60))
                }
                (client, 2) if client == self.next => Verdict::Drop,
                (client, 0) if client == self.next && !is_early => Verdict::Drop,
                _ => Verdict::Deliver,
            }
        }
    }

    run_with_deployments(12, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        let processes = [sim.process(), sim.process(), sim.process()];
        let granted_by = sim.now() + Duration::from_secs(1);
        sim.set_faults(Trap {
            before: processes[0].number(),
            rival: processes[1].number(),
            next: processes[2].number(),
            granted_by,
        });
        let [before, rival, next] = processes.map(|process| client_of(&process, sim.quorum_of(&process).unwrap()));
        let before = semaphore(&before, 1).acquire_owned().await.unwrap();
        let often = Duration::from_millis(20);
        let rival = rival.semaphore("jobs", 1).ttl(TTL).strategy(Strategy::Poll);
        let rival = rival.retry_interval(often).retry_interval_max(often).build().unwrap();
        let asking = tokio::spawn(async move { rival.acquire_owned().await.unwrap() });
        while holders_on(&sim, 0).await == 0 {
            sleep(&sim, Duration::from_millis(1)).await;
        }
        let server = sim.deployment(0).master();
        server.save();
        before.release().await.unwrap();
        let held = semaphore(&next, 1).acquire_owned().await.unwrap();
        assert!(sim.now() < granted_by && !asking.is_finished());
        sleep(&sim, granted_by - sim.now()).await;

        server.crash();
        server.restart(Persistence::Saved);
        sleep(&sim, TTL / 3).await;

        assert!(
            !(asking.is_finished() && held.is_held()),
            "two hold one slot: the first server has confirmed what it had forgotten to be over"
        );
        assert_eq!(held.lost().await, LossReason::Expired);
        assert!(asking.await.unwrap().token() > held.token());
    });
}

/// What gives back the votes of an attempt that failed must not end the wait that goes on.
#[test]
fn a_wait_goes_on_when_servers_that_hung_answer_again() {
    for hang in [300, 700, 2_000, 5_000].map(Duration::from_millis) {
        run_with_deployments(10, 3, 0, |sim| async move {
            past_the_first_grace(&sim).await;
            let client = client(&sim);
            (0..2).for_each(|site| sim.deployment(site).master().freeze());
            let waiting = tokio::spawn(async move { semaphore(&client, 1).acquire_owned().await });
            sleep(&sim, hang).await;
            assert!(!waiting.is_finished());

            (0..2).for_each(|site| sim.deployment(site).master().thaw());

            let permit = waiting.await.unwrap().unwrap();
            assert!(permit.is_held());
        });
    }
}

/// Two servers that are near must not decide without the third one where they differ.
#[test]
fn a_server_that_is_far_away_counts_where_the_near_ones_differ() {
    #[derive(Debug)]
    struct Far;

    impl Faults for Far {
        fn judge(&mut self, message: &Message) -> Verdict {
            match message.site {
                2 => Verdict::Delay(Duration::from_millis(25)),
                _ => Verdict::Deliver,
            }
        }
    }

    run_with_deployments(11, 3, 0, |sim| async move {
        past_the_first_grace(&sim).await;
        sim.set_faults(Far);
        let (one, other) = (client(&sim), client(&sim));
        let permit = semaphore(&one, 1).acquire_owned().await.unwrap();
        // So that its ballot has arrived everywhere, and it is known how far away the third server is.
        sleep(&sim, TTL / 2).await;
        crash(&sim, 0);
        sim.deployment(0).master().restart(Persistence::Lost);

        sleep(&sim, TTL * 2).await;
        assert!(permit.is_held());
        assert!(semaphore(&other, 1).try_acquire().await.unwrap().is_none());
        crash(&sim, 0);
        sim.deployment(0).master().restart(Persistence::Lost);

        assert_eq!(permit.release().await.unwrap(), semafence::Standing::Held);
        let semaphore = semaphore(&other, 1);
        let next = semaphore.try_acquire().await.unwrap();
        assert!(next.is_some(), "of the two that vote one is far away");
    });
}
