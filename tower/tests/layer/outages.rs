//! The backend is down, or a lease is lost.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use semafence::{Error, LossReason};
use semafence_sim::{Persistence, Refused};
use semafence_tower::{OnLoss, OnOutage};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, Said, Written, inside, limit, request};

#[test]
fn while_the_backend_is_down_requests_are_503_at_once_and_then_served_again() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());
        sim.server().crash();
        let asked = sim.now();

        let said = Said::of(app.send(request("a")).await).await;

        assert!(
            sim.now() - asked < Duration::from_secs(3),
            "and not after the wait of 10 s"
        );
        assert_eq!((said.status, said.retry_after.as_deref()), (503, Some("1")));
        assert!(said.body.contains(r#""code":"backend_unavailable""#), "{}", said.body);
        sim.server().restart(Persistence::Lost);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(app.send(request("a")).await.status(), 200);
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn too_few_replicas_are_an_outage() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let wanting = || limit(&client, 1).configure(|config| config.acks = 1);
        let (strict, lenient) = (wanting(), wanting().on_outage(OnOutage::Admit));

        let refused = App::new(strict.build().unwrap()).send(request("a")).await;
        let let_in = App::new(lenient.build().unwrap()).send(request("b")).await;

        assert_eq!([refused.status(), let_in.status()], [503, 200]);
    });
}

#[test]
fn while_the_backend_is_down_requests_are_let_in_if_so_chosen() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).shed().on_outage(OnOutage::Admit);
        let app = App::new(layer.build().unwrap());
        let first = app.send(request("a")).await;
        let busy = app.send(request("a")).await;
        client.backend().process().partition();

        let let_in = app.send(request("a")).await;

        assert_eq!([first.status(), busy.status(), let_in.status()], [200, 429, 200]);
    });
}

#[test]
fn a_backend_that_refuses_for_good_is_503_without_a_time_to_come_back() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());
        sim.server().refuse(Refused::All, "NOPERM this user has no permissions");

        let said = Said::of(app.send(request("a")).await).await;

        assert_eq!((said.status, said.retry_after), (503, None));
        assert!(!said.body.contains("NOPERM"), "{}", said.body);
    });
}

#[test]
fn a_lost_lease_cuts_the_body_with_an_error() {
    semafence_sim::run(4, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).build().unwrap());
        let mut answer = app.send(request("a")).await;
        let mut writer = app.writers.recv().await.unwrap();
        writer.send_data("half of it".into()).await.unwrap();
        assert!(answer.frame().await.unwrap().is_ok());
        client.backend().process().partition();

        let error = answer.frame().await.unwrap().unwrap_err();

        let lost = error.downcast_ref::<Error>().expect("an error of the library");
        assert!(
            matches!(
                lost,
                Error::Lost {
                    reason: LossReason::Expired,
                    ..
                }
            ),
            "{lost:?}"
        );
        assert!(sim.now() < Duration::from_secs(30), "before another can have its place");
        assert!(answer.frame().await.is_none());
        assert!(answer.body().is_end_stream());
        assert!(
            writer.send_data("the rest".into()).await.is_err(),
            "the inner body is gone"
        );
    });
}

#[test]
fn a_permit_that_an_operator_takes_cuts_the_body_too() {
    semafence_sim::run(5, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());
        let mut answer = app.send(request("a")).await;
        let holder = client.status("a").await.unwrap().holders[0].holder;

        client.force_release("a", holder).await.unwrap();
        let error = answer.frame().await.unwrap().unwrap_err();

        let lost = error.downcast_ref::<Error>();
        assert!(
            matches!(
                lost,
                Some(Error::Lost {
                    reason: LossReason::Forced,
                    ..
                })
            ),
            "{lost:?}"
        );
    });
}

#[test]
fn a_body_goes_on_without_its_lease_if_so_chosen() {
    semafence_sim::run(6, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).on_loss(OnLoss::GoOn).build().unwrap());
        let mut answer = app.send(request("a")).await;
        let mut writer = app.writers.recv().await.unwrap();
        client.backend().process().partition();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(client.stats().total.losses.total(), 1);

        writer.send_data("after a minute".into()).await.unwrap();
        let frame = answer.frame().await.unwrap().unwrap();

        assert_eq!(frame.into_data().unwrap(), "after a minute");
    });
}

#[test]
fn a_lease_that_is_lost_before_the_response_is_503() {
    semafence_sim::run(7, |sim| async move {
        let client = sim.client();
        let layer = limit(&client, 1).build().unwrap();
        let never = layer.layer(service_fn(async |_request| {
            pending::<Result<Response<Written>, Infallible>>().await
        }));
        let sending = tokio::spawn(never.oneshot(request("a")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.backend().process().partition();

        let said = Said::of(sending.await.unwrap().unwrap()).await;

        assert_eq!((said.status, said.retry_after.as_deref()), (503, Some("1")));
        assert!(said.body.contains(r#""code":"lease_lost""#), "{}", said.body);
    });
}

#[test]
fn a_wait_outlives_an_outage_of_the_backend() {
    semafence_sim::run(8, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).wait(Duration::from_secs(60)).build().unwrap());
        let held = app.send(request("a")).await;
        let waiting = app.spawn(request("a"));
        assert_eq!(inside(&client, "a").await, (1, 1));

        sim.server().crash();
        tokio::time::sleep(Duration::from_secs(5)).await;
        sim.server().restart(Persistence::Kept);
        drop(held);

        assert_eq!(waiting.await.unwrap().status(), 200);
    });
}
