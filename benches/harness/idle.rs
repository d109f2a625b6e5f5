//! What waiting costs: many that wait for one lock which nobody gives back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::blpop::BlpopLine;
use crate::gauge;
use crate::line::{self, Line, OurLine};
use crate::report::{Row, Section, figure};
use crate::site::{Flavor, Site};

const WAITERS: usize = 10_000;

pub(crate) fn measure(site: &Site) -> Vec<Section> {
    let waiters = site.connections(WAITERS);
    // Ours first: memory that it gives back makes the next one look smaller, not larger.
    let rows = vec![wait::<OurLine>(site, waiters), wait::<BlpopLine>(site, waiters)];
    let about = format!(
        "{waiters} waiters of one mutex in one process, held all the time; per second, and MiB more than before"
    );
    vec![Section {
        name: "idle",
        about,
        rows,
        goals: Vec::new(),
    }]
}

fn wait<L: Line>(site: &Site, waiters: usize) -> Row {
    let runtime = Flavor::Multi.runtime();
    runtime.block_on(site.flush());
    let length = site.choose(Duration::from_secs(20), Duration::from_secs(5));
    runtime.block_on(async {
        let memory = Memory::now(site);
        let line = Arc::new(L::open(site, waiters).await);
        let held = line.acquire(waiters).await;
        let mut tasks = JoinSet::new();
        for who in 0..waiters {
            let line = Arc::clone(&line);
            tasks.spawn(async move {
                line.acquire(who).await;
            });
        }
        line::until_waiting(&*line, &site.server, waiters).await;
        let memory = Memory::now(site).since(&memory);
        let connections = line::connections(&site.server, L::CONTROL);
        let row = rest::<L>(site, length, &memory, connections).await;
        tasks.shutdown().await;
        line.release(waiters, held).await;
        line.close().await;
        row
    })
}

/// What happens while nothing happens.
async fn rest<L: Line>(site: &Site, length: Duration, memory: &Memory, connections: f64) -> Row {
    let before = gauge::snapshot(&site.server);
    let (client, server) = (gauge::own_micros(), gauge::server_micros(&site.server));
    tokio::time::sleep(length).await;
    let (client, server) = (
        gauge::own_micros() - client,
        gauge::server_micros(&site.server) - server,
    );
    let stats = gauge::since(&before, &site.server);
    let seconds = length.as_secs_f64();
    let all: u64 = stats.values().map(|stat| stat.calls).sum();
    vec![
        ("line", json!(L::name())),
        (
            "scripts_per_s",
            figure(gauge::of(&stats, "evalsha").calls as f64 / seconds),
        ),
        ("commands_per_s", figure(all as f64 / seconds)),
        ("client_cpu_percent", figure(client / 1e4 / seconds)),
        ("server_cpu_percent", figure(server / 1e4 / seconds)),
        ("connections", figure(connections)),
        ("server_used_mib", figure(memory.server_used)),
        ("server_rss_mib", figure(memory.server_resident)),
        ("client_rss_mib", figure(memory.client)),
    ]
}

/// MiB.
struct Memory {
    server_used: f64,
    server_resident: f64,
    client: f64,
}

impl Memory {
    fn now(site: &Site) -> Self {
        let mib = |field| gauge::info(&site.server, "memory", field) / 1_048_576.0;
        Self {
            server_used: mib("used_memory"),
            server_resident: mib("used_memory_rss"),
            client: gauge::own_mib(),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            server_used: self.server_used - before.server_used,
            server_resident: self.server_resident - before.server_resident,
            client: self.client - before.client,
        }
    }
}
