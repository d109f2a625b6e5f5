//! Removes what a process leaves behind.

use std::io;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its standard input, which comes with the end of its parent, however that ends. What interrupts the
/// parent from a terminal must not interrupt this.
const SCRIPT: &str = "\
    trap '' HUP INT TERM\n\
    cat\n\
    for left in $(docker ps --all --quiet --filter label=\"$1\"); do docker rm --force --volumes \"$left\"; done\n\
    docker network rm \"$2\"";

/// Removes all containers with a label, and a network, once this process is gone and they are not: statics are never
/// dropped, and a process may be killed. It takes the program `docker`.
#[derive(Debug)]
pub(crate) struct Reaper {
    child: Child,
}

impl Reaper {
    /// `label` as `name=value`.
    pub(crate) fn start(label: &str, network: &str) -> io::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "sh", label, network])
            .stdin(Stdio::piped())
            // Whoever reads what a test prints must not wait for this.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // Nothing is left by now.
        let _it_may_have_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
