//! For how long servers stay up: until ctrl-c, or while a command runs.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::step::forget_cargo;

/// How often health is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// For how long servers stay up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay<'a> {
    /// Until ctrl-c.
    UntilInterrupted,
    /// While this command runs, which finds their address in `SEMAFENCE_URL`.
    While(&'a [&'a str]),
}

impl Stay<'_> {
    /// Comes back when the servers are not wanted any more.
    pub(crate) fn keep_up(self, url: &str, health: impl FnMut() -> String) -> ExitCode {
        // The process must outlast an interruption in either case, or the servers would outlast the process.
        let interrupted = on_interruption();
        match self {
            Self::UntilInterrupted => {
                tell(&interrupted, health);
                ExitCode::SUCCESS
            }
            Self::While(command) => run(command, url),
        }
    }
}

fn on_interruption() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("the signal may be handled");
    }
    interrupted
}

/// Says how things are whenever that changes, until the process is interrupted.
fn tell(interrupted: &AtomicBool, mut health: impl FnMut() -> String) {
    println!("ctrl-c ends it; nothing is kept");
    let mut said = String::new();
    while !interrupted.load(Ordering::Relaxed) {
        let now = health();
        // What ctrl-c has already ended is no news.
        if now != said && !interrupted.load(Ordering::Relaxed) {
            println!("{now}");
            said = now;
        }
        thread::sleep(LOOK);
    }
}

/// Runs the command to its end; a ctrl-c is the command's as well, so that there is nothing to pass on.
fn run(command: &[&str], url: &str) -> ExitCode {
    let (program, args) = command.split_first().expect("a command has a first word");
    let mut command = Command::new(program);
    command.args(args).env("SEMAFENCE_URL", url);
    forget_cargo(&mut command);
    match command.status() {
        Ok(status) => exit_code(status),
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::from(127)
        }
    }
}

/// The command's own code, or 128 and the signal that ended it, as in a shell.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
