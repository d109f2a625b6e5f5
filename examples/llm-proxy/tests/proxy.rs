//! The proxy with a real Redis, a mock model and real sockets: under load, and while Redis is down.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use xtask::{Builder, servers};

use support::{Answer, Fixture, until};

/// Two clients and two models, each call plain or streaming; `batch` and `large` have an override of 2.
const CALLS: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_at_once_never_exceed_the_limit_of_a_pair_and_leave_nothing() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;

    let statuses = fixture.storm().await;

    assert_eq!(statuses, BTreeMap::from([(StatusCode::OK, CALLS)]));
    let most = |client: &str, model: &str| fixture.mock.inside()[&(client.to_owned(), model.to_owned())].most;
    assert_eq!(
        [most("batch", "large"), most("batch", "small")],
        [2, 5],
        "an override applies to its pair alone"
    );
    assert_eq!([most("chat", "large"), most("chat", "small")], [5, 5]);
    fixture.assert_nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_down_calls_are_503_and_afterwards_served_again_with_nothing_leaked() {
    // It keeps its data, so those who are queued keep their places.
    let kept = Builder::any().args(["--appendonly", "yes", "--appendfsync", "always"]);
    let Some(server) = kept.start_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;
    let before = fixture.spawn_storm();
    until("all calls are inside, through or queued", || {
        fixture.asked() == u64::from(CALLS)
    })
    .await;
    let served_before = fixture.served();

    server.kill();
    let during = fixture.storm().await;
    let rejected = fixture.call("chat", "large", false).await;
    let health = fixture.get("/health").await;
    let looks = [fixture.get("/ready").await, fixture.get("/semaphore/status").await];
    server.restart().unwrap();
    let before = before.join_all().await;
    let after = fixture.storm().await;

    assert_eq!(during, BTreeMap::from([(StatusCode::SERVICE_UNAVAILABLE, CALLS)]));
    assert_eq!(rejected.json()["error"]["code"], "backend_unavailable");
    assert_eq!(rejected.headers["retry-after"], "1");
    assert_eq!(health.status, 200, "the process itself is well");
    for look in looks {
        assert_eq!(
            (look.status, &look.json()["error"]["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("backend_unavailable"))
        );
    }
    println!("{served_before} of {CALLS} calls were through when Redis went");
    assert!(
        before.iter().all(|status| *status == StatusCode::OK),
        "who is inside or queued is served in the end: {before:?}"
    );
    assert_eq!(after, BTreeMap::from([(StatusCode::OK, CALLS)]));
    assert!(
        fixture.mock.inside().values().all(|inside| inside.most <= 5),
        "{:?}",
        fixture.mock.inside()
    );
    fixture.assert_nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_too_long_is_429_with_a_body() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_millis(200)).await;
    let taken = fixture.client.semaphore("chat/small", 5).build().unwrap();
    let _taken = taken.acquire_many(5).await.unwrap();

    let answer = fixture.call("chat", "small", false).await;

    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["error"]["code"], "queue_timeout");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_word_by_word_and_holds_its_place_until_the_end() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;
    let mut answer = fixture.open("chat", "small", true).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");

    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();

    assert!(first.starts_with(b"data: {"), "{first:?}");
    let status = fixture.get("/semaphore/status").await.json();
    assert_eq!(
        status,
        json!([{"key": "chat/small", "limit": 5, "holders": 1, "waiters": 0}])
    );
    let rest = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"));
    fixture.assert_nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_ends_the_call_upstream() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;
    let mut answer = fixture.open("chat", "small", true).await;
    answer.frame().await.unwrap().unwrap();

    drop(answer);

    until("the model is left", || {
        fixture.mock.inside().values().all(|inside| inside.now == 0)
    })
    .await;
    fixture.assert_nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_is_told_what_is_missing() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;

    let no_model = fixture.post("chat", json!({"prompt": "hello"})).await;
    let unreached = fixture.call("chat", "nowhere", false).await;

    assert_eq!(
        (no_model.status.as_u16(), &no_model.json()["error"]["code"]),
        (400, &json!("no_model"))
    );
    assert_eq!(
        (unreached.status.as_u16(), &unreached.json()["error"]["code"]),
        (502, &json!("upstream_unavailable"))
    );
    fixture.assert_nobody_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_who_is_inside_and_how_calls_were_answered() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let fixture = Fixture::start(&server, Duration::from_secs(30)).await;
    let ok = fixture.call("metrics", "small", false).await;
    assert_eq!(ok.json()["choices"][0]["message"]["content"], "At most five at once.");

    let metrics = fixture.get("/metrics").await;

    let text = String::from_utf8(metrics.body).unwrap();
    let labels = r#"{semaphore="metrics/small",namespace="llm_proxy"}"#;
    assert!(text.contains(&format!("semafence_permits_limit{labels} 5")), "{text}");
    assert!(text.contains(r#"llm_proxy_responses_total{status="200"}"#), "{text}");
}

impl Fixture {
    /// Sends all calls at once and counts the answers.
    async fn storm(&self) -> BTreeMap<StatusCode, u32> {
        let mut counts = BTreeMap::new();
        for status in self.spawn_storm().join_all().await {
            *counts.entry(status).or_default() += 1;
        }
        counts
    }

    fn spawn_storm(&self) -> JoinSet<StatusCode> {
        let mut calls = JoinSet::new();
        for number in 0..CALLS {
            let (client, model) = (
                ["batch", "chat"][number as usize % 2],
                ["large", "small"][number as usize / 2 % 2],
            );
            let streams = number / 4 % 2 == 0;
            let call = self.open(client, model, streams);
            calls.spawn(async { Answer::read(call.await).await.status });
        }
        calls
    }

    /// How many calls have a permit, had one or wait for one.
    fn asked(&self) -> u64 {
        let stats = self.client.stats();
        let waiters: u64 = stats.names.iter().map(|name| name.waiters).sum();
        stats.total.acquires.granted + waiters
    }

    fn served(&self) -> u32 {
        self.mock.inside().values().map(|inside| inside.total).sum()
    }

    /// By the proxy's own account, which is that of Redis.
    async fn assert_nobody_is_left(&self) {
        let mut rows = Value::Null;
        for _ in 0..400 {
            rows = self.get("/semaphore/status").await.json();
            let all = rows.as_array().expect("a list");
            if all.iter().all(|row| row["holders"] == 0 && row["waiters"] == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("somebody is left: {rows}");
    }
}
