#![forbid(unsafe_code)]
//! The program `semafence`.

mod address;
mod args;
mod config_file;
mod connect;
mod console;
mod demo;
mod duration;
mod exit;
mod failure;
mod ls;
mod meta;
mod report;
#[cfg(unix)]
mod run;
mod settings;
mod sim;
mod status;
mod table;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return tell(&error),
    };
    match execute(&args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Where nobody reads, nobody needs to be told.
            if failure.exit != exit::BROKEN_PIPE {
                settings::console(&args.global, None).error(&failure);
            }
            ExitCode::from(failure.exit)
        }
    }
}

fn execute(args: &Args) -> Result<u8, Failure> {
    match &args.command {
        #[cfg(unix)]
        Command::Exec(args) => Err(run::exec(args)),
        #[cfg(unix)]
        Command::Guard(args) => run::guard(args),
        Command::Sim(sim) => {
            let console = settings::outputs(&args.global)?;
            console.trace(args.global.verbose);
            sim::sim(sim, &console)
        }
        command => {
            let settings = Settings::load(&args.global)?;
            settings.console.trace(args.global.verbose);
            match command {
                Command::Demo(args) => demo::demo(args, &settings),
                Command::Ls(args) => ls::ls(args, &settings),
                Command::Sim(_) => unreachable!("served above, without a server's address"),
                Command::Status(args) => status::status(args, &settings),
                #[cfg(unix)]
                Command::Run(args) => run::run(args, &settings),
                #[cfg(unix)]
                Command::Exec(_) | Command::Guard(_) => unreachable!("served above, without settings"),
            }
        }
    }
}

/// Help and version are answers; everything else is a usage error.
fn tell(error: &clap::Error) -> ExitCode {
    let _unwritable_is_fine = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(exit::USAGE),
    }
}
