//! Child processes that do not outlive this one.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, LazyLock};
use std::thread;

use crate::namespace::Namespace;
use crate::place::Place;

/// What to start, where if not here, and who wants to know.
#[derive(Debug)]
struct Job {
    command: Command,
    place: Option<Arc<Place>>,
    answer: SyncSender<io::Result<Child>>,
}

/// Starts every child from one thread that never ends.
///
/// The kernel delivers a parent-death signal when the *thread* that started the child ends, and a test's
/// thread ends before a server that several tests share.
static SPAWNER: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = channel::<Job>();
    thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            for mut job in inbox {
                let started = start(&mut job.command, job.place.as_deref());
                let _nobody_waits_is_fine = job.answer.send(started);
            }
        })
        .expect("a thread can be started");
    jobs
});

pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    order(command, None)
}

/// As [`spawn`], in the network of that place.
pub(crate) fn spawn_at(command: Command, place: Arc<Place>) -> io::Result<Child> {
    order(command, Some(place))
}

fn order(command: Command, place: Option<Arc<Place>>) -> io::Result<Child> {
    let (answer, outcome) = sync_channel(1);
    let job = Job { command, place, answer };
    SPAWNER.send(job).expect("the spawner thread never ends");
    outcome.recv().expect("the spawner thread answers every job")
}

/// A child is where its thread is.
fn start(command: &mut Command, place: Option<&Place>) -> io::Result<Child> {
    let Some(place) = place else {
        return command.spawn();
    };
    let home = Namespace::current()?;
    place.namespace().join()?;
    let started = command.spawn();
    home.join().expect("a thread may go back to where it came from");
    started
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
