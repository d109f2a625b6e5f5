//! The configuration file: `./semafence.toml`, or `semafence/config.toml` in the user's configuration directory.

use std::env;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use crate::args::Color;
use crate::failure::Failure;

/// What a file may set; flags and environment win over it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ConfigFile {
    /// Address of the server.
    pub(crate) url: Option<String>,
    /// Namespace of all names.
    pub(crate) namespace: Option<String>,
    /// File with the password; relative to the directory of this file.
    pub(crate) password_file: Option<PathBuf>,
    /// When to use colours.
    pub(crate) color: Option<Color>,
}

impl ConfigFile {
    /// The named file, which must exist; without a name the file in the working directory, completed by the user's.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            return Self::read(path)?.ok_or_else(|| Failure::config(format!("there is no file {}", path.display())));
        }
        let local = Self::read(Path::new("semafence.toml"))?.unwrap_or_default();
        let user = match user_file() {
            Some(path) => Self::read(&path)?.unwrap_or_default(),
            None => Self::default(),
        };
        Ok(local.or(user))
    }

    fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::config(format!("cannot read {}: {error}", path.display()))),
        };
        Self::parse(&text, path).map(Some)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        // The parser's own report quotes the line, which may hold a password: only its message is shown.
        let wrong = |error: toml::de::Error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let message = format!("{}, line {line}: {}", path.display(), error.message());
            Failure::config(message).hint("known settings: url, namespace, password-file, color")
        };
        let mut file: Self = toml::from_str(text).map_err(wrong)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        file.password_file = file.password_file.map(|secret| directory.join(secret));
        Ok(file)
    }

    fn or(self, other: Self) -> Self {
        Self {
            url: self.url.or(other.url),
            namespace: self.namespace.or(other.namespace),
            password_file: self.password_file.or(other.password_file),
            color: self.color.or(other.color),
        }
    }
}

fn user_file() -> Option<PathBuf> {
    let directory = if cfg!(windows) {
        PathBuf::from(env::var_os("APPDATA")?)
    } else {
        match env::var_os("XDG_CONFIG_HOME").filter(|path| Path::new(path).is_absolute()) {
            Some(path) => PathBuf::from(path),
            None => env::home_dir()?.join(".config"),
        }
    };
    Some(directory.join("semafence/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, Failure> {
        ConfigFile::parse(text, Path::new("etc/semafence.toml"))
    }

    #[test]
    fn a_password_file_is_relative_to_the_file_that_names_it() {
        let file = parse("url = 'redis://h/'\npassword-file = 'secret'\ncolor = 'never'").unwrap();

        assert_eq!(file.password_file, Some(PathBuf::from("etc/secret")));
        assert_eq!(file.color, Some(Color::Never));
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line_and_nothing_is_quoted() {
        let failure = parse("\nurl = 'redis://:hunter2@h/'\nlimit = 'hunter2'").unwrap_err();

        assert!(
            failure
                .message
                .starts_with("etc/semafence.toml, line 3: unknown field `limit`"),
            "{failure}"
        );
        assert!(!format!("{failure:?}").contains("hunter2"));
    }

    #[test]
    fn the_working_directory_wins_over_the_user() {
        let local = parse("url = 'redis://local/'").unwrap();
        let user = parse("url = 'redis://user/'\nnamespace = 'billing'").unwrap();

        let both = local.or(user);

        assert_eq!(both.url.as_deref(), Some("redis://local/"));
        assert_eq!(both.namespace.as_deref(), Some("billing"));
    }
}
