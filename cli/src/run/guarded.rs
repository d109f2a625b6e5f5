//! A command behind its guard, as the supervisor sees it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp};

use super::group::{Group, Membership, Reaped};
use super::guard::adopt_orphans;
use super::timing::Deadlines;
use super::wire::{Event, Order, Wire, line};
use super::{descendants, handover, own_program};

/// How long processes that were sent SIGKILL may take to vanish.
const REAP_TIMEOUT: Duration = Duration::from_secs(5);
const REAP_STEP: Duration = Duration::from_millis(10);

/// What to start, and how.
#[derive(Debug)]
pub(super) struct Start<'a> {
    /// The command and its arguments.
    pub(super) command: &'a [OsString],
    /// Variables to set.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Which process group it runs in.
    pub(super) membership: Membership,
    /// When to stop it unless the lease is refreshed; `None` lets it run.
    pub(super) deadlines: Option<Deadlines>,
}

/// A command behind its guard.
#[derive(Debug)]
pub(super) struct Guarded {
    wire: Wire,
    guard: Pid,
    membership: Membership,
    group: Option<Pid>,
}

impl Guarded {
    /// Starts guard and command.
    pub(super) fn start(start: &Start<'_>) -> io::Result<Self> {
        // Before the guard exists, so that none of its orphans is missed.
        adopt_orphans()?;
        let (ours, theirs) = UnixStream::pair()?;
        handover::send(&ours, io::stdin().as_fd())?;
        if let Some(deadlines) = start.deadlines {
            // Waits in the socket before there is a guard: it never runs a command without a limit.
            io::Write::write_all(&mut &ours, &line(&Order::Lease(deadlines)))?;
        }
        let mut guard = Command::new(own_program()?);
        guard.arg0("semafence").arg("__guard");
        if start.membership == Membership::Shared {
            guard.arg(format!("--group={}", getpgrp().as_raw_pid()));
        }
        let guard = guard
            .arg("--")
            .args(start.command)
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // What kills the supervisor's group must not kill the guard.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            wire: Wire::new(ours)?,
            guard: Pid::from_child(&guard),
            membership: start.membership,
            group: (start.membership == Membership::Shared).then(getpgrp),
        })
    }

    /// The next event; `None` once the guard is gone without having said [`Event::Gone`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let event = self.wire.receive().await;
        if let Some(Event::Started { group }) = event {
            self.group = Pid::from_raw(group);
        }
        event
    }

    /// Gives an order to the guard.
    pub(super) async fn order(&mut self, order: Order) {
        // A guard that is gone is noticed by `next`.
        let _noticed_by_next = self.wire.send(&order).await;
    }

    /// Kills the whole group without the guard's help, which may be stopped or gone.
    pub(super) fn kill(&self) {
        if let Some(mut group) = self.adopted() {
            // What may not be signalled shows by its staying.
            let _shows_by_staying = group.signal(Signal::KILL);
            let _for_the_side_effect = group.reap();
        }
    }

    /// After the guard was killed: kills its orphans, which are this process's children now, and waits for their end.
    pub(super) async fn take_over(&self) -> Reaped {
        let Some(mut group) = self.adopted() else {
            // The guard ended before it had started anything, or the kernel has killed all of it.
            return Reaped::Gone;
        };
        let started = tokio::time::Instant::now();
        loop {
            let _shows_by_staying = group.signal(Signal::KILL);
            if group.reap() == Reaped::Gone {
                return Reaped::Gone;
            }
            if started.elapsed() > REAP_TIMEOUT {
                return Reaped::Running;
            }
            tokio::time::sleep(REAP_STEP).await;
        }
    }

    fn adopted(&self) -> Option<Group> {
        let group = self.group.or_else(|| self.foreign_group())?;
        Some(Group::new(group, None, self.membership))
    }

    /// The command's group where the guard has not told it, because it was stopped or killed right after the start.
    fn foreign_group(&self) -> Option<Pid> {
        let known = [self.guard, getpgrp()];
        descendants::groups().into_iter().find(|group| !known.contains(group))
    }
}
