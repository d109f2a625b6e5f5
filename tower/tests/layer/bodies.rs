//! A permit is held for as long as a body is, and the body is that of the inner service.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use semafence_tower::{Admitted, BoxError};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, inside, limit, request};

#[test]
fn a_permit_is_held_until_the_last_frame_is_taken() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).build().unwrap());
        let mut answer = app.send(request("a")).await;
        let mut writer = app.writers.recv().await.unwrap();

        for word in ["one", "two"] {
            writer.send_data(word.into()).await.unwrap();
            let frame = answer.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), word);
            assert_eq!(inside(&client, "a").await, (1, 0));
        }
        drop(writer);
        assert_eq!(inside(&client, "a").await, (1, 0));
        assert!(answer.frame().await.is_none());

        assert_eq!(inside(&client, "a").await, (0, 0), "although the body is still there");
    });
}

#[test]
fn a_whole_body_is_over_with_its_only_frame() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let hello = service_fn(async |_request| Ok::<_, BoxError>(Response::new(Full::new(Bytes::from("hello")))));
        let app = limit(&client, 1).build().unwrap().layer(hello);
        let mut answer = app.oneshot(request("a")).await.unwrap();
        assert_eq!(answer.body().size_hint().exact(), Some(5));
        assert_eq!(inside(&client, "a").await, (1, 0));

        let frame = answer.frame().await.unwrap().unwrap();

        assert_eq!(frame.into_data().unwrap(), "hello");
        assert!(answer.body().is_end_stream());
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn an_empty_body_holds_nothing() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let nothing = service_fn(async |_request| Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())));
        let app = limit(&client, 1).build().unwrap().layer(nothing);

        let answer = app.oneshot(request("a")).await.unwrap();

        assert!(answer.body().is_end_stream());
        assert_eq!(
            inside(&client, "a").await,
            (0, 0),
            "although nobody has read or dropped it"
        );
        drop(answer);
    });
}

#[test]
fn trailers_pass_and_end_the_body() {
    semafence_sim::run(4, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).build().unwrap());
        let answer = app.send(request("a")).await;
        let mut writer = app.writers.recv().await.unwrap();
        let trailers = HeaderMap::from_iter([("x-checksum".parse().unwrap(), HeaderValue::from_static("42"))]);
        writer.send_data("data".into()).await.unwrap();
        writer.send_trailers(trailers.clone()).await.unwrap();
        drop(writer);

        let read = answer.into_body().collect().await.unwrap();

        assert_eq!(read.trailers(), Some(&trailers));
        assert_eq!(read.to_bytes(), "data");
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn an_error_of_the_inner_body_passes_and_gives_the_permit_back() {
    semafence_sim::run(5, |sim| async move {
        let client = sim.client();
        let mut app = App::new(limit(&client, 1).build().unwrap());
        let mut answer = app.send(request("a")).await;
        let writer = app.writers.recv().await.unwrap();

        writer.abort("the disk is gone".into());
        let error = answer.frame().await.unwrap().unwrap_err();

        assert_eq!(error.to_string(), "the disk is gone");
        assert_eq!(inside(&client, "a").await, (0, 0));
    });
}

#[test]
fn the_handler_knows_its_token_and_slots() {
    semafence_sim::run(6, |sim| async move {
        let client = sim.client();
        let known = service_fn(async |request: http::Request<Empty<Bytes>>| {
            let admitted = request.extensions().get::<Admitted>().expect("it has a permit");
            let text = format!("{} {} {:?}", admitted.name, admitted.token, admitted.slots);
            Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(text))))
        });
        let app = limit(&client, 3).build().unwrap().layer(known);

        let answer = app.oneshot(request("a")).await.unwrap();

        let status = client.status("a").await.unwrap();
        let (token, slots) = (status.token.unwrap(), &status.holders[0].slots);
        let said = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(said, format!("{} {token} {slots:?}", status.name));
    });
}
