//! What is published: the core without a driver, and every package with its licences.

use crate::document::{Document, root};

const PUBLISHED: [&str; 6] = ["", "backends/fred", "backends/redis", "backends/sim", "cli", "tower"];

#[test]
fn the_core_depends_on_no_driver() {
    let manifest = Document::read_any("Cargo.toml");
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").expect("dependencies");
    let (dependencies, _) = dependencies.split_once("\n[dev-dependencies]\n").expect("an end");
    let drivers = ["redis", "fred", "semafence-redis", "semafence-fred", "semafence-sim"];

    let found: Vec<&str> = dependencies
        .lines()
        .filter(|line| drivers.contains(&line.split(['.', ' ']).next().unwrap_or_default()))
        .collect();

    assert!(dependencies.contains("tokio"), "{dependencies}");
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_package_that_is_published_has_both_licences() {
    for package in PUBLISHED {
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert!(root().join(package).join(licence).is_file(), "{package}: {licence}");
        }
        let manifest = Document::read_any(format!("{package}/Cargo.toml").trim_start_matches('/'));
        assert!(manifest.contains("\"LICENSE-*\""), "{package} includes them");
    }
}
