//! What a user reads when something is wrong: the text of every error that one server can cause.

use std::error::Error as _;
use std::time::Duration;

use semafence::{Client, Error};
use semafence_redis::Redis;
use xtask::{Server, servers};

async fn acquire(url: &str) -> Error {
    let client = Client::new(Redis::from_url(url).unwrap()).unwrap();
    let mutex = client
        .mutex("jobs")
        .acquire_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let error = mutex.lock().await.map(|_permit| ()).unwrap_err();
    println!("{error}");
    error
}

fn login(server: &Server, user: &str) -> String {
    server.url().replace("redis://", &format!("redis://{user}:hunter2@"))
}

/// SCENARIOS 43, 45.
#[tokio::test]
async fn every_refusal_of_a_server_names_the_semaphore_and_the_reason() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    server.command(&["ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "&*", "+@read"]);
    server.command(&[
        "ACL",
        "SETUSER",
        "elsewhere",
        "on",
        ">hunter2",
        "~other:*",
        "&*",
        "+@all",
    ]);

    let wrong_password = acquire(&login(&server, "nobody")).await;
    let no_right = acquire(&login(&server, "reader")).await;
    let no_key = acquire(&login(&server, "elsewhere")).await;
    server.command(&["SET", "{semafence:jobs}:state", "text"]);
    let wrong_type = acquire(&server.url()).await;
    server.command(&["DEL", "{semafence:jobs}:state"]);
    server.command(&["CONFIG", "SET", "requirepass", "hunter2"]);
    let no_password = acquire(&server.url()).await;

    let starts = "acquire of jobs failed (not applied): ";
    for (error, reason, transient) in [
        (&wrong_password, "WRONGPASS", false),
        (&no_right, "NOPERM", false),
        (&no_key, "NOPERM", false),
        (&wrong_type, "WRONGTYPE", false),
        (&no_password, "NOAUTH", false),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(starts) && text.contains(reason), "{text}");
        assert_eq!(error.is_transient(), transient, "{text}");
        assert!(error.source().is_some());
        assert!(!format!("{error:?} {text}").contains("hunter2"), "{error:?}");
    }
}

/// SCENARIOS 45.
#[tokio::test]
async fn what_may_pass_is_waited_for_and_named_when_the_wait_ends() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    // An existing name: a fresh one is still granted on a full server.
    drop(
        Client::new(Redis::from_url(&server.url()).unwrap())
            .unwrap()
            .mutex("jobs")
            .build()
            .unwrap()
            .lock()
            .await,
    );
    let mut errors = Vec::new();
    for (setting, bad, good, reason) in [
        ("maxmemory", "1", "0", "OOM"),
        ("min-replicas-to-write", "1", "0", "NOREPLICAS"),
    ] {
        server.command(&["CONFIG", "SET", setting, bad]);
        errors.push((acquire(&server.url()).await, reason));
        server.command(&["CONFIG", "SET", setting, good]);
    }
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    errors.push((acquire(&server.url()).await, "READONLY"));

    for (error, reason) in errors {
        let text = error.to_string();
        assert!(
            text.starts_with("acquire of jobs failed") && text.contains(reason),
            "{text}"
        );
        assert!(error.is_transient(), "{text}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let lazily = acquire("redis://127.0.0.1:1/").await.to_string();
    let eagerly = semafence_redis::connect("redis://:hunter2@127.0.0.1:1/")
        .await
        .unwrap_err();

    println!("{eagerly}");
    assert!(lazily.contains("cannot connect to 127.0.0.1:1"), "{lazily}");
    assert!(
        eagerly.to_string().contains("cannot connect to 127.0.0.1:1"),
        "{eagerly}"
    );
    assert!(!format!("{eagerly:?}").contains("hunter2"));
}

/// SCENARIOS 5, 44.
#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    // Nothing listens here, so anything that is sent fails otherwise.
    let client = Client::new(Redis::from_url("redis://127.0.0.1:1/").unwrap()).unwrap();
    let semaphore = client.semaphore("jobs", 3).build().unwrap();

    let messages = [
        client.semaphore("jobs", 0).build().unwrap_err().to_string(),
        client.semaphore("", 1).build().unwrap_err().to_string(),
        client
            .semaphore("jobs", 1)
            .namespace("")
            .build()
            .unwrap_err()
            .to_string(),
        semaphore.try_acquire_many(0).await.unwrap_err().to_string(),
        semaphore.acquire_many(4).await.unwrap_err().to_string(),
        client.resize("jobs", Some(0)).await.unwrap_err().to_string(),
        client.status(&"x".repeat(201)).await.unwrap_err().to_string(),
        client
            .mutex_from(semafence::Config::new("jobs", 2))
            .unwrap_err()
            .to_string(),
    ];

    assert_eq!(
        messages,
        [
            "limit is 0, not within 1 to 65536",
            "name is empty",
            "namespace is empty",
            "permits is 0, not within 1 to the limit of 3",
            "permits is 4, not within 1 to the limit of 3",
            "limit is 0, not within 1 to 65536",
            "name has 201 bytes, more than 200",
            "limit is 2, but a mutex has one permit",
        ]
    );
}
