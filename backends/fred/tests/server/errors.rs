//! SCENARIOS 45: every way in which one server can refuse, with text, kind and outcome.

use std::time::{Duration, Instant};

use semafence_fred::{Attempt, Failure, Fred, LockBackend, Options, Outcome, Standing};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use xtask::{Flavor, Server};

use crate::support::{acquire, assert_error, claim, connections_made, fred, grant, on_every_server, options, until};

on_every_server! {
    async fn a_key_of_another_type_is_permanent_and_fails_only_its_own_name(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let (good, bad) = (claim("good"), claim("bad"));
        grant(&fred, &good).await;
        server.command(&["SET", &bad.name.keys()[0], "text"]);

        let error = acquire(&fred, &bad).await.unwrap_err();
        let refreshed = fred.refresh(&[bad.clone(), good.clone(), bad.clone()]).await;

        assert_error(&error, Failure::Permanent, Outcome::NotApplied, "WRONGTYPE");
        assert_eq!(*refreshed[1].as_ref().unwrap(), Standing::Held);
        for place in [0, 2] {
            let error = refreshed[place].as_ref().unwrap_err();
            assert_error(error, Failure::Permanent, Outcome::NotApplied, "WRONGTYPE");
        }
    }
}

on_every_server! {
    async fn a_missing_or_wrong_password_is_refused(flavor) {
        let server = Server::builder(flavor).args(["--requirepass", "hunter2"]).start_or_skip()?;

        let silent = fred(&server);
        let wrong = Fred::new(options(&server).password("swordfish")).unwrap();

        let missing = acquire(&silent, &claim("a")).await.unwrap_err();
        let refused = acquire(&wrong, &claim("a")).await.unwrap_err();

        assert_error(&missing, Failure::Refused, Outcome::NotApplied, "NOAUTH");
        assert_error(&refused, Failure::Refused, Outcome::NotApplied, "cannot connect to 127.0.0.1:");
        assert!(!refused.to_string().contains("swordfish"));
    }
}

on_every_server! {
    async fn missing_rights_to_keys_commands_and_channels_are_refused(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        server.command(&["ACL", "SETUSER", "keys", "on", ">pw", "~other:*", "&*", "+@all"]);
        server.command(&["ACL", "SETUSER", "verb", "on", ">pw", "~*", "&*", "+@all", "-evalsha"]);
        server.command(&["ACL", "SETUSER", "inner", "on", ">pw", "~*", "&*", "+@all", "-hset"]);
        server.command(&["ACL", "SETUSER", "channel", "on", ">pw", "~*", "resetchannels", "+@all"]);
        let login = |user| Fred::new(options(&server).username(user).password("pw")).unwrap();

        for user in ["keys", "verb", "inner"] {
            let error = acquire(&login(user), &claim("a")).await.unwrap_err();
            assert_error(&error, Failure::Refused, Outcome::NotApplied, "NOPERM");
        }
        let error = login("channel").notify(claim("a").inbox).await.err().unwrap();
        assert_error(&error, Failure::Refused, Outcome::NotApplied, "NOPERM");
    }
}

on_every_server! {
    async fn a_full_memory_is_transient_and_costs_nobody_a_lease(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let (held, mut freed) = (claim("a"), claim("a"));
        freed.limit = 2;
        grant(&fred, &held).await;
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);

        let error = acquire(&fred, &freed).await.unwrap_err();
        let refreshed = fred.refresh(std::slice::from_ref(&held)).await.remove(0);
        let again = acquire(&fred, &held).await.unwrap();
        let released = fred.release(&held).await.unwrap();

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "OOM");
        assert_eq!(refreshed.unwrap(), Standing::Held);
        assert!(matches!(again, Attempt::Granted(_)));
        assert_eq!(released, Standing::Held);
    }
}

on_every_server! {
    async fn a_replica_is_transient_and_its_connection_is_left(flavor) {
        let master = Server::builder(flavor).start_or_skip()?;
        let replica = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&replica);
        fred.check().await.unwrap();
        replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        let before = connections_made(&replica);

        let error = acquire(&fred, &claim("a")).await.unwrap_err();
        replica.command(&["REPLICAOF", "NO", "ONE"]);
        grant(&fred, &claim("a")).await;

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "READONLY");
        assert_eq!(connections_made(&replica), before + 1);
    }
}

