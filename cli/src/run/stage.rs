//! The last step before the command: ties its life to the guard's, then becomes it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::getppid;

use crate::exit;
use crate::failure::Failure;

/// The hidden command that becomes COMMAND.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// The guard; if it is gone by now, nothing is started.
    #[arg(long)]
    parent: i32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the command; returns only when that is not possible.
///
/// A process of its own rather than a hook between fork and exec: the hook would need unsafe code, and the kernel's
/// parent-death signal survives exec.
pub(crate) fn exec(args: &ExecArgs) -> Failure {
    if let Err(error) = die_with_parent() {
        return Failure::internal(format!("cannot tie the command to its guard: {error}"));
    }
    // The parent may have ended before the signal was asked for.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(args.parent) {
        return Failure::internal("the guard ended before the command started");
    }
    let (program, arguments) = args.command.split_first().expect("clap requires the command");
    let error = Command::new(program).args(arguments).exec();
    let shown = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        let failure = Failure::new(exit::NOT_FOUND, format!("there is no command {shown}"));
        return if shown.contains(' ') {
            failure.hint("no shell is involved; for a shell line use -c 'LINE'")
        } else {
            failure
        };
    }
    Failure::new(exit::CANNOT_EXECUTE, format!("cannot execute {shown}: {error}"))
}

/// Asks the kernel for SIGKILL when the guard ends. The guard starts commands from its only thread, whose end is what
/// the kernel watches.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn die_with_parent() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn die_with_parent() -> rustix::io::Result<()> {
    Ok(())
}
