//! What is on the server, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use semafence::script::Reply;
use semafence::{LockBackend, Name, Queueing, Standing};
use semafence_sim::run;

use crate::support::{Bench, TTL, id, sleep};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn every_key_ends_by_itself_whatever_was_done() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        bench.grant(&bench.weighing(1, 2)).await;
        bench.assert_every_key_ends();
        bench.grant(&bench.claim(2)).await;
        bench.queue(&bench.claim(3)).await;
        bench.attempt(&bench.claim(4), Queueing::WakeUp).await;
        bench.assert_every_key_ends();
        bench.release(&bench.claim(1)).await;
        bench.release(&bench.claim(99)).await;
        bench.assert_every_key_ends();
        for holder in [2, 3, 4] {
            bench.release(&bench.claim(holder)).await;
        }
        bench.assert_every_key_ends();

        sleep(HOUR * 6).await;

        assert_eq!(bench.server.keys(), ["semafence:generation"]);
    });
}

#[test]
fn a_key_that_is_made_anew_after_it_was_lost_ends_as_well() {
    for queueing in [Queueing::HandOff, Queueing::WakeUp] {
        for part in ["leases", "free", "queue", "wake", "inboxes"] {
            run(1, |sim| async move {
                let bench = Bench::new(&sim, 1);
                for holder in 1..4 {
                    bench.attempt(&bench.claim(holder), queueing).await;
                }
                bench.server.delete(&bench.key(part));

                bench.attempt(&bench.claim(4), queueing).await;

                bench.assert_every_key_ends();
                assert!(part == "free" || part == "leases" || !bench.server.keys().is_empty());
            });
        }
    }
}

#[test]
fn tombstones_do_not_pile_up_on_a_free_name() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        for holder in 0..500 {
            bench.release(&bench.claim(holder)).await;
            sleep(TTL / 10).await;
        }

        let Ok(Reply::Int(fields)) = bench.server.run(&["HLEN", &bench.key("state")]) else {
            panic!("the state is a hash");
        };
        assert!(fields < 40, "{fields}");
    });
}

#[test]
fn a_short_lived_name_does_not_end_the_list_of_names_under_a_long_lived_one() {
    run(1, |sim| async move {
        let mut long = Bench::named(&sim, 1, "long");
        long.ttl = HOUR * 24;
        let short = Bench::named(&sim, 1, "short");
        long.grant(&long.claim(1)).await;
        short.grant(&short.claim(2)).await;

        sleep(HOUR * 20).await;

        assert_eq!(
            long.backend.list("test").await.unwrap(),
            [Name::new("test", "long").unwrap()]
        );
        assert_eq!(long.refresh(&long.claim(1)).await, Standing::Held);
    });
}

#[test]
fn an_override_of_the_limit_lasts_until_it_is_cleared() {
    run(1, |sim| async move {
        sim.set_time_limit(HOUR * 24 * 90);
        let bench = Bench::new(&sim, 1);
        assert_eq!(bench.backend.resize(&bench.name, Some(2)).await.unwrap(), None);
        sleep(HOUR * 24 * 30).await;
        assert_eq!(bench.grant(&bench.claim(1)).await.limit, 2);
        sleep(HOUR * 24 * 30).await;

        assert_eq!(bench.status().await.limit_override, Some(2));
        assert_eq!(bench.backend.resize(&bench.name, None).await.unwrap(), Some(2));
        sleep(HOUR * 6).await;
        assert_eq!(bench.server.keys(), ["semafence:generation"]);
    });
}

#[test]
fn clearing_an_override_ends_no_lease() {
    run(1, |sim| async move {
        let mut bench = Bench::new(&sim, 1);
        bench.ttl = HOUR * 24;
        bench.backend.resize(&bench.name, Some(2)).await.unwrap();
        bench.grant(&bench.claim(1)).await;

        bench.backend.resize(&bench.name, None).await.unwrap();
        sleep(HOUR * 23).await;

        assert_eq!(bench.holders().await, [id(1)]);
        assert!(bench.is_busy(&bench.claim(2)).await);
    });
}

#[test]
fn free_text_comes_back_byte_by_byte() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        for (number, meta) in ["", " two  words ", "zero\0byte", "line\nline", "%s %d", "ü\u{1F510}"]
            .into_iter()
            .enumerate()
        {
            let mut claim = bench.claim(number as u128);
            claim.meta = Arc::from(meta);
            let mut waiter = bench.claim(1_000 + number as u128);
            waiter.meta = Arc::from(meta);
            bench.grant(&claim).await;
            bench.queue(&waiter).await;

            let status = bench.status().await;

            assert_eq!((&*status.holders[0].meta, &*status.waiters[0].meta), (meta, meta));
            bench.release(&waiter).await;
            bench.release(&claim).await;
        }
    });
}

#[test]
fn hostile_names_neither_meet_nor_leave_their_hash_tag() {
    let names = [
        "a",
        "A",
        "a:state",
        "}",
        "{a}",
        "a}:state{",
        "%7D",
        "a\0",
        "a\n",
        "a b",
        "*",
        "ü",
        &"x".repeat(200),
    ];
    run(1, |sim| async move {
        for (number, name) in names.iter().enumerate() {
            let bench = Bench::named(&sim, 1, name);
            bench.grant(&bench.claim(number as u128)).await;
        }
        let bench = Bench::new(&sim, 1);

        let mut listed = bench.backend.list("test").await.unwrap();
        listed.sort();

        let mut expected: Vec<Name> = names.iter().map(|name| Name::new("test", name).unwrap()).collect();
        expected.sort();
        assert_eq!(listed, expected);
        for key in sim.server().keys().iter().filter(|key| !key.starts_with("semafence:")) {
            assert_eq!((key.find('{'), key.matches(['{', '}']).count()), (Some(0), 2), "{key}");
        }
    });
}

#[test]
fn holders_beyond_those_that_are_listed_are_counted() {
    run(1, |sim| async move {
        let mut bench = Bench::new(&sim, 1_500);
        bench.ttl = HOUR;
        for holder in 0..1_500 {
            bench.grant(&bench.claim(holder)).await;
        }
        for waiter in 2_000..2_800 {
            bench.queue(&bench.claim(waiter)).await;
            bench.attempt(&bench.claim(waiter + 1_000), Queueing::WakeUp).await;
        }

        let status = bench.status().await;

        assert_eq!((status.holders.len(), status.holders_total), (1_000, 1_500));
        assert_eq!((status.waiters.len(), status.waiters_total), (1_000, 1_600));
        assert_eq!(status.used(), 1_500);
    });
}

#[test]
fn slots_beyond_those_that_are_listed_are_counted_and_those_of_ended_leases_are_not() {
    run(1, |sim| async move {
        let mut bench = Bench::new(&sim, 6_000);
        bench.ttl = HOUR;
        for holder in 0..1_200 {
            bench.grant(&bench.weighing(holder, 2)).await;
        }
        bench.ttl = TTL;
        for holder in 2_000..3_200 {
            bench.grant(&bench.weighing(holder, 2)).await;
        }
        sleep(TTL * 2).await;

        let status = bench.status().await;

        assert_eq!((status.holders_total, status.used()), (1_200, 2_400));
    });
}
