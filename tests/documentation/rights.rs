//! The rights that the README lists are enough, and all of them are needed.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::time::{Duration, Instant};

use semafence::script::Script;
use semafence::{Claim, Client, Error, HolderId, Inbox, LockBackend, Name, Strategy};
use semafence_redis::{Options, Protocol, Redis};
use xtask::{Flavor, Server};

use crate::document::Document;

const USER: &str = "semafence";
const PASSWORD: &str = "secret";
const PATIENCE: Duration = Duration::from_secs(10);

type Failed = Box<dyn StdError>;

/// Rights that only save texts on the way: without them each script is sent in full.
const SPARED: [&str; 2] = ["+script|exists", "+script|load"];

/// `ACL SETUSER` of the README, word for word.
fn rights() -> Vec<String> {
    rights_in("README.md")
}

fn rights_in(document: &'static str) -> Vec<String> {
    let document = Document::read(document);
    let (_, from) = document.text.split_once("ACL SETUSER ").expect("there is an ACL line");
    let (line, _) = from.split_once("```").expect("the line ends with its block");
    line.replace('\\', " ").split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_guide_has_the_rights_of_the_readme() {
    assert_eq!(rights_in("src/guide/operations.md"), rights());
}

fn grant_rights(server: &Server, rights: &[String]) {
    let command = ["ACL", "SETUSER"].into_iter().chain(rights.iter().map(String::as_str));
    let reply = server.command(&command.collect::<Vec<_>>());
    assert!(!reply.is_error(), "{reply}");
}

fn client(server: &Server, protocol: Protocol) -> Result<Client<Redis>, Error> {
    let options = Options::tcp("127.0.0.1", server.port())
        .username(USER)
        .password(PASSWORD);
    Client::new(Redis::new(options.protocol(protocol))?)
}

/// Everything that a client can make the server do.
async fn everything(server: &Server, protocol: Protocol) -> Result<(), Failed> {
    let (first, second) = (client(server, protocol)?, client(server, protocol)?);
    first.backend().check().await?;
    server.command(&["SCRIPT", "FLUSH"]);
    slots_come_back(&first).await?;
    many_hold(&first).await?;
    for strategy in [Strategy::Queue, Strategy::Notify] {
        hand_over(&first, &second, strategy).await?;
    }
    first.resize("resized", Some(2)).await?;
    first.resize("resized", None).await?;
    first.semaphore("raised", 1).build()?.add_permits(1).await?;
    wait_for_a_replica(&first).await?;
    if first.names().await?.is_empty() {
        return Err("no name is listed".into());
    }
    tombstone(&first).await
}

/// Slots that are given back in the middle go through the list of free ones.
async fn slots_come_back(client: &Client<Redis>) -> Result<(), Failed> {
    let semaphore = client.semaphore("slots", 3).build()?;
    let (low, high) = (semaphore.acquire().await?, semaphore.acquire_many(2).await?);
    high.refresh().await?;
    low.release().await?;
    let again = semaphore.acquire().await?;
    client.force_release("slots", again.holder()).await?;
    high.release().await?;
    Ok(())
}

/// There is none, which the server may say.
async fn wait_for_a_replica(client: &Client<Redis>) -> Result<(), Failed> {
    let mutex = client
        .mutex("acks")
        .acks(1)
        .acks_timeout(Duration::from_millis(20))
        .build()?;
    match mutex.lock().await {
        Err(Error::Unacknowledged { .. }) => Ok(()),
        other => Err(format!("no replica: {other:?}").into()),
    }
}

/// More holders than a status lists are counted.
async fn many_hold(client: &Client<Redis>) -> Result<(), Failed> {
    let semaphore = client.semaphore("many", 2_000).build()?;
    let mut permits = Vec::new();
    for _ in 0..1_001 {
        permits.push(semaphore.acquire().await?);
    }
    let status = semaphore.status().await?;
    let counted = (status.holders_total, status.used());
    (counted == (1_001, 1_001))
        .then_some(())
        .ok_or(format!("{counted:?} of 1001 are counted").into())
}

async fn hand_over(from: &Client<Redis>, to: &Client<Redis>, strategy: Strategy) -> Result<(), Failed> {
    let name = format!("{strategy:?}");
    let mutex = |client: &Client<Redis>| client.mutex(&name).strategy(strategy).build();
    let (ours, theirs) = (mutex(from)?, mutex(to)?);
    let permit = ours.lock().await?;
    let release = async {
        while from.status(&name).await?.waiters_total == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let at = Instant::now();
        permit.release().await?;
        Ok(at)
    };
    let (acquired, released) = tokio::try_join!(theirs.lock(), release)?;
    if released.elapsed() > Duration::from_secs(1) {
        return Err("no message arrived".into());
    }
    acquired.release().await?;
    Ok(())
}

/// A release that finds nothing leaves a tombstone.
async fn tombstone(client: &Client<Redis>) -> Result<(), Failed> {
    let claim = Claim {
        name: Name::new("semafence", "tombstone")?,
        holder: HolderId::from_bits(1),
        limit: 1,
        weight: 1,
        ttl: Duration::from_secs(1),
        window: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        inbox: Inbox::from_bits(1),
        meta: "".into(),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    };
    client.backend().release(&claim).await?;
    Ok(())
}

/// Whether everything works, or why not.
fn works(server: &Server, protocol: Protocol) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let run = async { tokio::time::timeout(PATIENCE, everything(server, protocol)).await };
    match runtime.block_on(run) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it takes longer than {PATIENCE:?}")),
    }
}

/// The commands that scripts call, as rights.
fn called_by_scripts() -> BTreeSet<String> {
    let sources = Script::all().map(Script::source);
    let calls = sources.iter().flat_map(|source| source.split("call('").skip(1));
    let names = calls.filter_map(|call| call.split_once('\'').map(|(name, _)| name));
    names.map(|name| format!("+{}", name.to_lowercase())).collect()
}

#[test]
fn the_rights_of_the_readme_have_every_command_that_a_script_calls() {
    let granted: BTreeSet<String> = rights().into_iter().collect();

    let missing: Vec<_> = called_by_scripts().difference(&granted).cloned().collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_rights_of_the_readme_are_enough_on_every_server() {
    for flavor in Flavor::ALL {
        let Some(server) = xtask::servers::server_or_skip(flavor) else {
            continue;
        };
        grant_rights(&server, &rights());
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            assert_eq!(works(&server, protocol), Ok(()), "{flavor}, {protocol:?}");
        }
    }
}

#[test]
fn no_right_of_the_readme_can_be_left_out() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let all = rights();
    let removable = |right: &&String| right.starts_with(['+', '~', '&']) && !SPARED.contains(&right.as_str());
    let mut superfluous = Vec::new();
    for right in all.iter().filter(removable) {
        server.command(&["FLUSHALL"]);
        server.command(&["SCRIPT", "FLUSH"]);
        server.command(&["ACL", "DELUSER", USER]);
        let rest: Vec<String> = all.iter().filter(|other| *other != right).cloned().collect();
        grant_rights(&server, &rest);
        match works(&server, Protocol::Resp3) {
            Ok(()) => superfluous.push(right),
            Err(why) => println!("without {right}: {why}"),
        }
    }

    assert!(superfluous.is_empty(), "{superfluous:?}");
}