on_every_server! {
    async fn a_replica_without_its_master_is_transient_and_its_connection_is_left(flavor) {
        let server = Server::builder(flavor).args(["--replica-serve-stale-data", "no"]).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        server.command(&["REPLICAOF", "127.0.0.1", "1"]);
        let before = connections_made(&server);

        let error = acquire(&fred, &claim("a")).await.unwrap_err();
        server.command(&["REPLICAOF", "NO", "ONE"]);
        // The connection that takes its place may have been begun before that.
        let mut opened = 1;
        if let Err(error) = acquire(&fred, &claim("a")).await {
            assert_error(&error, Failure::Transient, Outcome::NotApplied, "MASTERDOWN");
            grant(&fred, &claim("a")).await;
            opened = 2;
        }

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "MASTERDOWN");
        assert_eq!(connections_made(&server), before + opened);
    }
}

on_every_server! {
    async fn a_failed_background_save_is_transient(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        server.command(&["CONFIG", "SET", "save", "3600 1"]);
        std::fs::create_dir(server.dir().join("dump.rdb")).unwrap();
        server.command(&["BGSAVE"]);
        until(|| server.info("persistence")["rdb_last_bgsave_status"] == "err").await;

        let error = acquire(&fred, &claim("a")).await.unwrap_err();

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "MISCONF");
    }
}

on_every_server! {
    async fn too_few_replicas_are_transient(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        server.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);

        let error = acquire(&fred, &claim("a")).await.unwrap_err();

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "NOREPLICAS");
    }
}

on_every_server! {
    async fn a_server_busy_with_a_script_is_transient(flavor) {
        let server = Server::builder(flavor).args(["--lua-time-limit", "20"]).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        let mut other = server.connect(Duration::from_secs(10)).unwrap();
        let endless = std::thread::spawn(move || other.command(&["EVAL", "while true do end", "0"]));
        until(|| server.command(&["PING"]).text().starts_with("BUSY")).await;

        let error = acquire(&fred, &claim("a")).await.unwrap_err();
        server.command(&["SCRIPT", "KILL"]);
        endless.join().unwrap().unwrap();
        grant(&fred, &claim("a")).await;

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "BUSY");
    }
}

on_every_server! {
    async fn a_server_that_is_loading_is_transient(flavor) {
        let args = match flavor {
            Flavor::Redis62 => vec!["--rdbcompression", "no"],
            _ => vec!["--rdbcompression", "no", "--enable-debug-command", "yes"],
        };
        let server = Server::builder(flavor).args(args).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        let filled = server.command(&["EVAL", "for i = 1, 4000 do redis.call('SET', i, string.rep('x', 2000)) end", "0"]);
        assert!(!filled.is_error(), "{filled}");
        server.command(&["CONFIG", "SET", "key-load-delay", "1000"]);
        let mut other = server.connect(Duration::from_secs(30)).unwrap();
        let reload = std::thread::spawn(move || other.command(&["DEBUG", "RELOAD"]));
        until(|| server.command(&["GET", "1"]).text().starts_with("LOADING")).await;

        let error = acquire(&fred, &claim("a")).await.unwrap_err();
        server.command(&["CONFIG", "SET", "key-load-delay", "0"]);
        drop(reload);

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "LOADING");
    }
}

