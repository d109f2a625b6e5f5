//! `cargo xtask soak`: fresh seeds of all profiles, for as long as there is time.

use std::process::ExitCode;

use crate::step;

/// How long it takes where nothing says.
const MINUTES: &str = "10";
/// Would make the seeds those of the last time.
const SEED_VARIABLE: &str = "SEMAFENCE_SEED";

/// Plays runs with the release build of the command line, whose exit code it hands on; `args` go to `semafence sim`.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let mut command = step::cargo(&["run", "--quiet", "--release", "--package", "semafence-cli", "--", "sim"]);
    command.env_remove(SEED_VARIABLE).args(arguments(args));
    match command.status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("cargo run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let says = |arg: &&str| arg.starts_with("--minutes") || arg.starts_with("--runs") || arg.starts_with("--plan");
    let length: &[&str] = if args.iter().any(says) {
        &[]
    } else {
        &["--minutes", MINUTES]
    };
    [length, args].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_as_long_as_asked_for_or_ten_minutes() {
        assert_eq!(arguments(&[]), ["--minutes", "10"]);
        assert_eq!(
            arguments(&["--minutes", "3", "--keep-going"]),
            ["--minutes", "3", "--keep-going"]
        );
        assert_eq!(arguments(&["--html", "f"]), ["--minutes", "10", "--html", "f"]);
    }
}
