//! What server and client have used up so far.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};
use xtask::Server;

/// What the server has done for one command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stat {
    pub(crate) calls: u64,
    pub(crate) micros: u64,
}

/// By command, with those that scripts call.
pub(crate) type Stats = BTreeMap<String, Stat>;

/// How often this module has asked a server; scripts ask for `INFO`, too.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// `INFO commandstats` at one moment.
pub(crate) struct Snapshot {
    stats: Stats,
    asked: u64,
}

/// What was done up to now.
pub(crate) fn snapshot(server: &Server) -> Snapshot {
    Snapshot {
        asked: ASKED.load(Ordering::Relaxed),
        stats: stats(server),
    }
}

fn stats(server: &Server) -> Stats {
    let number = |stat: &str, field: &str| {
        let value = stat.split(',').find_map(|pair| pair.strip_prefix(field));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    let read = |stat: &str| Stat {
        calls: number(stat, "calls="),
        micros: number(stat, "usec="),
    };
    let fields = ask(server, "commandstats");
    let named = fields
        .iter()
        .filter_map(|(field, stat)| Some((field.strip_prefix("cmdstat_")?.to_owned(), read(stat))));
    named.collect()
}

/// What was done since `before`, without the questions.
pub(crate) fn since(before: &Snapshot, server: &Server) -> Stats {
    let asked = ASKED.load(Ordering::Relaxed) - before.asked;
    let mut stats = stats(server);
    for (command, stat) in &mut stats {
        let earlier = of(&before.stats, command);
        stat.calls -= earlier.calls;
        stat.micros -= earlier.micros;
    }
    if let Some(info) = stats.get_mut("info") {
        info.calls -= asked;
    }
    stats.retain(|_, stat| stat.calls > 0);
    stats
}

fn ask(server: &Server, section: &str) -> BTreeMap<String, String> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    server.info(section)
}

pub(crate) fn of(stats: &Stats, command: &str) -> Stat {
    stats.get(command).copied().unwrap_or_default()
}

/// A number from `INFO`.
pub(crate) fn info(server: &Server, section: &str, field: &str) -> f64 {
    let fields = ask(server, section);
    fields
        .get(field)
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

/// Connections besides the one that asks.
pub(crate) fn connections(server: &Server) -> f64 {
    info(server, "clients", "connected_clients") - 1.0
}

/// Processor time of this process, µs.
pub(crate) fn own_micros() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Processor time of the server's main thread, µs; zero where the system does not tell.
pub(crate) fn server_micros(server: &Server) -> f64 {
    let text = fs::read_to_string(format!("/proc/{0}/task/{0}/schedstat", server.pid())).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e3
}

/// Resident memory of this process, MiB; zero where the system does not tell.
pub(crate) fn own_mib() -> f64 {
    kib_of("/proc/self/status", "VmRSS:") / 1024.0
}

/// How often the keeper's thread went to sleep, all clients together.
pub(crate) fn keeper_sleeps() -> f64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    let keepers = tasks.flatten().map(|task| task.path()).filter(|path| {
        // The kernel cuts names at 15 bytes.
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("semafence-keep"))
    });
    keepers
        .map(|path| kib_of(&path.join("status").to_string_lossy(), "voluntary_ctxt_switches:"))
        .sum()
}

fn kib_of(path: &str, field: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}
