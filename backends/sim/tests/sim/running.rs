//! What `run` says of a scenario that cannot go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use semafence_sim::{TIME_LIMIT, run};

/// The words of a panic.
fn panicking(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).unwrap_err();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap()
}

#[test]
fn a_scenario_that_waits_for_itself_ends_with_the_last_lines_of_its_trace() {
    let said = panicking(|| {
        run(1, |sim| async move {
            sim.set_time_limit(Duration::from_secs(600));
            let mutex = sim.client().mutex("m").build().unwrap();
            let _held = mutex.lock().await.unwrap();
            let _never = mutex.lock().await;
        });
    });

    assert!(said.contains("has not ended after 600 s of world time"), "{said}");
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(lines.len(), 20, "{said}");
    assert!(lines[19].trim_start().starts_with("59"), "{said}");
}

#[test]
fn a_scenario_in_which_nothing_can_happen_any_more_ends_too() {
    let said = panicking(|| run(1, |_| std::future::pending()));

    let limit = format!("after {} s", TIME_LIMIT.as_secs());
    assert!(said.contains(&limit), "{said}");
}

#[test]
fn a_scenario_may_ask_for_more_time() {
    let took = run(1, |sim| async move {
        sim.set_time_limit(TIME_LIMIT * 3);
        tokio::time::sleep(TIME_LIMIT * 2).await;
        sim.now()
    });

    assert!(took >= TIME_LIMIT * 2, "{took:?}");
}

#[tokio::test]
async fn a_run_inside_a_runtime_says_what_to_write_instead() {
    let said = panicking(|| run(1, |_| async {}));

    assert!(said.contains("use #[test] instead of #[tokio::test]"), "{said}");
}

#[test]
fn a_failover_without_a_replica_says_how_to_get_one() {
    let said = panicking(|| {
        run(1, |sim| async move {
            sim.deployment(0).failover(Duration::ZERO).await;
        });
    });

    assert!(said.contains("run_with_replicas"), "{said}");
}
