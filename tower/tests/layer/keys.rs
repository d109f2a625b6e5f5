//! What a request is limited by.

use semafence_tower::{ConcurrencyLimitLayer, Key};

use crate::support::{App, Said, anonymous, inside, limit, request};

#[test]
fn a_request_without_a_key_is_not_limited() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).shed().build().unwrap());

        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(app.send(anonymous()).await);
        }

        assert!(answers.iter().all(|answer| answer.status() == 200));
        assert_eq!(client.stats().total.acquires.total(), 0);
    });
}

#[test]
fn keys_do_not_wait_for_each_other() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).shed().build().unwrap());

        let a = app.send(request("a")).await;
        let b = app.send(request("b")).await;
        let a_again = app.send(request("a")).await;

        assert_eq!([a.status(), b.status(), a_again.status()], [200, 200, 429]);
    });
}

/// A predecessor looks overrides up by another name than it limits by, so that none ever applies.
#[test]
fn a_limit_of_a_key_applies_instead_of_the_layers_and_may_change() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let layer = ConcurrencyLimitLayer::builder(&client, 1, |head| {
            let limit = head.uri.query()?.parse().ok()?;
            Some(Key::join(["client-1", "gpt/5"]).limit(limit))
        });
        let app = App::new(layer.shed().build().unwrap());
        let with_limit = |limit: &str| {
            let mut request = anonymous();
            *request.uri_mut() = format!("/?{limit}").parse().unwrap();
            request
        };

        let inside_two = [app.send(with_limit("2")).await, app.send(with_limit("2")).await];
        let third = app.send(with_limit("2")).await;
        let third_of_three = app.send(with_limit("3")).await;
        let fourth_of_two = app.send(with_limit("2")).await;

        assert!(inside_two.iter().all(|answer| answer.status() == 200));
        assert_eq!(third.status(), 429);
        assert_eq!(third_of_three.status(), 200);
        assert_eq!(fourth_of_two.status(), 429);
        assert_eq!(inside(&client, "client-1/gpt%2F5").await, (3, 0));
    });
}

#[test]
fn a_request_may_take_several_permits() {
    semafence_sim::run(4, |sim| async move {
        let client = sim.client();
        let layer = ConcurrencyLimitLayer::builder(&client, 5, |_| Some(Key::new("heavy").permits(2)));
        let app = App::new(layer.shed().build().unwrap());

        let answers = [app.send(anonymous()).await, app.send(anonymous()).await];
        let third = app.send(anonymous()).await;

        assert!(answers.iter().all(|answer| answer.status() == 200));
        assert_eq!(third.status(), 429, "one of five is left");
        assert_eq!(client.status("heavy").await.unwrap().used(), 4);
    });
}

#[test]
fn any_text_is_a_key_and_one_that_is_empty_or_too_long_is_400() {
    semafence_sim::run(5, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).build().unwrap());

        for key in ["{a}:b", "%7B", "../..", &"x".repeat(200)] {
            let answer = app.send(request(key)).await;
            assert_eq!(answer.status(), 200, "{key}");
            assert_eq!(inside(&client, key).await, (1, 0));
        }
        for key in ["", &"x".repeat(201)] {
            let said = Said::of(app.send(request(key)).await).await;
            assert_eq!((said.status, said.retry_after), (400, None), "{key}");
            assert!(said.body.contains(r#""code":"bad_key""#), "{}", said.body);
        }
    });
}

#[test]
fn keys_of_strangers_do_not_pile_up() {
    semafence_sim::run(6, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).handles(10).build().unwrap());

        for number in 0..3000 {
            drop(app.send(request(&number.to_string())).await);
        }

        let known = client.stats().names.len();
        assert!(known <= 1000 + 10, "{known} names are kept");
    });
}

#[test]
fn a_handle_that_was_forgotten_is_made_anew_and_counts_the_same() {
    semafence_sim::run(7, |sim| async move {
        let client = sim.client();
        let app = App::new(limit(&client, 1).handles(2).shed().build().unwrap());
        let held = app.send(request("a")).await;
        for key in ["b", "c", "d"] {
            drop(app.send(request(key)).await);
        }

        let again = app.send(request("a")).await;

        assert_eq!([held.status(), again.status()], [200, 429]);
    });
}
