//! The simulator's checker on histories that were recorded from a real server.

use std::time::{Duration, Instant};

use semafence::{Client, Strategy};
use semafence_redis::Redis;
use semafence_sim::check::{check, linearizable};
use semafence_sim::explore::{Scribe, Setting, Work};
use semafence_sim::history::{Disturbance, Event, History, Recorder, Trouble, What};
use tokio::task::JoinHandle;
use xtask::{Server, servers};

const CLIENTS: u32 = 4;

/// What the clients of simulated runs do, for so long, while `meanwhile` happens.
async fn recorded(server: &Server, meanwhile: impl AsyncFnOnce(&Scribe)) -> History {
    let (recorder, start) = (Recorder::default(), Instant::now());
    let scribe = Scribe::new(recorder.clone(), move || start.elapsed());
    let setting = Setting {
        clients: CLIENTS,
        workers: 2,
        names: 2,
        limit: 3,
        ttl: Duration::from_secs(2),
        strategy: Strategy::Queue,
        hold: Duration::from_millis(80),
        think: Duration::from_millis(40),
        grace: false,
        servers: 1,
        apart: Duration::ZERO,
        replicas: 0,
        acks: 0,
        stepless: false,
        min_replicas: false,
    };
    let work = Work::new(7, setting, scribe.clone());
    let client = || Client::new(Redis::from_url(&server.url()).unwrap()).unwrap();
    let clients: Vec<_> = (1..=CLIENTS).map(|number| (number, client())).collect();
    let workers: Vec<JoinHandle<()>> = clients
        .iter()
        .flat_map(|(number, client)| work.begin(client, *number))
        .collect();

    meanwhile(&scribe).await;

    work.stop();
    scribe.add(What::Healed);
    for worker in workers {
        worker.await.unwrap();
    }
    for (_, client) in clients {
        client.close().await;
    }
    scribe.add(What::Quiesced);
    recorder.history()
}

fn assert_good(history: &History) {
    let count = |is: fn(&What) -> bool| history.events.iter().filter(|event| is(&event.what)).count();
    let grants = count(|what| matches!(what, What::Granted { .. }));
    let writes = count(|what| matches!(what, What::Wrote { admitted: true, .. }));
    println!("{} events, {grants} grants, {writes} writes", history.events.len());
    assert!(grants > 10 && writes > grants, "{grants} grants, {writes} writes");
    let report = check(history);
    assert!(report.is_clean(), "{report}\n{}", lines(history));
    assert_eq!(linearizable(history), Ok(()));
}

fn lines(history: &History) -> String {
    let line = |event: &Event| format!("{:.3} s: {:?}\n", event.at.as_secs_f64(), event.what);
    history.events.iter().map(line).collect()
}

#[tokio::test]
async fn the_history_of_a_calm_server_is_clean() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let calm = async |_: &Scribe| tokio::time::sleep(Duration::from_secs(5)).await;

    assert_good(&recorded(&server, calm).await);
}

#[tokio::test]
async fn the_history_of_a_server_that_stands_still_for_longer_than_a_lease_is_clean() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };

    let history = recorded(&server, async |scribe: &Scribe| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        scribe.add(What::Disturbed(Disturbance {
            number: 1,
            trouble: Trouble::Network,
            client: None,
            text: "the server is stopped".to_owned(),
        }));
        server.stop();
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.cont();
        tokio::time::sleep(Duration::from_secs(4)).await;
        scribe.add(What::Calmed { number: 1 });
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;

    assert_good(&history);
    let lost = history
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Lost { .. }));
    assert_ne!(lost.count(), 0, "who held when the server stopped was told");
}
