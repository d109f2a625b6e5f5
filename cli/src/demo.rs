//! `semafence demo`: a semaphore at work, and what happens when a holder is paused for too long.

mod cast;
mod journal;
mod pausable;
mod screen;
mod sentence;
mod story;
mod verdict;

use std::pin::pin;
use std::time::Duration;

use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;
use cast::Cast;
use journal::Journal;
use screen::Screen;
use story::Story;
use verdict::Verdict;

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(80);

/// Watch a semaphore at work; needs no server
///
/// Five workers share two permits for a few seconds. One of them is paused for longer than its lease lasts, as a
/// suspended machine or a long garbage collection would do; its permit goes to somebody else, and what it writes when
/// it wakes up is refused by its fencing token. At the end the demo checks what it saw.
///
/// Runs on an embedded simulator, or with --url on a real server.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {}

/// Shows it.
pub(crate) fn demo(_args: &DemoArgs, settings: &Settings) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::internal(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(show(settings))
}

async fn show(settings: &Settings) -> Result<u8, Failure> {
    let console = &settings.console;
    let cast = Cast::assemble(settings).await?;
    let journal = Journal::start();
    let story = Story::new(&cast, &journal);
    let mut screen = Screen::of(console);
    screen.open(&cast, console)?;
    let mut played = pin!(story.play());
    loop {
        let ended = tokio::select! {
            biased;
            ended = &mut played => Some(ended),
            () = tokio::time::sleep(FRAME) => None,
        };
        screen.show(&cast, &journal, console)?;
        if let Some(ended) = ended {
            ended?;
            break;
        }
    }
    let verdict = Verdict::of(&journal.since(0), &cast);
    if console.json {
        console.data(&format!("{}\n", verdict.object()))?;
    } else {
        console.data(&verdict.text())?;
    }
    Ok(if verdict.holds() { 0 } else { exit::CHECKS_FAILED })
}
