//! What requests are told that are not served.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use semafence::Error;
use semafence_tower::{ConcurrencyLimitLayer, Key, Rejection};

use crate::support::{App, Said, anonymous, inside, limit, request};

#[test]
fn a_wait_that_takes_too_long_is_429_and_leaves_no_place_behind() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).wait(Duration::from_secs(4)).build().unwrap());
        let _held = app.send(request("a")).await;
        let asked = sim.now();

        let said = Said::of(app.send(request("a")).await).await;

        let waited = sim.now() - asked;
        assert!((4..5).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!((said.status, said.retry_after.as_deref()), (429, Some("1")));
        let body = r#"{"error":{"code":"queue_timeout","message":"too many requests at once, none ended in time"}}"#;
        assert_eq!(said.body, body);
        assert_eq!(inside(&client, "a").await, (1, 0));
    });
}

#[test]
fn shedding_does_not_wait_and_answers_with_the_status_that_was_chosen() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).shed().busy_status(StatusCode::SERVICE_UNAVAILABLE);
        let app = App::new(layer.retry_after(Duration::from_millis(2500)).build().unwrap());
        let _held = app.send(request("a")).await;
        let asked = sim.now();

        let said = Said::of(app.send(request("a")).await).await;

        assert!(sim.now() - asked < Duration::from_millis(10), "a round trip");
        assert_eq!(
            (said.status, said.retry_after.as_deref()),
            (503, Some("3")),
            "rounded up"
        );
        assert!(said.body.contains(r#""code":"busy""#), "{}", said.body);
    });
}

#[test]
fn a_response_can_be_replaced_and_knows_what_happened() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).shed().rejection(|rejection, mut response| {
            assert_eq!(response.status(), 429);
            let Rejection::Busy { name } = rejection else {
                return response;
            };
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response.map(|_json| Bytes::from(format!("not now, {}", name.as_str())))
        });
        let app = App::new(layer.build().unwrap());
        let _held = app.send(request("a")).await;

        let answer: Response<_> = app.send(request("a")).await;

        assert_eq!(answer.status(), 418);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "not now, a");
    });
}

#[test]
fn a_client_that_was_closed_is_503_and_an_operator_can_end_a_wait() {
    semafence_sim::run(4, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());
        let held = app.send(request("a")).await;
        let waiting = app.spawn(request("a"));
        assert_eq!(inside(&client, "a").await, (1, 1));

        let waiter = client.status("a").await.unwrap().waiters[0].holder;
        client.force_release("a", waiter).await.unwrap();
        let removed = Said::of(waiting.await.unwrap()).await;
        drop(held);
        client.close().await;
        let closed = Said::of(app.send(request("a")).await).await;

        assert_eq!((removed.status, removed.retry_after), (503, None));
        assert!(removed.body.contains(r#""code":"removed""#), "{}", removed.body);
        assert_eq!((closed.status, closed.retry_after.as_deref()), (503, Some("1")));
        assert!(closed.body.contains(r#""code":"closed""#), "{}", closed.body);
    });
}

#[test]
fn a_limit_that_cannot_be_is_an_error_when_the_layer_is_built_and_500_of_a_key() {
    semafence_sim::run(5, |sim| async move {
        let client = sim.client();
        let field = |built: Result<ConcurrencyLimitLayer, Error>| match built {
            Err(Error::Config { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(limit(&client, 0).build()), "limit");
        assert_eq!(
            field(limit(&client, 1).configure(|all| all.ttl = Duration::ZERO).build()),
            "ttl"
        );
        let no_namespace = limit(&client, 1).configure(|all| all.namespace = Some(String::new()));
        assert_eq!(field(no_namespace.build()), "namespace");

        for key in [Key::new("a").limit(0), Key::new("a").permits(2)] {
            let layer = ConcurrencyLimitLayer::builder(&client, 1, move |_| Some(key.clone()));
            let said = Said::of(App::new(layer.build().unwrap()).send(anonymous()).await).await;
            assert_eq!((said.status, said.retry_after), (500, None));
            assert!(said.body.contains(r#""code":"misconfigured""#), "{}", said.body);
        }
    });
}

#[test]
fn what_is_configured_holds_for_every_key() {
    semafence_sim::run(6, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).configure(|all| {
            all.ttl = Duration::from_secs(120);
            all.meta.insert("host".to_owned(), "a-1".to_owned());
        });
        let app = App::new(layer.build().unwrap());

        let _held = app.send(request("a")).await;

        let holder = &client.status("a").await.unwrap().holders[0];
        assert_eq!(
            (holder.ttl, holder.meta.as_str()),
            (Duration::from_secs(120), "host=a-1")
        );
    });
}
