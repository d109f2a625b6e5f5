//! Processes from the outside.

use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process, test_kill_process};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(5);

/// Waits until the condition holds, and says how long that took.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(STEP);
    }
    started.elapsed()
}

/// The content of a file that somebody is about to write, one line.
#[track_caller]
pub(crate) fn line_in(path: &Path) -> String {
    let read = || fs::read_to_string(path).unwrap_or_default();
    eventually(&format!("a line in {}", path.display()), || read().ends_with('\n'));
    read().trim().to_owned()
}

/// The process id that somebody is about to write into a file.
#[track_caller]
pub(crate) fn pid_in(path: &Path) -> u32 {
    line_in(path).parse().unwrap()
}

/// Whether a process runs; one that has ended and is not reaped does not.
pub(crate) fn runs(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat
            .rsplit_once(')')
            .is_some_and(|(_, fields)| fields.trim_start().starts_with('Z')),
        Err(_) if Path::new("/proc/self/stat").exists() => false,
        Err(_) => test_kill_process(raw(pid)).is_ok(),
    }
}

/// The children of a process, as the kernel lists them.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let parent = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            parent(&stat) == Some(pid)
        })
        .collect()
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill_process(raw(pid), signal).unwrap();
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A started process that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn send(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    #[track_caller]
    pub(crate) fn status(&mut self) -> ExitStatus {
        eventually("the end of the process", || self.has_ended());
        self.0.wait().unwrap()
    }

    #[track_caller]
    pub(crate) fn code(&mut self) -> i32 {
        let status = self.status();
        status.code().unwrap_or_else(|| panic!("{status}"))
    }

    /// What it has said on stderr, after its end.
    #[track_caller]
    pub(crate) fn said(&mut self) -> String {
        use std::io::Read;
        self.status();
        let mut text = String::new();
        self.0
            .stderr
            .take()
            .expect("stderr is piped")
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_dead_is_fine = self.0.kill();
        let _already_reaped_is_fine = self.0.wait();
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
