//! `cargo xtask api`: which other crates the public API of each library names.
//!
//! Whatever a driver's type is named in is ours to keep for as long as the driver keeps it: a new major version of the
//! driver is one of ours. So the core names no driver, and a backend only what it means to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, ExitCode};

use serde_json::Value;
use xtask::servers;

use crate::step::succeeds;

/// What each library may name besides the standard library and other crates of this workspace.
const ALLOWED: [(&str, &[&str]); 5] = [
    // `BoxStream`, `Config` as data, tokio's clock in `Stall`, `CancellationToken`, `Span`.
    (
        "semafence",
        &["futures_core", "serde_core", "tokio", "tokio_util", "tracing"],
    ),
    // `Options::from_config`; streams are those of `LockBackend`, here and below.
    ("semafence-fred", &["fred", "futures_core"]),
    // `Options::from_client`, `Redis::from_client`.
    ("semafence-redis", &["futures_core", "redis"]),
    // What a simulated process runs is a task.
    ("semafence-sim", &["futures_core", "tokio"]),
    // It is a layer of tower over messages of HTTP; pin-project-lite is in what its macro writes, which nobody can name.
    (
        "semafence-tower",
        &[
            "bytes",
            "http",
            "http_body",
            "pin_project_lite",
            "tower_layer",
            "tower_service",
        ],
    ),
];

/// The format of rustdoc's data is that of a nightly toolchain.
pub(crate) fn run() -> ExitCode {
    let mut is_good = true;
    for (package, allowed) in ALLOWED {
        let Some(found) = crates_named_by(package) else {
            return ExitCode::FAILURE;
        };
        for (name, items) in found {
            let is_allowed = allowed.contains(&name.as_str());
            is_good &= is_allowed;
            let verdict = if is_allowed { "as documented" } else { "NOT ALLOWED" };
            let items: Vec<String> = items.into_iter().collect();
            println!("{package}: {name}, {verdict}: {}", items.join(", "));
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Other crates by the name that they are called by, with the items that are named; `None` where there is no data.
fn crates_named_by(package: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut rustdoc = Command::new("rustup");
    rustdoc.args([
        "run",
        "nightly",
        "cargo",
        "rustdoc",
        "--quiet",
        "--lib",
        "--all-features",
        "--package",
        package,
    ]);
    rustdoc.args([
        "--target-dir",
        "target/api",
        "--",
        "-Z",
        "unstable-options",
        "--output-format",
        "json",
    ]);
    // What this cargo told us about its toolchain must not reach the other one.
    rustdoc
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTDOC");
    rustdoc.current_dir(servers::workspace());
    if !succeeds(&mut rustdoc) {
        eprintln!("{package}: no data; a nightly toolchain makes it: rustup toolchain install nightly");
        return None;
    }
    let file = format!("target/api/doc/{}.json", package.replace('-', "_"));
    let text = fs::read_to_string(servers::workspace().join(file)).ok()?;
    let data: Value = serde_json::from_str(&text).ok()?;
    Some(named(&data))
}

/// Every path that an item of this crate names in its signature, as far as it leads to other crates.
fn named(data: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let own = data["index"].as_object().into_iter().flatten().map(|(_, item)| item);
    for item in own.filter(|item| item["crate_id"] == 0 && is_public(item)) {
        paths_in(&item["inner"], &mut ids);
    }
    let mut crates = BTreeMap::<String, BTreeSet<String>>::new();
    for path in ids.iter().filter_map(|id| data["paths"][id]["path"].as_array()) {
        let words: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        if let [first, .., last] = words[..] {
            crates.entry(first.to_owned()).or_default().insert(last.to_owned());
        }
    }
    crates.retain(|name, _| !["alloc", "core", "std"].contains(&name.as_str()) && !name.starts_with("semafence"));
    crates
}

/// `default` is the visibility of what a trait or an implementation of one has.
fn is_public(item: &Value) -> bool {
    let is_written_here =
        item["inner"]["impl"]["blanket_impl"].is_null() && item["inner"]["impl"]["is_synthetic"] != true;
    is_written_here
        && ["public", "default"]
            .iter()
            .any(|visibility| item["visibility"] == *visibility)
}

/// The ids of all types and traits that are named in a piece of data.
fn paths_in(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let is_path = fields.contains_key("path") && fields.contains_key("id");
            if let Some(id) = fields.get("id").filter(|_| is_path) {
                ids.insert(id.to_string());
            }
            fields.values().for_each(|field| paths_in(field, ids));
        }
        Value::Array(items) => items.iter().for_each(|item| paths_in(item, ids)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_public_item_names_is_found_and_what_a_private_one_names_is_not() {
        let names = |id: u32| json!({"function": {"sig": {"inputs": [["client", {"resolved_path": {"path": "C", "id": id}}]]}}});
        let data = json!({
            "index": {
                "1": {"crate_id": 0, "visibility": "public", "inner": names(7)},
                "2": {"crate_id": 0, "visibility": "crate", "inner": names(8)},
                "3": {"crate_id": 0, "visibility": "public", "inner": names(9)},
            },
            "paths": {
                "7": {"path": ["redis", "client", "Client"]},
                "8": {"path": ["url", "Url"]},
                "9": {"path": ["semafence", "Error"]},
            },
        });

        let found = named(&data);

        assert_eq!(
            found,
            BTreeMap::from([("redis".to_owned(), BTreeSet::from(["Client".to_owned()]))])
        );
    }
}
