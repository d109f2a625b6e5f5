//! `semafence ls`: the semaphores of a namespace.

use semafence::{Name, Status};
use serde_json::{Value, json};

use crate::connect::Client;
use crate::failure::Failure;
use crate::report;
use crate::settings::Settings;
use crate::watch::{Answer, WatchArgs, show};

/// List the semaphores that are in use or were within the last hour
#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    /// Only names of this form; * stands for any text, ? for one character
    #[arg(default_value = "*", hide_default_value = true)]
    pattern: String,
    #[command(flatten)]
    watch: WatchArgs,
}

/// Lists them.
pub(crate) fn ls(args: &LsArgs, settings: &Settings) -> Result<u8, Failure> {
    show(&args.watch, settings, async |client| {
        let statuses = statuses(client, &args.pattern).await?;
        let semaphores: Vec<Value> = statuses.iter().map(report::summary).collect();
        Ok(Answer {
            schema: "ls",
            object: json!({ "namespace": client.namespace(), "semaphores": semaphores }),
            text: report::overview(&statuses),
        })
    })
}

async fn statuses(client: &Client, pattern: &str) -> Result<Vec<Status>, Failure> {
    let mut names: Vec<Name> = client.names().await?;
    names.retain(|name| matches(pattern, name.as_str()));
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut statuses = Vec::with_capacity(names.len());
    for name in names {
        statuses.push(client.status(name.as_str()).await?);
    }
    Ok(statuses)
}

/// Whether the text has the form of the pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // The last star and how much of the text it stands for: on a mismatch it takes one character more.
    let mut star = None;
    while seen < text.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(&expected), _) if expected == '?' || expected == text[seen] => {
                at += 1;
                seen += 1;
            }
            (_, Some((position, until))) => {
                star = Some((position, until + 1));
                at = position + 1;
                seen = until + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|&left| left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b"),
            ("db-?", "db-1"),
            ("*-x-*", "a-x-x-b"),
            ("a*b*c", "aXbYbc"),
            ("", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("?", ""), ("db-?", "db-10"), ("a*b", "abc"), ("", "a"), ("A", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
