//! Whoever leaves, in whatever way, leaves nothing behind.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, Written, inside, limit, request};

#[test]
fn a_client_that_goes_away_midway_gives_its_permit_back() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).build().unwrap());
        let answer = app.send(request("a")).await;
        let mut writer = app.writers.recv().await.unwrap();
        writer.send_data("half of it".into()).await.unwrap();
        assert_eq!(inside(&client, "a").await, (1, 0));

        drop(answer);

        assert_eq!(inside(&client, "a").await, (0, 0));
        assert!(
            writer.send_data("the rest".into()).await.is_err(),
            "the inner body is gone too"
        );
    });
}

#[test]
fn a_client_that_goes_away_before_the_response_gives_its_permit_back() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).build().unwrap();
        let never = layer.layer(service_fn(async |_request| {
            pending::<Result<Response<Written>, Infallible>>().await
        }));
        let sending = tokio::spawn(never.oneshot(request("a")));
        assert_eq!(inside(&client, "a").await, (1, 0));

        sending.abort();

        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn a_request_that_is_dropped_while_it_waits_leaves_no_place_in_the_queue() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());
        let held = app.send(request("a")).await;
        let (first, second) = (app.spawn(request("a")), app.spawn(request("a")));
        assert_eq!(inside(&client, "a").await, (1, 2));

        first.abort();
        assert_eq!(inside(&client, "a").await, (1, 1));
        drop(held);

        assert_eq!(second.await.unwrap().status(), 200);
        assert_eq!(inside(&client, "a").await, (0, 0), "the answer was dropped");
    });
}

#[test]
fn a_handler_that_panics_gives_its_permit_back() {
    semafence_sim::run(4, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).build().unwrap();
        let panics =
            service_fn(async |_request| -> Result<Response<Full<Bytes>>, Infallible> { panic!("as it should") });

        let outcome = tokio::spawn(layer.layer(panics).oneshot(request("a"))).await;

        assert!(outcome.unwrap_err().is_panic());
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn a_service_that_panics_when_it_is_called_gives_the_permit_back() {
    semafence_sim::run(5, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).build().unwrap();
        let panics = service_fn(
            |_request| -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> { panic!("as it should") },
        );

        let outcome = tokio::spawn(layer.layer(panics).oneshot(request("a"))).await;

        assert!(outcome.unwrap_err().is_panic());
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn an_error_of_the_inner_service_passes_and_gives_the_permit_back() {
    semafence_sim::run(6, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).build().unwrap();
        let fails = service_fn(async |_request| Err::<Response<Written>, _>("no upstream"));

        let outcome = layer.layer(fails).oneshot(request("a")).await;

        assert_eq!(outcome.unwrap_err(), "no upstream");
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn those_who_wait_are_served_in_order_and_never_more_than_the_limit_are_inside() {
    semafence_sim::run(7, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 2).wait(Duration::from_secs(60)).build().unwrap());
        let mut sendings = Vec::new();
        for _ in 0..6 {
            sendings.push(app.spawn(request("a")));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }

        for (served, sending) in sendings.into_iter().enumerate() {
            let behind_us = 6 - served as u64;
            let expected = (behind_us.min(2), behind_us.saturating_sub(2));
            assert_eq!(inside(&client, "a").await, expected, "after {served}");
            drop(app.writers.recv().await.unwrap());
            drop(sending.await.unwrap());
        }
    });
}
