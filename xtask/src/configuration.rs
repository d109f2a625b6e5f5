//! A configuration file of Redis.

use std::fs;
use std::io;
use std::path::Path;

/// A configuration file of Redis, one setting a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    text: String,
}

impl Configuration {
    /// The settings of a command line: `--port 1` becomes `port "1"`.
    pub(crate) fn from_args(args: &[String]) -> Self {
        let mut configuration = Self::default();
        for arg in args {
            match arg.strip_prefix("--") {
                Some(name) => configuration.text += &format!("\n{name}"),
                None => configuration.text += &format!(" {}", quoted(arg)),
            }
        }
        configuration.text.push('\n');
        configuration
    }

    /// Adds a setting as it stands in the file.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes `server.conf` into `dir`, and returns its path as a word of a command line.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<String> {
        let path = dir.join("server.conf");
        fs::write(&path, &self.text)?;
        Ok(path.display().to_string())
    }
}

fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_of_a_command_line_is_a_line_with_its_values_in_quotes() {
        let args = ["--port", "1", "--save", "", "--requirepass", "a\" b\\"].map(str::to_owned);

        let configuration = Configuration::from_args(&args);

        let expected = "\nport \"1\"\nsave \"\"\nrequirepass \"a\\\" b\\\\\"\n";
        assert_eq!(configuration.text, expected);
    }
}
