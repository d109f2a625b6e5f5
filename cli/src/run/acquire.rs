//! Getting the permit: what is asked for, and what the user sees meanwhile.

use std::process;
use std::time::Duration;

use rustix::system::uname;
use semafence::{Error, OwnedPermit, Permit, Status};
use tokio::time::Instant;

use super::args::RunArgs;
use crate::connect::{Client, Semaphore};
use crate::duration::short;
use crate::failure::Failure;
use crate::meta;
use crate::report;
use crate::settings::Settings;

/// How often the place in the queue is looked up, where a terminal shows it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Words of the command's name that `status` shows; all metadata together may have 1 KiB.
const COMMAND_CHARACTERS_MAX: usize = 200;

/// What came of it.
pub(super) enum Acquired {
    Permit(OwnedPermit),
    /// No permit in time; the user has been told.
    Busy,
}

/// Gets a permit as asked for.
///
/// # Cancel safety
///
/// The place in the queue is given up, as for [`semafence::Semaphore::acquire`].
pub(super) async fn acquire(args: &RunArgs, settings: &Settings, client: &Client) -> Result<Acquired, Failure> {
    let semaphore = semaphore(args, client)?;
    let started = Instant::now();
    let permit = tokio::select! {
        biased;
        permit = attempt(args, &semaphore) => permit,
        never = show_progress(&semaphore, settings, started) => never,
    };
    settings.console.transient("");
    match permit {
        Ok(Some(permit)) => {
            let (name, token, slot) = (permit.name(), permit.token(), permit.slot());
            let waited = short(started.elapsed());
            settings
                .console
                .step(&format!("acquired {name} after {waited}: slot {slot}, token {token}"));
            if let Some(other) = permit.other_limit() {
                let ours = permit.limit();
                settings.console.warn(&format!(
                    "{name} has a limit of {ours} here, but {other} elsewhere: each counts by its own"
                ));
            }
            Ok(Acquired::Permit(permit))
        }
        Ok(None) | Err(Error::TimedOut { .. }) => {
            let who = semaphore
                .status()
                .await
                .map(|status| holders(&status))
                .unwrap_or_default();
            let waited = wait_limit(args).map_or_else(String::new, |wait| format!(" within {}", short(wait)));
            settings
                .console
                .warn(&format!("no permit of {}{waited}{who}", args.name));
            Ok(Acquired::Busy)
        }
        Err(error @ (Error::QueueFull { .. } | Error::Removed { .. })) => {
            settings.console.warn(&error.to_string());
            Ok(Acquired::Busy)
        }
        Err(error) => Err(error.into()),
    }
}

async fn attempt(args: &RunArgs, semaphore: &Semaphore) -> Result<Option<OwnedPermit>, Error> {
    if waits(args) {
        semaphore
            .acquire_many(args.permits)
            .await
            .map(|permit| Some(permit.into_owned()))
    } else {
        let permit = semaphore.try_acquire_many(args.permits).await?;
        Ok(permit.map(Permit::into_owned))
    }
}

fn waits(args: &RunArgs) -> bool {
    !args.no_wait && args.wait != Some(Duration::ZERO)
}

fn wait_limit(args: &RunArgs) -> Option<Duration> {
    args.wait.filter(|_| waits(args))
}

fn semaphore(args: &RunArgs, client: &Client) -> Result<Semaphore, Failure> {
    let command = args
        .command
        .first()
        .map_or_else(|| "sh -c".into(), |program| program.to_string_lossy());
    let mut builder = client
        .semaphore(&args.name, args.limit)
        .ttl(args.ttl)
        .acquire_timeout(wait_limit(args))
        .strategy(args.strategy.into())
        .acks(args.acks)
        .failover_grace(args.failover_grace)
        .meta("host", uname().nodename().to_string_lossy())
        .meta("pid", process::id().to_string())
        // Without its arguments: they may hold secrets, and everybody on the server can read this.
        .meta("command", command.chars().take(COMMAND_CHARACTERS_MAX).collect::<String>());
    for (key, value) in &args.meta {
        builder = builder.meta(key, value);
    }
    Ok(builder.build()?)
}

/// Shows the place in the queue, where somebody can see it. Never returns.
async fn show_progress<T>(semaphore: &Semaphore, settings: &Settings, started: Instant) -> T {
    if !settings.console.shows_transients() {
        return std::future::pending().await;
    }
    let own = &semaphore.config().meta;
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let waited = short(started.elapsed());
        let place = match semaphore.status().await {
            Ok(status) => place(&status, own).unwrap_or_default() + &grace(&status),
            Err(_) => ", the server does not answer".to_owned(),
        };
        settings
            .console
            .transient(&format!("waiting for {} for {waited}{place} …", semaphore.name()));
    }
}

fn place(status: &Status, own: &std::collections::BTreeMap<String, String>) -> Option<String> {
    let place = status
        .waiters
        .iter()
        .position(|waiter| meta::parse(&waiter.meta) == *own)?;
    Some(format!(", {} of {}", ordinal(place + 1), status.waiters_total))
}

fn grace(status: &Status) -> String {
    report::grace(status)
        .map(|grace| format!("; {grace}"))
        .unwrap_or_default()
}

fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Up to three holders, as the end of a sentence.
fn holders(status: &Status) -> String {
    let shown: Vec<String> = status
        .holders
        .iter()
        .take(3)
        .map(|holder| meta::inline(&holder.meta))
        .collect();
    match status.holders.len() {
        0 => String::new(),
        total if total > shown.len() => format!("; held by {} and {} more", shown.join("; "), total - shown.len()),
        _ => format!("; held by {}", shown.join("; ")),
    }
}

/// A random part of `longest`, evenly.
pub(super) fn random_part(longest: Duration) -> Result<Duration, Failure> {
    if longest.is_zero() {
        return Ok(longest);
    }
    let random = getrandom::u32().map_err(|error| Failure::internal(format!("no random numbers: {error}")))?;
    Ok(longest.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_people_do() {
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(ordinal);

        assert_eq!(
            ordinals,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"
            ]
        );
    }
}
