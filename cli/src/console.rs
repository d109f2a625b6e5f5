//! What the program says: data on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors and warnings.
    Normal,
    /// Each step.
    Verbose,
}

/// Both outputs, and how they are to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    /// Objects instead of sentences.
    pub(crate) json: bool,
    /// Whether colours are used.
    pub(crate) color: ColorChoice,
}

impl Console {
    /// Writes a piece of the answer, without adding a line end.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = AutoStream::new(io::stdout(), self.color).lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Whether the answer goes to a terminal that can be drawn on.
    pub(crate) fn draws(&self) -> bool {
        !self.json && io::stdout().is_terminal() && self.stdout_color() != ColorChoice::Never
    }

    fn stdout_color(&self) -> ColorChoice {
        match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            chosen => chosen,
        }
    }

    /// Tells why the program ends.
    pub(crate) fn error(&self, failure: &Failure) {
        if self.json {
            self.object("error", &failure.message, failure.hint.as_deref(), Some(failure.exit));
            return;
        }
        self.line(ERROR, "semafence", &failure.message);
        if let Some(hint) = &failure.hint {
            self.line(HINT, "     hint", hint);
        }
    }

    /// Tells what the user should know though the program goes on.
    pub(crate) fn warn(&self, text: &str) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        if self.json {
            self.object("warning", text, None, None);
        } else {
            self.line(WARNING, "semafence", text);
        }
    }

    /// Tells what the user should know before the answer comes.
    pub(crate) fn note(&self, text: &str) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        if self.json {
            self.object("info", text, None, None);
        } else {
            self.line(Style::new(), "semafence", text);
        }
    }

    /// Tells a step, where the user asked for that.
    pub(crate) fn step(&self, text: &str) {
        if self.verbosity < Verbosity::Verbose {
            return;
        }
        if self.json {
            self.object("info", text, None, None);
        } else {
            self.line(Style::new(), "semafence", text);
        }
    }

    /// Passes the library's own events on: steps from the second `-v` on, everything from the third.
    pub(crate) fn trace(&self, verbose: u8) {
        let level = match verbose {
            0 | 1 => return,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let colors = self.color != ColorChoice::Never && io::stderr().is_terminal();
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(colors)
            .with_writer(io::stderr)
            .init();
    }

    /// Shows a line that the next one replaces; only a terminal sees it.
    pub(crate) fn transient(&self, text: &str) {
        if !self.shows_transients() {
            return;
        }
        let mut stderr = io::stderr().lock();
        // Nobody is served by an error about an error stream.
        let _unwritable_is_fine = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }

    /// Whether somebody sees a line that is replaced.
    pub(crate) fn shows_transients(&self) -> bool {
        !self.json && self.verbosity > Verbosity::Quiet && io::stderr().is_terminal()
    }

    fn line(&self, style: Style, label: &str, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.color).lock();
        let _unwritable_is_fine = writeln!(stderr, "{style}{label}:{style:#} {text}");
    }

    fn object(&self, level: &str, message: &str, hint: Option<&str>, exit_code: Option<u8>) {
        let object = json!({
            "schema": "semafence/message/v1",
            "level": level,
            "message": message,
            "hint": hint,
            "exit_code": exit_code,
        });
        let _unwritable_is_fine = writeln!(io::stderr().lock(), "{object}");
    }
}
