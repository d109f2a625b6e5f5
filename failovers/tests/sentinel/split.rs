//! A master that is cut off with some of its clients.

use std::thread;
use std::time::{Duration, Instant};

use semafence::LossReason;
use xtask::{RedisFixture, Side};

use crate::support::{PATIENCE, client, deployment, mutex, with_every_driver};

/// Long enough for a client to have asked for the master in vain.
const CUT_OFF: Duration = Duration::from_secs(11);

with_every_driver! {
    /// SCENARIOS 32. Nobody tells it: what sentinels announced meanwhile did not get through, and its connection goes on.
    async fn a_client_that_was_cut_off_with_its_master_leaves_it_before_that_is_demoted(driver) {
        let deployment = deployment().partitionable().start_or_skip()?;
        let cut_off = || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.expect("a runtime starts")
        };
        let old = deployment.master();

        let (reason, told) = deployment.within(Side::CutOff, || cut_off().block_on(async {
            let client = client(driver, &deployment);
            let _kept = mutex(&client, "kept").lock_owned().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1500)).await;
            deployment.partition(&[old]);
            let began = Instant::now();
            let held = mutex(&client, "name").lock_owned().await.unwrap();
            tokio::task::block_in_place(|| {
                deployment.await_master_other_than(old, PATIENCE);
                thread::sleep(CUT_OFF.saturating_sub(began.elapsed()));
            });
            assert!(held.is_held());
            deployment.repair();
            let repaired = Instant::now();
            (held.lost().await, repaired.elapsed())
        }));

        println!("told {told:?} after the repair");
        assert_eq!(reason, LossReason::Forgotten);
        assert!(told < Duration::from_secs(4), "{told:?}");
    }
}
