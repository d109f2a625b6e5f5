//! An answer once, or again and again.

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::{Value, json};

use crate::connect::{Client, connect};
use crate::duration;
use crate::failure::Failure;
use crate::settings::Settings;

const CLEAR: &str = "\x1b[H\x1b[2J";

/// Options of commands that can go on looking.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Look again and again, every second or this often; with --json one object a line
    #[arg(
        long,
        value_parser = duration::parse,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1"
    )]
    watch: Option<Duration>,
}

/// An answer in both forms.
pub(crate) struct Answer {
    /// Name of the command in the schema.
    pub(crate) schema: &'static str,
    /// For programs.
    pub(crate) object: Value,
    /// For people.
    pub(crate) text: String,
}

/// Connects, asks, and shows the answer, as often as asked for.
pub(crate) fn show(
    args: &WatchArgs,
    settings: &Settings,
    ask: impl AsyncFn(&Client) -> Result<Answer, Failure>,
) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::internal(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let client = connect(settings).await?;
        loop {
            let answer = ask(&client).await?;
            write(&answer, args, settings)?;
            match args.watch {
                None => return Ok(0),
                Some(interval) => tokio::time::sleep(interval).await,
            }
        }
    })
}

fn write(answer: &Answer, args: &WatchArgs, settings: &Settings) -> Result<(), Failure> {
    let text = if settings.console.json {
        format!("{}\n", with_schema(answer))
    } else if args.watch.is_some() && io::stdout().is_terminal() {
        format!("{CLEAR}{}", answer.text)
    } else {
        answer.text.clone()
    };
    Ok(settings.console.data(&text)?)
}

fn with_schema(answer: &Answer) -> Value {
    let mut object = json!({ "schema": format!("semafence/{}/v1", answer.schema) });
    if let (Some(fields), Some(more)) = (object.as_object_mut(), answer.object.as_object()) {
        fields.extend(more.clone());
    }
    object
}
