//! Child processes that do not outlive this one.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

type Job = (Command, SyncSender<io::Result<Child>>);

/// Starts every child from one thread that never ends.
///
/// The kernel delivers a parent-death signal when the *thread* that started the child ends, and a test's
/// thread ends before a server that several tests share.
static SPAWNER: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = channel::<Job>();
    thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            for (mut command, answer) in inbox {
                let _nobody_waits_is_fine = answer.send(command.spawn());
            }
        })
        .expect("a thread can be started");
    jobs
});

pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, outcome) = sync_channel(1);
    SPAWNER.send((command, answer)).expect("the spawner thread never ends");
    outcome.recv().expect("the spawner thread answers every job")
}

/// A command that is killed by the kernel when this process dies, where `setpriv` (util-linux) can arrange it.
///
/// `setpriv` replaces itself by the program, so the process id is the program's own. Doing the same here
/// would take `unsafe` code between fork and exec.
pub(crate) fn dies_with_us(program: &Path) -> Command {
    static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .output()
            .is_ok_and(|out| out.status.success())
    });
    if !*SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}
