//! Real servers: started, looked at, broken, restarted.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use xtask::servers::{self, Installed, any_server_or_skip, server_or_skip};
use xtask::{Builder, Flavor, Reply, Server, StartError};

/// Runs the body on each flavor that this machine has.
fn on_every_flavor(body: impl Fn(Flavor, &Server)) {
    for flavor in Flavor::ALL {
        if let Some(server) = server_or_skip(flavor) {
            body(flavor, &server);
        }
    }
}

#[test]
fn every_flavor_answers_and_is_what_it_is_called() {
    on_every_flavor(|flavor, server| {
        let info = server.info("server");

        let field = if flavor == Flavor::Valkey91 {
            "valkey_version"
        } else {
            "redis_version"
        };
        assert!(info[field].starts_with(flavor.series()), "{flavor}: {info:?}");
        assert_eq!(info["process_id"], server.pid().to_string());
        assert_eq!(server.command(&["PING"]), Reply::Simple("PONG".into()));
        assert_eq!(
            Installed::probe(server.binary()).and_then(|found| found.flavor()),
            Some(flavor)
        );
    });
}

#[test]
fn every_flavor_runs_scripts_that_read_time_and_replication() {
    on_every_flavor(|flavor, server| {
        let script = "return {redis.call('TIME')[1], #redis.call('INFO', 'replication')}";

        let reply = server.command(&["EVAL", script, "0"]);

        assert!(
            reply.items().len() == 2 && reply.items()[0].int() > Some(0),
            "{flavor}: {reply}"
        );
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_shows_and_ends_keys_by_the_clock_that_it_is_given() {
    const START_US: i64 = 1_767_225_600_000_123;
    for flavor in Flavor::ALL {
        let builder = Server::builder(flavor).clock_us(START_US);
        let Some(server) = builder.start_or_skip() else {
            continue;
        };
        let time = || {
            let reply = server.command(&["EVAL", "return redis.call('TIME')", "0"]);
            let parts: Vec<i64> = reply.items().iter().filter_map(Reply::int).collect();
            parts[0] * 1_000_000 + parts[1]
        };

        assert_eq!(time(), START_US, "{flavor}");
        server.command(&["SET", "a", "1", "PX", "1000"]);
        server.set_clock_us(START_US + 990_000);
        assert_eq!(server.command(&["PTTL", "a"]), Reply::Int(10), "{flavor}");
        server.set_clock_us(START_US - 3_600_000_000);
        assert_eq!(time(), START_US - 3_600_000_000, "{flavor}");
        assert_eq!(server.command(&["PTTL", "a"]), Reply::Int(3_601_000), "{flavor}");
        server.set_clock_us(START_US + 1_001_000);
        assert_eq!(server.command(&["GET", "a"]), Reply::Nil, "{flavor}");
    }
}

#[test]
fn a_killed_server_is_gone_and_comes_back_empty_on_the_same_port() {
    on_every_flavor(|flavor, server| {
        server.command(&["SET", "key", "value"]);
        let (port, pid) = (server.port(), server.pid());

        server.kill();
        let while_down = server.try_command(&["PING"]);
        server.restart().unwrap();

        assert!(while_down.is_err(), "{flavor}");
        assert_eq!(server.command(&["GET", "key"]), Reply::Nil, "{flavor}");
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
    });
}

#[test]
fn a_server_with_an_append_only_file_keeps_its_data_over_a_restart() {
    for flavor in Flavor::ALL {
        let builder = Server::builder(flavor).args(["--appendonly", "yes"]);
        let Some(server) = builder.start_or_skip() else {
            continue;
        };
        server.command(&["SET", "key", "value"]);

        server.restart().unwrap();

        assert_eq!(server.command(&["GET", "key"]).text(), "value", "{flavor}");
    }
}

#[test]
fn a_stopped_server_is_silent_until_it_goes_on() {
    on_every_flavor(|flavor, server| {
        server.stop();
        let connection = server.connect(Duration::from_millis(100));
        let while_stopped = connection.and_then(|mut connection| connection.command(&["PING"]));
        server.cont();

        assert!(while_stopped.is_err(), "{flavor}");
        assert_eq!(server.command(&["PING"]).text(), "PONG", "{flavor}");
    });
}

#[test]
fn a_stopped_server_is_removed_when_dropped() {
    let Some(server) = any_server_or_skip() else {
        return;
    };
    let (pid, dir) = (server.pid(), server.dir().to_owned());
    server.stop();

    drop(server);

    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!dir.exists());
}

#[test]
fn a_password_is_used_by_command_and_required_of_others() {
    let builder = Builder::any().arg("--requirepass").arg("secret");
    let Some(server) = builder.start_or_skip() else {
        return;
    };

    let mut stranger = xtask::Connection::open(server.port(), Duration::from_secs(1)).unwrap();

    assert_eq!(server.command(&["PING"]).text(), "PONG");
    assert!(stranger.command(&["PING"]).unwrap().text().starts_with("NOAUTH"));
}

#[test]
fn calls_are_counted_by_command() {
    let Some(server) = any_server_or_skip() else {
        return;
    };
    server.command(&["CONFIG", "RESETSTAT"]);

    server.command(&["SET", "key", "1"]);
    server.command(&["SET", "key", "2"]);

    assert_eq!(server.calls().get("set"), Some(&2));
    assert_eq!(server.calls().get("get"), None);
}

#[test]
fn servers_of_one_process_do_not_share_a_port() {
    let Some(first) = any_server_or_skip() else {
        return;
    };
    let Some(second) = any_server_or_skip() else {
        return;
    };

    assert_ne!(first.port(), second.port());
    assert_eq!(first.url(), format!("redis://127.0.0.1:{}/", first.port()));
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let server = thread::spawn(|| Builder::any().start_or_skip()).join().unwrap();
    let Some(server) = server else { return };

    thread::sleep(Duration::from_millis(50));

    assert_eq!(server.command(&["PING"]).text(), "PONG");
}

#[test]
fn a_tls_listener_presents_a_certificate_of_its_authority() {
    let Some(server) = Builder::any().tls().start_or_skip() else {
        return;
    };
    let address = server.tls_url().replace("rediss://", "").replace('/', "");
    let ca = server.dir().join("ca.pem");

    let handshake = Command::new("openssl")
        .args(["s_client", "-brief", "-verify_return_error", "-verify_ip", "127.0.0.1"])
        .args(["-connect", &address, "-CAfile"])
        .arg(&ca)
        .stdin(Stdio::null())
        .output();

    assert_eq!(fs::read_to_string(&ca).unwrap(), server.ca_pem());
    match handshake {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => eprintln!("no openssl here: the handshake was not tried"),
    }
}

#[test]
fn a_setting_the_server_refuses_is_told_with_its_log() {
    let Some(binary) = servers::find_any() else {
        return;
    };

    let error = Builder::binary(binary)
        .args(["--no-such-setting", "1"])
        .start()
        .unwrap_err();

    assert!(matches!(error, StartError::Exited { .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[test]
fn a_binary_that_exits_is_told_with_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let binary = script(dir.path(), "echo cannot open shared object; exit 3");

    let error = Builder::binary(binary).start().unwrap_err();

    let message = error.to_string();
    assert!(
        message.contains("cannot open shared object") && message.contains('3'),
        "{message}"
    );
}

#[test]
fn a_binary_that_never_answers_is_given_up_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let binary = script(dir.path(), "echo $$ is thinking; exec sleep 600");

    let error = Builder::binary(binary)
        .patience(Duration::from_millis(300))
        .start()
        .unwrap_err();

    let StartError::Silent { log, .. } = error else {
        panic!("{error}")
    };
    let pid = log.split(' ').next().unwrap();
    assert!(!Path::new("/proc").join(pid).exists(), "{log}");
}

#[test]
fn a_binary_that_is_not_there_is_an_error() {
    let error = Builder::binary("/nonexistent/redis-server").start().unwrap_err();

    assert!(error.to_string().contains("/nonexistent/redis-server"), "{error}");
}

fn script(dir: &Path, body: &str) -> PathBuf {
    let path = dir.join("server");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs this very test in a process of its own, which starts a server and is then killed.
#[test]
fn a_server_dies_with_its_test_process() {
    const IN_CHILD: &str = "XTASK_TEST_CHILD";
    const NAME: &str = "a_server_dies_with_its_test_process";
    if env::var_os(IN_CHILD).is_some() {
        let server = any_server_or_skip().unwrap();
        println!("\nserver {} {}", server.pid(), server.dir().display());
        thread::sleep(Duration::from_secs(60));
    }
    if servers::find_any().is_none() || Command::new("setpriv").arg("--version").output().is_err() {
        return;
    }

    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", NAME, "--nocapture"])
        .env(IN_CHILD, "1")
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("server ")).unwrap();
    let [_, pid, dir] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_dir_all(dir).unwrap();

    // A dead process that nobody has waited for yet has no command line.
    let command_line = Path::new("/proc").join(pid).join("cmdline");
    let gone = || fs::read(&command_line).unwrap_or_default().is_empty();
    assert!((0..500).any(|_| {
        thread::sleep(Duration::from_millis(10));
        gone()
    }));
}
