//! How the demo is shown: drawn on a terminal, told line by line elsewhere.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::cast::Cast;
use super::journal::{Event, Journal, What};
use super::sentence;
use super::story::END;
use crate::console::Console;

const MARGIN: usize = 30;
const COLUMNS_MAX: usize = 80;
const CAPTION_LINES: usize = 4;

/// Where the story is told, and how far it has been.
pub(super) enum Screen {
    /// Bars that are drawn again and again.
    Drawn {
        /// Lines to go up before drawing again.
        lines: usize,
    },
    /// Lines, each written once.
    Lines {
        /// Events that have been told.
        told: usize,
    },
    /// Nothing before the end.
    Silent,
}

impl Screen {
    pub(super) fn of(console: &Console) -> Self {
        match (console.json, console.draws()) {
            (true, _) => Self::Silent,
            (false, true) => Self::Drawn { lines: 0 },
            (false, false) => Self::Lines { told: 0 },
        }
    }

    /// Says what this is about.
    pub(super) fn open(&self, cast: &Cast, console: &Console) -> io::Result<()> {
        match self {
            Self::Silent => Ok(()),
            Self::Drawn { .. } | Self::Lines { .. } => console.data(&sentence::introduction(cast)),
        }
    }

    /// Shows what has happened since the last time.
    pub(super) fn show(&mut self, cast: &Cast, journal: &Journal, console: &Console) -> io::Result<()> {
        match self {
            Self::Silent => Ok(()),
            Self::Lines { told } => {
                let events = journal.since(*told);
                *told += events.len();
                console.data(&lines(&events, cast))
            }
            Self::Drawn { lines } => {
                let picture = picture(&journal.since(0), journal.now(), cast);
                let up = if *lines > 0 {
                    format!("\x1b[{lines}A")
                } else {
                    String::new()
                };
                *lines = picture.lines().count();
                console.data(&format!("{up}{picture}"))
            }
        }
    }
}

fn lines(events: &[Event], cast: &Cast) -> String {
    let line = |event: &Event| {
        Some(format!(
            "{:5.2} s  {}\n",
            event.at.as_secs_f64(),
            sentence::of(event, cast)?
        ))
    };
    events.iter().filter_map(line).collect()
}

/// One bar for each worker, and below them what it means.
fn picture(events: &[Event], now: Duration, cast: &Cast) -> String {
    let columns = columns();
    let mut picture = String::new();
    for (number, name) in cast.names().enumerate() {
        let own: Vec<&Event> = events.iter().filter(|event| event.worker == number).collect();
        let bar: String = (0..columns)
            .map(|column| cell(&own, moment(column, columns), now))
            .collect();
        let state = State::at(&own, now).map_or("", State::word);
        line(&mut picture, &format!("  {name:<5} {bar}  {state}"));
    }
    line(&mut picture, &format!("        {}", legend()));
    line(&mut picture, "");
    let told: Vec<String> = events.iter().filter_map(|event| caption(event, cast)).collect();
    for row in 0..CAPTION_LINES {
        // A line that wraps would shift the picture.
        let caption: String = told
            .get(row)
            .into_iter()
            .flat_map(|text| text.chars())
            .take(width() - 1)
            .collect();
        line(&mut picture, &caption);
    }
    picture
}

/// Adds a line that replaces whatever stood there.
fn line(picture: &mut String, text: &str) {
    writeln!(picture, "\x1b[2K{text}").expect("writing to a String succeeds");
}

fn caption(event: &Event, cast: &Cast) -> Option<String> {
    let sentence = sentence::turning_point(event, cast)?;
    Some(format!("  {:4.1} s  {sentence}", event.at.as_secs_f64()))
}

fn cell(own: &[&Event], at: Duration, now: Duration) -> String {
    match State::at(own, at) {
        Some(state) if at <= now => state.cell(),
        _ => " ".to_owned(),
    }
}

fn moment(column: usize, columns: usize) -> Duration {
    let part = u32::try_from(column).unwrap_or(0);
    END * part / u32::try_from(columns).unwrap_or(u32::MAX)
}

fn legend() -> String {
    let part = |state: State| format!("{} {}", state.cell(), state.word());
    [
        State::Waiting,
        State::Inside(0),
        State::Inside(1),
        State::Paused,
        State::Expired,
    ]
    .map(part)
    .join("   ")
}

/// What a worker does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Elsewhere,
    Expired,
    Inside(u32),
    Paused,
    Waiting,
}

impl State {
    fn at(own: &[&Event], at: Duration) -> Option<Self> {
        let last = own.iter().rev().filter(|event| event.at <= at);
        let state = |event: &&Event| match event.what {
            What::Enters { slot, .. } => Some(Self::Inside(slot)),
            What::Leaves | What::Wakes => Some(Self::Elsewhere),
            What::Loses { .. } => Some(Self::Expired),
            What::Pauses => Some(Self::Paused),
            What::Waits => Some(Self::Waiting),
            What::Refused(_) | What::Writes => None,
        };
        last.filter_map(state).next()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Elsewhere => "",
            Self::Expired => "lease over",
            Self::Inside(0) => "in slot 0",
            Self::Inside(_) => "in slot 1",
            Self::Paused => "paused",
            Self::Waiting => "waits",
        }
    }

    fn cell(self) -> String {
        let (color, sign) = match self {
            Self::Elsewhere => (AnsiColor::BrightBlack, ' '),
            Self::Expired => (AnsiColor::Red, '×'),
            Self::Inside(0) => (AnsiColor::Green, '█'),
            Self::Inside(_) => (AnsiColor::Cyan, '█'),
            Self::Paused => (AnsiColor::Yellow, '▒'),
            Self::Waiting => (AnsiColor::BrightBlack, '·'),
        };
        let style: Style = color.on_default();
        format!("{style}{sign}{style:#}")
    }
}

fn columns() -> usize {
    width().saturating_sub(MARGIN).clamp(20, COLUMNS_MAX)
}

#[cfg(unix)]
fn width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| usize::from(size.ws_col).max(1))
}

#[cfg(not(unix))]
fn width() -> usize {
    80
}
