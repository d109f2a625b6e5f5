//! Directories in memory.

use std::io;
use std::path::Path;

use tempfile::TempDir;

const MEMORY: &str = "/dev/shm";

/// A directory that is gone with its owner, in memory where there is such a place.
///
/// Servers and sentinels wait for the disk when roles change, to have their configuration on it. A busy disk must not
/// make a server look dead.
pub(crate) fn dir(prefix: &str) -> io::Result<TempDir> {
    if Path::new(MEMORY).is_dir() {
        TempDir::with_prefix_in(prefix, MEMORY)
    } else {
        TempDir::with_prefix(prefix)
    }
}
