//! The options of `semafence run`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};
use semafence::Strategy;

use crate::duration;
use crate::exit;

/// Run a command while holding a permit
///
/// Waits for a permit of NAME, runs COMMAND without a shell, keeps the lease alive meanwhile, and gives the permit back
/// once COMMAND and everything in its process group have ended. When the lease cannot be kept, COMMAND is stopped
/// before anybody else can get in.
///
/// COMMAND finds SEMAFENCE_NAME, SEMAFENCE_TOKEN (the fencing token), SEMAFENCE_SLOT, SEMAFENCE_SLOTS,
/// SEMAFENCE_HOLDER, SEMAFENCE_LIMIT, SEMAFENCE_TTL_MS and SEMAFENCE_HELD=1 in its environment.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// Name of the semaphore
    pub(crate) name: String,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required_unless_present = "line", value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
    /// Run this line with /bin/sh instead of a command
    #[arg(
        short = 'c',
        long = "command",
        conflicts_with = "command",
        value_name = "LINE",
        allow_hyphen_values = true
    )]
    pub(crate) line: Option<OsString>,
    /// How many permits there are; 1 is a mutex
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) limit: u32,
    /// How many permits to take, all or none
    #[arg(long, default_value_t = 1, value_name = "K")]
    pub(crate) permits: u32,
    /// Wait this long for the permit, for ever without this option; a bare number is seconds
    #[arg(short, long, value_parser = duration::parse, value_name = "DURATION")]
    pub(crate) wait: Option<Duration>,
    /// Do not wait; the same as --wait 0
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_wait: bool,
    /// How to wait
    #[arg(long, value_enum, default_value_t = StrategyArg::Queue, value_name = "HOW")]
    pub(crate) strategy: StrategyArg,
    /// Exit code when no permit was had in time
    #[arg(short = 'E', long, default_value_t = exit::NOT_ACQUIRED, value_name = "CODE")]
    pub(crate) conflict_exit_code: u8,
    /// Exit code when the lease was lost and the command stopped
    #[arg(long, default_value_t = exit::LOST, value_name = "CODE")]
    pub(crate) lost_exit_code: u8,
    /// How long the lease lasts without renewal: how long others wait after a crash
    #[arg(long, value_parser = duration::parse, default_value = "15s", value_name = "DURATION")]
    pub(crate) ttl: Duration,
    /// How many replicas must have the grant before the command starts
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub(crate) acks: u32,
    /// For how long a server that took over lets nobody in; 0 for no time [default: the ttl behind Sentinel, else 0]
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    pub(crate) failover_grace: Option<Duration>,
    /// What to do with the command when the lease cannot be kept
    #[arg(long, value_enum, default_value_t = OnLost::Terminate, value_name = "WHAT")]
    pub(crate) on_lost: OnLost,
    /// Time from SIGTERM to SIGKILL then [default: 4s, or what fits into a shorter ttl]
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    pub(crate) kill_after: Option<Duration>,
    /// Keep the permit at least this long, for a cron job shorter than the clocks' difference
    #[arg(long, value_parser = duration::parse, default_value = "0", value_name = "DURATION")]
    pub(crate) min_hold: Duration,
    /// Start after a random part of this time
    #[arg(long, value_parser = duration::parse, default_value = "0", value_name = "DURATION")]
    pub(crate) jitter: Duration,
    /// What `status` shows of the holder, beside host, pid and command; may be repeated
    #[arg(long, value_parser = key_value, value_name = "KEY=VALUE")]
    pub(crate) meta: Vec<(String, String)>,
}

const EXIT_CODES: &str = "\
Exit codes: the command's own, 128+s when signal s ended it; 64 usage, 69 server unreachable or too few replicas, 70 internal,
75 not acquired, 77 no permission, 78 configuration, 79 lease lost, 126 cannot execute, 127 not found,
128+s stopped by signal s while waiting.";

/// How to wait, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// First come, first served
    Queue,
    /// Be woken by a release and try again; newcomers may be faster
    Notify,
    /// Try again and again; for servers without pub/sub
    Poll,
}

impl From<StrategyArg> for Strategy {
    fn from(arg: StrategyArg) -> Self {
        match arg {
            StrategyArg::Notify => Self::Notify,
            StrategyArg::Poll => Self::Poll,
            StrategyArg::Queue => Self::Queue,
        }
    }
}

/// What to do with the command when the lease cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnLost {
    /// SIGTERM once a third of the ttl is left, SIGKILL before the lease can end
    Terminate,
    /// Say so and let it run: others may get in beside it
    Continue,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
