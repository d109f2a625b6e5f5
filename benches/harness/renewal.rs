//! What keeping leases costs: one refresh of many, and a keeper that keeps them.

use std::time::{Duration, Instant};

use semafence::{Attempt, Claim, LockBackend, Permit, Queueing, Standing};
use semafence_redis::Redis;
use serde_json::json;

use crate::bare::claim;
use crate::gauge;
use crate::report::{Row, Section, figure};
use crate::site::{Flavor, Site};
use crate::stats::median;

const LEASES: [u32; 3] = [1, 100, 1_000];

/// Whether the leases are of one semaphore or of as many mutexes.
#[derive(Debug, Clone, Copy)]
enum Spread {
    OneName,
    OwnNames,
}

pub(crate) fn measure(site: &Site) -> Vec<Section> {
    let runtime = Flavor::Multi.runtime();
    let mut rows = Vec::new();
    for spread in [Spread::OneName, Spread::OwnNames] {
        for leases in LEASES {
            rows.push(runtime.block_on(refresh(site, spread, leases)));
        }
    }
    let kept = LEASES.map(|leases| runtime.block_on(keep(site, leases)));
    vec![
        Section {
            name: "renewal",
            about: "one refresh call for N leases; median, per call and per lease".to_owned(),
            rows,
            goals: Vec::new(),
        },
        Section {
            name: "keeping",
            about: "N permits of one semaphore, ttl 3 s, refreshed each second by the keeper; per second".to_owned(),
            rows: kept.into(),
            goals: Vec::new(),
        },
    ]
}

async fn refresh(site: &Site, spread: Spread, leases: u32) -> Row {
    let client = site.client();
    let claims = hold(client.backend(), spread, leases).await;
    let rounds = site.choose(200, 50);
    let mut micros = Vec::new();
    let before = gauge::snapshot(&site.server);
    for _ in 0..rounds {
        let start = Instant::now();
        let standings = client.backend().refresh(&claims).await;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        assert!(standings.iter().all(|standing| matches!(standing, Ok(Standing::Held))));
    }
    let scripts = gauge::of(&gauge::since(&before, &site.server), "evalsha");
    let (rounds, count) = (rounds as f64, f64::from(leases));
    vec![
        ("leases", json!(leases)),
        ("of", json!(spread.name())),
        ("scripts", figure(scripts.calls as f64 / rounds)),
        ("call_us", figure(median(micros.iter().copied()))),
        ("call_us_per_lease", figure(median(micros) / count)),
        ("script_us_per_lease", figure(scripts.micros as f64 / rounds / count)),
    ]
}

async fn hold(backend: &Redis, spread: Spread, leases: u32) -> Vec<Claim> {
    let mut claims = Vec::new();
    for lease in 0..leases {
        let holder = u128::from(lease) + 1;
        let claim = match spread {
            Spread::OneName => claim(&format!("renewed{leases}"), holder, leases),
            Spread::OwnNames => claim(&format!("renewed{leases}-{lease}"), holder, 1),
        };
        let attempt = backend.acquire(&claim, Queueing::Never).await;
        assert!(matches!(attempt, Ok(Attempt::Granted(_))), "{attempt:?}");
        claims.push(claim);
    }
    claims
}

async fn keep(site: &Site, leases: u32) -> Row {
    let length = site.choose(Duration::from_secs(6), Duration::from_secs(3));
    let client = site.client();
    let builder = client
        .semaphore(format!("kept{leases}"), leases)
        .ttl(Duration::from_secs(3));
    let semaphore = builder.build().expect("a good name");
    let mut permits: Vec<Permit<'_>> = Vec::new();
    for _ in 0..leases {
        permits.push(semaphore.acquire().await.expect("the server answers"));
    }
    let before = gauge::snapshot(&site.server);
    let (client_before, server_before) = (gauge::own_micros(), gauge::server_micros(&site.server));
    tokio::time::sleep(length).await;
    let client_micros = gauge::own_micros() - client_before;
    let server_micros = gauge::server_micros(&site.server) - server_before;
    let scripts = gauge::of(&gauge::since(&before, &site.server), "evalsha").calls as f64;
    let lost = permits.iter().filter(|permit| !permit.is_held()).count();
    drop(permits);
    client.close().await;
    let seconds = length.as_secs_f64();
    vec![
        ("leases", json!(leases)),
        ("scripts_per_s", figure(scripts / seconds)),
        ("client_cpu_us_per_s", figure(client_micros / seconds)),
        ("server_cpu_us_per_s", figure(server_micros / seconds)),
        ("lost", json!(lost)),
    ]
}

impl Spread {
    fn name(self) -> &'static str {
        match self {
            Self::OneName => "one name",
            Self::OwnNames => "own names",
        }
    }
}
