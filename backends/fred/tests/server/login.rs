//! Who logs in, how, and that nobody else learns the password.

use std::time::Duration;

use semafence_fred::{Failure, Fred, LockBackend, Options, Outcome, Tls};
use xtask::{Builder, Flavor, Server};

use crate::support::{acquire, assert_error, claim, grant, on_every_server, options};

on_every_server! {
    async fn user_password_and_database_are_used(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        server.command(&["ACL", "SETUSER", "jobs", "on", ">p@ss/wörd", "~*", "&*", "+@all"]);
        server.command(&["ACL", "SETUSER", "default", "off"]);
        let port = server.port();
        let url = format!("redis://jobs:p%40ss%2Fw%C3%B6rd@127.0.0.1:{port}/3");
        let fields = Options::tcp("127.0.0.1", port).username("jobs").password("p@ss/wörd").db(3);
        let backends = [
            Fred::from_url(&url).unwrap(),
            Fred::new(fields).unwrap(),
        ];

        for fred in backends {
            let claim = claim("a");
            grant(&fred, &claim).await;
            fred.release(&claim).await.unwrap();

            let shown = format!("{fred:?}");
            assert!(shown.contains("jobs") && !shown.contains("p@ss"), "{shown}");
        }
        let mut admin = server.connect(Duration::from_secs(1)).unwrap();
        admin.command(&["AUTH", "jobs", "p@ss/wörd"]).unwrap();
        admin.command(&["SELECT", "3"]).unwrap();
        assert_ne!(admin.command(&["DBSIZE"]).unwrap().int(), Some(0));
        admin.command(&["SELECT", "0"]).unwrap();
        assert_eq!(admin.command(&["DBSIZE"]).unwrap().int(), Some(0));
    }
}

on_every_server! {
    async fn a_server_that_knows_no_auth_does_not_make_the_password_known(flavor) {
        let server = Server::builder(flavor).args(["--rename-command", "AUTH", ""]).start_or_skip()?;
        let fred = Fred::new(options(&server).password("hunter2")).unwrap();

        let error = acquire(&fred, &claim("a")).await.unwrap_err();

        // The server quotes the arguments of a command it does not know, and here they are the login.
        println!("{:?}, {}: {error}", error.failure(), error.outcome());
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn tls_trusts_the_authority_it_is_given() {
    let Some(server) = Builder::any().tls().start_or_skip() else {
        return;
    };
    let trusting = Options::from_url(&server.tls_url())
        .unwrap()
        .tls(Tls::new().ca_pem(server.ca_pem()));
    let fred = Fred::new(trusting).unwrap();

    let claim = claim("a");
    grant(&fred, &claim).await;
    let _listens = fred.notify(claim.inbox).await.unwrap();

    assert_eq!(fred.release(&claim).await.unwrap(), semafence_fred::Standing::Held);
}

#[tokio::test]
async fn tls_shows_a_certificate_to_a_server_that_asks_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let trusted = dir.path().join("clients.pem");
    std::fs::write(&trusted, certificate.pem()).unwrap();
    let asks = [
        "--tls-auth-clients",
        "yes",
        "--tls-ca-cert-file",
        trusted.to_str().unwrap(),
    ];
    let Some(server) = Builder::any().tls().args(asks).start_or_skip() else {
        return;
    };
    let tls = Tls::new().ca_pem(server.ca_pem());
    let options = |tls| Options::from_url(&server.tls_url()).unwrap().tls(tls);

    let anonymous = Fred::new(options(tls.clone())).unwrap();
    let known = Fred::new(options(tls.client_pem(certificate.pem(), key.serialize_pem()))).unwrap();

    let error = acquire(&anonymous, &claim("a")).await.unwrap_err();
    println!("{:?}, {}: {error}", error.failure(), error.outcome());
    assert_eq!(error.outcome(), Outcome::NotApplied);
    grant(&known, &claim("a")).await;
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_permanent() {
    let Some(server) = Builder::any().tls().start_or_skip() else {
        return;
    };
    let fred = Fred::from_url(&server.tls_url()).unwrap();

    let error = acquire(&fred, &claim("a")).await.unwrap_err();

    assert_error(&error, Failure::Permanent, Outcome::NotApplied, "UnknownIssuer");
}

#[tokio::test]
async fn tls_on_one_side_only_is_an_error_and_never_a_downgrade() {
    let Some(server) = Builder::any().tls().start_or_skip() else {
        return;
    };
    let soon = Duration::from_millis(300);
    let tls = Options::tcp("127.0.0.1", server.port())
        .tls(Tls::new())
        .connect_timeout(soon);
    let plain = Options::from_url(&server.tls_url().replace("rediss", "redis")).unwrap();

    for options in [tls, plain] {
        let error = acquire(&Fred::new(options).unwrap(), &claim("a")).await.unwrap_err();

        println!("{:?}, {}: {error}", error.failure(), error.outcome());
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }
}

#[tokio::test]
async fn a_unix_socket_is_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("fred.sock");
    let unix = ["--unixsocket".to_owned(), socket.display().to_string()];
    let Some(_server) = Builder::any().args(unix).start_or_skip() else {
        return;
    };

    let options = Options::unix(&socket);
    let url = format!("redis+unix://{}?db=2", socket.display());

    grant(&Fred::new(options).unwrap(), &claim("a")).await;
    grant(&Fred::from_url(&url).unwrap(), &claim("a")).await;
}

#[tokio::test]
async fn the_operator_sees_which_library_is_connected() {
    let Some(server) = Server::builder(Flavor::Redis82).start_or_skip() else {
        return;
    };
    let fred = Fred::new(options(&server)).unwrap();
    fred.check().await.unwrap();

    let clients = server.command(&["CLIENT", "LIST"]).text();

    assert!(clients.contains("lib-name=semafence-fred"), "{clients}");
}

on_every_server! {
    async fn the_rights_of_the_readme_and_ping_are_enough(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let rights = "on >pw resetkeys ~{test:* ~semafence:* resetchannels &semafence:inbox:* -@all +evalsha +eval \
                      +script|exists +script|load +subscribe +time +info +publish +del +exists +pexpireat +hdel +hget \
                      +hmget +hset +zadd +zcard +zcount +zpopmin +zrange +zrangebyscore +zrank +zrem \
                      +zrevrangebyscore +zscore +ping";
        let set = ["ACL", "SETUSER", "jobs"].into_iter().chain(rights.split_whitespace());
        let set = server.command(&set.collect::<Vec<_>>());
        assert!(!set.is_error(), "{set}");
        let fred = Fred::new(options(&server).username("jobs").password("pw")).unwrap();
        let claim = claim("a");

        let _wakeups = fred.notify(claim.inbox).await.unwrap();
        grant(&fred, &claim).await;
        fred.list("test").await.unwrap();
        fred.inspect(&claim.name).await.unwrap();
        fred.release(&claim).await.unwrap();
    }
}
