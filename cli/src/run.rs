//! `semafence run`: a command that runs while a permit is held.

mod acquire;
mod ancestry;
mod args;
mod descendants;
mod environment;
mod group;
mod guard;
mod guarded;
mod handover;
mod signals;
mod stage;
mod supervise;
mod timing;
mod wire;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, mem};

use semafence::{Clock, Instant, OwnedPermit, Standing, SystemClock};

pub(crate) use args::RunArgs;
pub(crate) use guard::{GuardArgs, guard};
pub(crate) use stage::{ExecArgs, exec};

use crate::connect::{Client, connect};
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;
use acquire::Acquired;
use ancestry::Ancestry;
use group::Membership;
use guarded::{Guarded, Start};
use signals::Signals;
use supervise::{Outcome, Supervision};
use timing::Timing;
use wire::Ending;

/// How long leaving the queue and giving permits back may take before the program ends without their confirmation.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs the command and returns the exit code.
pub(crate) fn run(args: &RunArgs, settings: &Settings) -> Result<u8, Failure> {
    let job = Job::new(args, settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::internal(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(job.run())
}

/// One run, checked.
struct Job<'a> {
    args: &'a RunArgs,
    settings: &'a Settings,
    command: Vec<OsString>,
    timing: Timing,
    above: Ancestry,
}

impl<'a> Job<'a> {
    fn new(args: &'a RunArgs, settings: &'a Settings) -> Result<Self, Failure> {
        let above = Ancestry::inherited();
        above.check(&settings.namespace, &args.name, args.limit)?;
        Ok(Self {
            args,
            settings,
            command: command(args),
            timing: Timing::new(args.ttl, args.kill_after)?,
            above,
        })
    }

    async fn run(self) -> Result<u8, Failure> {
        let mut signals =
            Signals::listen().map_err(|error| Failure::internal(format!("cannot listen for signals: {error}")))?;
        tokio::select! {
            biased;
            signal = signals.next_fatal() => return Ok(exit::of_signal(signal)),
            () = tokio::time::sleep(acquire::random_part(self.args.jitter)?) => {}
        }
        let client = tokio::select! {
            biased;
            signal = signals.next_fatal() => return Ok(exit::of_signal(signal)),
            client = connect(self.settings) => client?,
        };
        let console = self.settings.console;
        let code = self.run_with(&client, &mut signals).await;
        if tokio::time::timeout(CLOSE_TIMEOUT, client.close()).await.is_err() {
            console.warn("the server did not confirm; what is held ends with its ttl");
        }
        code
    }

    async fn run_with(self, client: &Client, signals: &mut Signals) -> Result<u8, Failure> {
        let acquired = tokio::select! {
            biased;
            signal = signals.next_fatal() => {
                self.settings.console.transient("");
                return Ok(exit::of_signal(signal));
            }
            acquired = acquire::acquire(self.args, self.settings, client) => acquired?,
        };
        match acquired {
            Acquired::Permit(permit) => self.hold(permit, signals).await,
            Acquired::Busy => Ok(self.args.conflict_exit_code),
        }
    }

    async fn hold(self, permit: OwnedPermit, signals: &mut Signals) -> Result<u8, Failure> {
        let console = self.settings.console;
        let until = SystemClock.now() + self.args.min_hold;
        let supervision = Supervision {
            permit: &permit,
            timing: self.timing,
            ttl: self.args.ttl,
            on_lost: self.args.on_lost,
            membership: membership(),
            console,
        };
        let start = Start {
            command: &self.command,
            environment: environment::of(&permit, self.args.ttl, self.above),
            membership: supervision.membership,
            deadlines: supervision.deadlines(),
        };
        let mut guarded = Guarded::start(&start)
            .map_err(|error| Failure::internal(format!("cannot start the command's guard: {error}")))?;
        match supervision.run(&mut guarded, signals).await {
            Outcome::Ended(ending) => {
                hold_until(until, &permit, signals).await;
                self.settings.give_back(permit).await;
                Ok(match ending {
                    Ending::Exit(code) => code,
                    Ending::Signal(signal) => exit::of_signal(signal),
                })
            }
            Outcome::Lost => Ok(self.args.lost_exit_code),
            Outcome::Unkillable => {
                // Released, the permit would let others in beside what is still running.
                mem::forget(permit);
                console.warn("some of the command's processes could not be killed; the lease is left to run out");
                std::process::exit(i32::from(self.args.lost_exit_code));
            }
            Outcome::Unguarded => {
                self.settings.give_back(permit).await;
                Err(Failure::internal(
                    "the command's guard was killed, so the command was killed too",
                ))
            }
        }
    }
}

/// Keeps the permit for its shortest time, unless it is lost or a signal asks for the end.
async fn hold_until(until: Instant, permit: &OwnedPermit, signals: &mut Signals) {
    tokio::select! {
        biased;
        _ = permit.lost() => {}
        _ = signals.next_fatal() => {}
        () = SystemClock.sleep_until(until) => {}
    }
}

impl Settings {
    /// Releases the permit. The command is over, so its exit code stands whatever happens here.
    async fn give_back(&self, permit: OwnedPermit) {
        match permit.release().await {
            Ok(Standing::Held | Standing::Waiting) => self.console.step("released"),
            Ok(Standing::Absent | Standing::Forced) => {
                self.console
                    .warn("the lease had ended before the permit was released: others may have been inside");
            }
            Err(error) => self.console.warn(&format!("{error}; the permit ends with its ttl")),
        }
    }
}

fn command(args: &RunArgs) -> Vec<OsString> {
    match &args.line {
        Some(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        None => args.command.clone(),
    }
}

/// A group of its own, unless that would keep the command from reading its terminal.
fn membership() -> Membership {
    if io::stdin().is_terminal() {
        Membership::Shared
    } else {
        Membership::Own
    }
}

/// This very program, also if its file has been replaced since it started.
fn own_program() -> io::Result<PathBuf> {
    const RUNNING: &str = "/proc/self/exe";
    if Path::new(RUNNING).exists() {
        Ok(RUNNING.into())
    } else {
        env::current_exe()
    }
}
