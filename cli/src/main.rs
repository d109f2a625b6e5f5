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

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::args::{Args, Command, Global};
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
    let global = &args.global;
    match &args.command {
        Command::Demo(args) => demo::demo(args, &load(global)?),
        #[cfg(unix)]
        Command::Exec(args) => Err(run::exec(args)),
        #[cfg(unix)]
        Command::Guard(args) => run::guard(args),
        Command::Ls(args) => ls::ls(args, &load(global)?),
        #[cfg(unix)]
        Command::Run(args) => run::run(args, &load(global)?),
        Command::Sim(args) => {
            let console = settings::outputs(global)?;
            console.trace(global.verbose);
            sim::sim(args, &console)
        }
        Command::Status(args) => status::status(args, &load(global)?),
    }
}

/// The settings of a command that needs a server.
fn load(global: &Global) -> Result<Settings, Failure> {
    let settings = Settings::load(global)?;
    settings.console.trace(global.verbose);
    Ok(settings)
}

/// Help and version are answers; everything else is a usage error.
fn tell(error: &clap::Error) -> ExitCode {
    let _unwritable_is_fine = match error.kind() {
        // Where a variable is set, clap finds the line not empty, and would name commands that are not for users.
        ErrorKind::MissingSubcommand => write!(io::stderr(), "{}", Args::command().render_help()),
        _ => error.print(),
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(exit::USAGE),
    }
}
