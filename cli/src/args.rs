//! The command line as typed.

use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::demo::DemoArgs;
use crate::ls::LsArgs;
#[cfg(unix)]
use crate::run::{ExecArgs, GuardArgs, RunArgs};
use crate::sim::SimArgs;
use crate::status::StatusArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

/// Distributed semaphores and mutexes on Redis or Valkey: at most N holders across machines.
#[derive(Debug, Parser)]
#[command(name = "semafence", version, styles = STYLES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Address of the server, such as redis://user:password@host:6379/0; rediss:// for TLS
    #[arg(
        long,
        global = true,
        env = "SEMAFENCE_URL",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    pub(crate) url: Option<String>,
    /// Keeps applications that share a server apart [default: semafence]
    #[arg(
        long,
        global = true,
        env = "SEMAFENCE_NAMESPACE",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    pub(crate) namespace: Option<String>,
    /// Configuration file, instead of ./semafence.toml and the user's
    #[arg(
        long,
        global = true,
        env = "SEMAFENCE_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) config: Option<OsString>,
    /// File with the server's password; or set SEMAFENCE_PASSWORD
    #[arg(
        long,
        global = true,
        env = "SEMAFENCE_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) password_file: Option<OsString>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say each step; twice: the library's own events too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Answer with JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours [default: auto]
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    pub(crate) color: Option<Color>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    #[cfg(unix)]
    Run(RunArgs),
    Status(StatusArgs),
    Ls(LsArgs),
    Sim(SimArgs),
    #[cfg(unix)]
    #[command(name = "__guard", hide = true)]
    Guard(GuardArgs),
    #[cfg(unix)]
    #[command(name = "__exec", hide = true)]
    Exec(ExecArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
