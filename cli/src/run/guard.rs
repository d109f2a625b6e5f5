//! The guard: a small process between the supervisor and the command, which makes sure that the command does not
//! outlive the lease or the supervisor, whatever happens to the latter.
//!
//! The supervisor may be killed (the socket closes) or stopped (no order comes in time); in both cases the guard kills
//! the group. It is the parent of the command and adopts its orphans, so it knows exactly who is left. If it is killed
//! itself, the kernel kills the command, and the supervisor adopts and kills the rest.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid};
use semafence::{Clock, Instant, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use super::group::{Group, Membership, Reaped};
use super::handover;
use super::signals::Signals;
use super::timing::Deadlines;
use super::wire::{Event, Order, Wire};
use crate::failure::Failure;

/// How often a group is looked at whose processes this one cannot wait for.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The hidden command that guards COMMAND.
#[derive(Debug, clap::Args)]
pub(crate) struct GuardArgs {
    /// The process group for the command; without it, one of its own.
    #[arg(long)]
    pub(super) group: Option<i32>,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// Starts the command, guards it, and returns once nothing of it is left.
pub(crate) fn guard(args: &GuardArgs) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let guarded = runtime.and_then(|runtime| runtime.block_on(start_and_watch(args)));
    guarded
        .map(|()| 0)
        .map_err(|error| Failure::internal(format!("cannot guard the command: {error}")))
}

async fn start_and_watch(args: &GuardArgs) -> io::Result<()> {
    // Handled and dropped: a guard that a stray signal ends would take the command with it.
    let _heard_by_nobody = Signals::listen()?;
    let mut children = signal(SignalKind::child())?;
    adopt_orphans()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stdin = handover::receive(&socket)?;
    let mut watch = Watch {
        wire: Wire::new(socket)?,
        group: spawn(args, stdin)?,
        phase: Phase::Unlimited,
    };
    watch
        .tell(Event::Started {
            group: watch.group.id(),
        })
        .await;
    watch.run(&mut children).await
}

fn spawn(args: &GuardArgs, stdin: OwnedFd) -> io::Result<Group> {
    let child = Command::new(super::own_program()?)
        .arg0("semafence")
        .arg("__exec")
        .arg(format!("--parent={}", getpid().as_raw_nonzero()))
        .arg("--")
        .args(&args.command)
        .stdin(Stdio::from(stdin))
        .process_group(args.group.unwrap_or(0))
        .spawn()?;
    let leader = Pid::from_child(&child);
    Ok(match args.group.and_then(Pid::from_raw) {
        Some(shared) => Group::new(shared, Some(leader), Membership::Shared),
        None => Group::new(leader, Some(leader), Membership::Own),
    })
}

/// How far the end of the group has come.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No lease limits it.
    Unlimited,
    /// The lease lives until told otherwise.
    Leased(Deadlines),
    /// SIGTERM was sent.
    Terminating {
        /// SIGKILL, since the clock's origin.
        kill_at: Duration,
    },
    /// SIGKILL was sent; again, for whoever was born meanwhile.
    Killing {
        /// Since the clock's origin.
        again_at: Duration,
    },
}

struct Watch {
    wire: Wire,
    group: Group,
    phase: Phase,
}

impl Watch {
    async fn run(&mut self, children: &mut tokio::signal::unix::Signal) -> io::Result<()> {
        let mut supervised = true;
        loop {
            if self.reap().await == Reaped::Gone {
                return Ok(());
            }
            let next_moment = self.next_moment();
            tokio::select! {
                biased;
                order = self.wire.receive(), if supervised => match order {
                    Some(order) => self.obey(order).await,
                    None => {
                        supervised = false;
                        self.kill().await;
                    }
                },
                () = SystemClock.sleep_until(next_moment) => self.advance().await,
                _ = children.recv() => {}
                () = tokio::time::sleep(LOOK_INTERVAL), if self.group.leader_has_ended() => {}
            }
        }
    }

    async fn reap(&mut self) -> Reaped {
        let mut reaped = self.group.reap();
        if let Reaped::Ended(ending) = reaped {
            self.tell(Event::Ended(ending)).await;
            reaped = self.group.reap();
        }
        if reaped == Reaped::Gone {
            self.tell(Event::Gone).await;
        }
        reaped
    }

    async fn obey(&mut self, order: Order) {
        match (order, self.phase) {
            (Order::Lease(deadlines), Phase::Unlimited | Phase::Leased(_)) => self.phase = Phase::Leased(deadlines),
            // Once asked to end, the command is not asked to stay.
            (Order::Lease(_), Phase::Terminating { .. } | Phase::Killing { .. }) => {}
            (Order::Signal(number), _) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    self.signal(signal);
                }
            }
            (Order::Stop { kill_at }, Phase::Unlimited) => self.terminate(kill_at).await,
            (Order::Stop { kill_at }, Phase::Leased(deadlines)) => self.terminate(kill_at.min(deadlines.kill_at)).await,
            (Order::Stop { kill_at }, Phase::Terminating { kill_at: before }) => {
                self.phase = Phase::Terminating {
                    kill_at: kill_at.min(before),
                };
            }
            (Order::Stop { .. }, Phase::Killing { .. }) => {}
        }
    }

    fn next_moment(&self) -> Instant {
        Instant::from_origin(match self.phase {
            Phase::Unlimited => Duration::MAX,
            Phase::Leased(deadlines) => deadlines.terminate_at,
            Phase::Terminating { kill_at } => kill_at,
            Phase::Killing { again_at } => again_at,
        })
    }

    async fn advance(&mut self) {
        match self.phase {
            Phase::Unlimited => {}
            Phase::Leased(deadlines) => self.terminate(deadlines.kill_at).await,
            Phase::Terminating { .. } | Phase::Killing { .. } => self.kill().await,
        }
    }

    async fn terminate(&mut self, kill_at: Duration) {
        if kill_at <= SystemClock.now().since_origin() {
            return self.kill().await;
        }
        self.phase = Phase::Terminating { kill_at };
        self.signal(Signal::TERM);
        // A stopped process cannot act on SIGTERM.
        self.signal(Signal::CONT);
        self.tell(Event::Terminating).await;
    }

    async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let first = !matches!(self.phase, Phase::Killing { .. });
        let again_at = SystemClock.now() + LOOK_INTERVAL;
        self.phase = Phase::Killing {
            again_at: again_at.since_origin(),
        };
        if first {
            self.tell(Event::Killing).await;
        }
    }

    fn signal(&self, signal: Signal) {
        // What may not be signalled (a set-user-ID program) is told by its staying: the supervisor sees no end.
        let _told_by_its_staying = self.group.signal(signal);
    }

    async fn tell(&mut self, event: Event) {
        // Without a supervisor nobody listens, and the reader notices.
        let _noticed_by_the_reader = self.wire.send(&event).await;
    }
}

/// Makes this process the parent of its descendants' orphans.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn adopt_orphans() -> io::Result<()> {
    // The kernel wants any number but zero here.
    rustix::process::set_child_subreaper(Pid::from_raw(1))?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}
