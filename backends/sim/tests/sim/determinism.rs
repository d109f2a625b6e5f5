//! One seed, one history.

use std::time::Duration;

use semafence_sim::{Direction, Link, Message, Persistence, Sim, Strategy, Verdict, draw, run};

/// Clients of all strategies, lost and late messages, a pause, a partition and a restart.
async fn eventful(sim: Sim) -> Vec<String> {
    let seed = sim.seed();
    sim.set_faults(move |message: &Message| {
        let path = [
            u64::from(message.client),
            message.link as u64,
            message.direction as u64,
            message.number,
        ];
        match draw(seed ^ 77, &path) % 50 {
            0 => Verdict::Drop,
            1 => Verdict::Delay(Duration::from_millis(300)),
            2 => Verdict::Duplicate(Duration::from_millis(20)),
            _ => Verdict::Deliver,
        }
    });
    let mut workers = Vec::new();
    let mut processes = Vec::new();
    for number in 0..6_u32 {
        let client = sim.client();
        processes.push(client.backend().process().clone());
        let strategy = [Strategy::Queue, Strategy::Notify, Strategy::Poll][number as usize % 3];
        let ttl = Duration::from_secs(3);
        let semaphore = client.semaphore("s", 2).ttl(ttl).strategy(strategy).build().unwrap();
        workers.push(tokio::spawn(async move {
            for round in 0..20 {
                if let Ok(permit) = semaphore.acquire_timeout(Duration::from_secs(4)).await {
                    let busy = draw(u64::from(number), &[round]) % 40;
                    tokio::time::sleep(Duration::from_millis(busy)).await;
                    let _faults_are_expected = permit.release().await;
                }
            }
        }));
    }
    processes[0].pause();
    tokio::time::sleep(Duration::from_secs(2)).await;
    processes[0].resume();
    processes[1].partition();
    tokio::time::sleep(Duration::from_secs(5)).await;
    processes[1].repair();
    processes[2].drop_next(Link::Commands, Direction::Reply, 3);
    sim.server().restart(Persistence::Lost);
    for worker in workers {
        worker.await.unwrap();
    }
    sim.trace()
}

#[test]
fn one_seed_gives_one_trace_in_any_thread() {
    let first = run(11, eventful);
    let second = run(11, eventful);
    let elsewhere = std::thread::spawn(|| run(11, eventful)).join().unwrap();
    let other = run(12, eventful);

    assert!(first.len() > 300, "{} lines", first.len());
    for (line, (left, right)) in first.iter().zip(&second).enumerate() {
        assert_eq!(left, right, "line {line}");
    }
    assert!(first == second && first == elsewhere);
    assert_ne!(first, other);
}

#[test]
fn the_trace_says_who_asked_what_and_what_came_of_it() {
    let lines = run(1, |sim| async move {
        let mutex = sim.client().mutex("m").build().unwrap();
        mutex.lock().await.unwrap().release().await.unwrap();
        sim.trace()
    });

    let acquire = lines
        .iter()
        .find(|line| line.contains(": acquire {semafence:m}:state "))
        .expect("an acquire");
    assert!(
        acquire.contains("client 1 commands: ") && acquire.contains(" -> [1, "),
        "{acquire}"
    );
    assert!(
        lines.iter().any(|line| line.contains(": release {semafence:m}:state ")),
        "{lines:#?}"
    );
}
