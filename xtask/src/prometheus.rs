//! Prometheus and its `promtool`, for what is said in its language.

use std::env;
use std::path::PathBuf;

use crate::servers::{self, directory};

/// The name in `SEMAFENCE_REQUIRE_SERVERS`, and of the directory where `cargo xtask setup` puts both programs.
pub const ID: &str = "prometheus";
/// Both programs, of one release.
pub const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// A program of Prometheus that this machine has: on the `PATH`, or where `cargo xtask setup` puts it.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let on_path = env::split_paths(&env::var_os("PATH")?).collect::<Vec<_>>();
    let mut directories = on_path.into_iter().chain([directory().join(ID)]);
    directories.find_map(|dir| Some(dir.join(program)).filter(|path| path.is_file()))
}

/// `promtool`, or says on stderr that the calling test is skipped.
///
/// # Panics
/// If it is missing and `SEMAFENCE_REQUIRE_SERVERS` insists.
#[must_use]
pub fn promtool_or_skip() -> Option<PathBuf> {
    let found = find("promtool");
    if found.is_none() {
        servers::skip_other("promtool", ID);
    }
    found
}
