//! How the waiters of one process share a line: whoever is in it, and whatever becomes of the others.

use std::time::Duration;

use semafence::Strategy;
use semafence_sim::{Direction, Link, Sim};

const TTL: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn on_seeds<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    let seeds = std::env::var("SEMAFENCE_SEEDS").map_or(20, |text| text.parse().expect("a number of seeds"));
    for seed in 1..=seeds {
        semafence_sim::run(seed, &scenario);
    }
}

/// SCENARIOS 14. A caller may keep the future of an acquire and do something else meanwhile: it stands first in the line
/// of its process, and the others must not depend on it.
#[test]
fn a_wait_that_nobody_polls_does_not_stop_those_behind_it() {
    for strategy in [Strategy::Queue, Strategy::Notify] {
        on_seeds(|sim| async move {
            let (holder, waiter) = (sim.client(), sim.client());
            let permit = holder
                .mutex("name")
                .ttl(TTL)
                .build()
                .unwrap()
                .lock_owned()
                .await
                .unwrap();
            let mutex = waiter.mutex("name").ttl(TTL).strategy(strategy).build().unwrap();
            let mut unpolled = Vec::new();
            for _ in 0..3 {
                let mut wait = Box::pin(mutex.lock());
                let queued = tokio::time::timeout(MILLISECOND * 50, &mut wait).await;
                assert!(queued.is_err());
                unpolled.push(wait);
            }
            let behind = mutex.clone();
            let behind = tokio::spawn(async move { behind.lock_owned().await.unwrap() });
            tokio::time::sleep(TTL * 10).await;
            let start = sim.now();

            permit.release().await.unwrap();
            let served = tokio::time::timeout(TTL * 2, behind).await;

            assert!(served.is_ok(), "{strategy:?}: still waiting");
            // Three hand-overs to waits that nobody polls, of a claim window each, or a fallback for each of them.
            assert!(sim.now() - start < SECOND * 25, "{strategy:?}: {:?}", sim.now() - start);
            drop(unpolled);
        });
    }
}

/// SCENARIOS 14. The subscription is renewed while the answer of an earlier look is under way: that answer knows nothing
/// of the wake-up that was lost in between.
#[test]
fn an_answer_from_before_messages_were_missed_does_not_put_the_look_off() {
    on_seeds(|sim| async move {
        let (holder, waiter) = (sim.client(), sim.client());
        let notified = |name: &str| {
            let builder = waiter.mutex(name).ttl(TTL).wakeup_fallback(SECOND * 60);
            builder.strategy(Strategy::Notify).build().unwrap()
        };
        let other = holder.mutex("other").build().unwrap().lock_owned().await.unwrap();
        let listening = notified("other");
        assert!(listening.lock_timeout(MILLISECOND * 100).await.is_err());
        let permit = holder
            .mutex("name")
            .ttl(TTL)
            .build()
            .unwrap()
            .lock_owned()
            .await
            .unwrap();
        waiter.backend().process().hold(Link::Commands, Direction::Reply);
        let mutex = notified("name");
        let waiting = tokio::spawn(async move { mutex.lock_owned().await.unwrap() });
        tokio::time::sleep(MILLISECOND * 20).await;

        waiter.backend().process().cut(Link::Push, Direction::Reply);
        permit.release().await.unwrap();
        tokio::time::sleep(MILLISECOND * 20).await;
        waiter.backend().process().repair();
        tokio::time::sleep(MILLISECOND * 500).await;
        waiter.backend().process().deliver();
        let start = sim.now();
        let _permit = waiting.await.unwrap();

        assert!(sim.now() - start < SECOND, "{:?}", sim.now() - start);
        drop(other);
    });
}

/// SCENARIOS 9. Two handles of one name may be configured differently: whoever looks for both must do it as often as the
/// more impatient one said it would, or the server takes the process for dead.
#[test]
fn a_patient_waiter_looks_often_enough_for_an_impatient_one_behind_it() {
    on_seeds(|sim| async move {
        let (holder, waiter) = (sim.client(), sim.client());
        let permit = holder
            .mutex("name")
            .ttl(TTL)
            .build()
            .unwrap()
            .lock_owned()
            .await
            .unwrap();
        let patient = waiter.mutex("name").ttl(TTL).wakeup_fallback(SECOND * 600);
        let patient = patient.strategy(Strategy::Notify).build().unwrap();
        let impatient = waiter.mutex("name").ttl(TTL).build().unwrap();
        let first = tokio::spawn(async move { patient.lock_owned().await.unwrap().release().await.unwrap() });
        tokio::time::sleep(MILLISECOND * 50).await;
        let second = tokio::spawn(async move { impatient.lock_owned().await.unwrap().release().await.unwrap() });
        tokio::time::sleep(TTL - SECOND * 2).await;
        let start = sim.now();

        permit.release().await.unwrap();
        first.await.unwrap();
        second.await.unwrap();

        assert!(sim.now() - start < MILLISECOND * 50, "{:?}", sim.now() - start);
    });
}

/// SCENARIOS 3, 60. More leases end at one moment than one verb sweeps: the answer says when to look again, and that is
/// now.
#[test]
fn many_leases_that_end_at_once_are_taken_over_at_once() {
    on_seeds(|sim| async move {
        let (dying, waiter) = (sim.client(), sim.client());
        let ttl = SECOND * 3;
        let semaphore = dying.semaphore("name", 20).ttl(ttl).build().unwrap();
        let mut permits = Vec::new();
        for _ in 0..20 {
            permits.push(semaphore.acquire().await.unwrap());
        }
        // One refresh has made them end at one moment.
        tokio::time::sleep(ttl * 5 / 2).await;
        dying.backend().process().partition();
        let start = sim.now();
        let all = waiter
            .semaphore("name", 20)
            .ttl(ttl)
            .strategy(Strategy::Notify)
            .build()
            .unwrap();

        let _all = all.acquire_many(20).await.unwrap();

        let waited = sim.now() - start;
        assert!(waited < ttl + MILLISECOND * 100, "{waited:?}");
    });
}
