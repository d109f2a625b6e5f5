//! The global settings, from flag, environment, file and default, in this order.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use anstream::ColorChoice;
use semafence::DEFAULT_NAMESPACE;

use crate::address::Address;
use crate::args::{Color, Global};
use crate::config_file::ConfigFile;
use crate::console::{Console, Verbosity};
use crate::failure::Failure;

/// What every command needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where the semaphores are kept, if anything says so.
    pub(crate) address: Option<Address>,
    /// Namespace of all names.
    pub(crate) namespace: String,
    /// The outputs.
    pub(crate) console: Console,
}

impl Settings {
    /// Puts the four sources together.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let file = ConfigFile::load(path(&global.config))?;
        let text = given(&global.url).or(file.url.as_deref());
        let password = password(path(&global.password_file).or(file.password_file.as_deref()))?;
        Ok(Self {
            address: text.map(|text| Address::parse(text, password)).transpose()?,
            namespace: given(&global.namespace)
                .or(file.namespace.as_deref())
                .unwrap_or(DEFAULT_NAMESPACE)
                .to_owned(),
            console: console(global, file.color),
        })
    }
}

/// The outputs alone, for a command that needs no server: it minds no address that is set for others.
pub(crate) fn outputs(global: &Global) -> Result<Console, Failure> {
    let file = ConfigFile::load(path(&global.config))?;
    Ok(console(global, file.color))
}

/// The outputs as far as flags alone decide, for errors that come before the settings.
pub(crate) fn console(global: &Global, fallback: Option<Color>) -> Console {
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    let color = match global.color.or(fallback).unwrap_or(Color::Auto) {
        Color::Always => ColorChoice::Always,
        Color::Auto => ColorChoice::Auto,
        Color::Never => ColorChoice::Never,
    };
    Console {
        verbosity,
        json: global.json,
        color,
    }
}

/// A variable that is set to nothing counts as not set.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn path(text: &Option<OsString>) -> Option<&Path> {
    text.as_deref().filter(|text| !text.is_empty()).map(Path::new)
}

fn password(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else {
        return Ok(env::var("SEMAFENCE_PASSWORD")
            .ok()
            .filter(|password| !password.is_empty()));
    };
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::config(format!("cannot read the password file {}: {error}", path.display())))?;
    // One line end, as editors leave it; anything else may be part of the password.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let password = line.strip_suffix('\r').unwrap_or(line);
    if password.is_empty() {
        return Err(Failure::config(format!(
            "the password file {} is empty",
            path.display()
        )));
    }
    Ok(Some(password.to_owned()))
}