on_every_server! {
    async fn a_cluster_is_transient_while_down_and_permanent_for_keys_on_two_slots(flavor) {
        // The bus listens 10,000 ports higher, where something else may be.
        let builder = Server::builder(flavor).args(["--cluster-enabled", "yes"]);
        let started = (0..5).find_map(|_| builder.clone().start().ok());
        let server = started.or_else(|| builder.start_or_skip())?;
        let fred = fred(&server);

        let down = acquire(&fred, &claim("a")).await.unwrap_err();
        let slots: Vec<String> = (0..16_384).map(|slot: u32| slot.to_string()).collect();
        let all = ["CLUSTER".to_owned(), "ADDSLOTS".to_owned()].into_iter().chain(slots);
        server.command(&all.collect::<Vec<_>>());
        until(|| server.command(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok")).await;
        let split = acquire(&fred, &claim("a")).await.unwrap_err();

        // Since all keys are declared, the server notices the two slots before it looks for their nodes.
        println!("{:?}, {}: {down}", down.failure(), down.outcome());
        // fred hangs up on CLUSTERDOWN, and fails everything under way by it: nobody knows whose answer it was.
        assert_ne!(down.failure(), Failure::Refused);
        assert_error(&split, Failure::Permanent, Outcome::NotApplied, "CROSSSLOT");
    }
}

on_every_server! {
    async fn a_server_with_too_many_clients_is_transient(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        server.command(&["CONFIG", "SET", "maxclients", "1"]);

        let error = acquire(&fred(&server), &claim("a")).await.unwrap_err();

        assert_error(&error, Failure::Transient, Outcome::NotApplied, "cannot connect to 127.0.0.1:");
    }
}

on_every_server! {
    async fn a_database_that_does_not_exist_is_permanent_and_told_with_a_hint(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;

        let fred = Fred::new(options(&server).db(16)).unwrap();

        let error = acquire(&fred, &claim("a")).await.unwrap_err();

        assert_error(&error, Failure::Permanent, Outcome::NotApplied, "16 by default");
    }
}

on_every_server! {
    async fn a_server_killed_with_a_request_on_its_way_leaves_the_outcome_unknown(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        server.stop();
        let (backend, asked) = (fred.clone(), claim("a"));
        let request = tokio::spawn(async move { acquire(&backend, &asked).await });
        // The request is in the server's socket, which it does not read.
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.kill();

        let error = request.await.unwrap().unwrap_err();
        let gone = acquire(&fred, &claim("a")).await.unwrap_err();
        server.restart().unwrap();
        grant(&fred, &claim("a")).await;

        assert_error(&error, Failure::Transient, Outcome::Unknown, "failed before the answer");
        assert_error(&gone, Failure::Transient, Outcome::NotApplied, "onnection refused");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named_when_connecting() {
    let error = Fred::connect("redis://:secret@127.0.0.1:1/")
        .await
        .unwrap_err()
        .to_string();
    println!("{error}");

    assert_eq!(
        error,
        "connect failed (not applied): cannot connect to 127.0.0.1:1: Connection refused"
    );
}

#[tokio::test]
async fn a_host_without_an_address_is_transient() {
    let fred = Fred::new(Options::tcp("nowhere.invalid", 6379)).unwrap();

    let error = acquire(&fred, &claim("a")).await.unwrap_err();

    assert_error(&error, Failure::Transient, Outcome::NotApplied, "nowhere.invalid:6379");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_costs_the_connect_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options::tcp("127.0.0.1", silent.local_addr().unwrap().port());
    let fred = Fred::new(options.connect_timeout(Duration::from_millis(100))).unwrap();

    let started = Instant::now();
    let error = acquire(&fred, &claim("a")).await.unwrap_err();

    assert_error(&error, Failure::Transient, Outcome::NotApplied, "within 100ms");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_verb_answers_in_its_time_also_while_connecting() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fred = Fred::new(Options::tcp("127.0.0.1", silent.local_addr().unwrap().port())).unwrap();
    let mut hasty = claim("a");
    hasty.ttl = Duration::from_millis(600);

    let started = Instant::now();
    let error = acquire(&fred, &hasty).await.unwrap_err();

    assert_error(&error, Failure::Transient, Outcome::NotApplied, "within 100ms");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_is_no_redis_is_permanent() {
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fred = Fred::new(Options::tcp("127.0.0.1", web.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = web.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });

    let error = acquire(&fred, &claim("a")).await.unwrap_err();

    assert_error(
        &error,
        Failure::Permanent,
        Outcome::NotApplied,
        "cannot connect to 127.0.0.1:",
    );
}

#[tokio::test]
async fn a_namespace_that_cannot_be_is_permanent() {
    let fred = Fred::new(Options::tcp("127.0.0.1", 1)).unwrap();

    let error = fred.list("").await.unwrap_err();

    assert_error(&error, Failure::Permanent, Outcome::NotApplied, "namespace is empty");
}
