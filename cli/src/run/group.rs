//! The processes of a command, and how they are signalled and awaited.

use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, test_kill_process_group, wait, waitpgid,
};

use super::descendants;
use super::wire::Ending;

/// Which process group a command runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// One of its own.
    Own,
    /// That of the supervisor, so that it may read from the terminal.
    Shared,
}

/// The processes of a command: those of its process group that descend from this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// The process group.
    id: Pid,
    /// The command itself, where this process started it.
    leader: Option<Pid>,
    membership: Membership,
}

/// How far the waiting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaped {
    /// Something still runs.
    Running,
    /// The command has ended; something else of the group may run.
    Ended(Ending),
    /// Nothing is left.
    Gone,
}

impl Group {
    pub(super) fn new(id: Pid, leader: Option<Pid>, membership: Membership) -> Self {
        Self { id, leader, membership }
    }

    /// The number of the process group.
    pub(super) fn id(&self) -> i32 {
        self.id.as_raw_pid()
    }

    /// Whether the command itself has ended, though others of its group may be left.
    pub(super) fn leader_has_ended(&self) -> bool {
        self.leader.is_none()
    }

    /// Sends a signal to every process of the group.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.membership {
            // Descendants of this process cannot be waited for by anybody else, so the group's number is not reused
            // while one of them is left.
            Membership::Own => gone_is_fine(kill_process_group(self.id, signal)),
            Membership::Shared => self.signal_descendants(signal),
        }
    }

    /// The group is shared with the supervisor and its pipeline, so its members are told one by one.
    fn signal_descendants(&self, signal: Signal) -> io::Result<()> {
        let members = descendants::in_group(self.id);
        let members = if members.is_empty() {
            self.leader.into_iter().collect()
        } else {
            members
        };
        members
            .into_iter()
            .try_for_each(|member| gone_is_fine(kill_process(member, signal)))
    }

    /// Takes note of what has ended since the last call. Does not wait.
    pub(super) fn reap(&mut self) -> Reaped {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Some(pid) == self.leader {
                self.leader = None;
                return Reaped::Ended(ending(status));
            }
        }
        if self.leader.is_none() && self.is_gone() {
            Reaped::Gone
        } else {
            Reaped::Running
        }
    }

    fn is_gone(&self) -> bool {
        let no_child = matches!(waitpgid(self.id, WaitOptions::NOHANG), Err(Errno::CHILD));
        match self.membership {
            // Where orphans are not given to this process, it has no other way to see them.
            Membership::Own => no_child && test_kill_process_group(self.id) == Err(Errno::SRCH),
            Membership::Shared => no_child,
        }
    }
}

fn gone_is_fine(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ending(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Exit(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Ending::Signal(signal),
        // Neither is not asked for: WUNTRACED and WCONTINUED are not set.
        (None, None) => Ending::Exit(crate::exit::INTERNAL),
    }
}
