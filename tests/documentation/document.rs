//! The documents, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A document of the repository.
pub(crate) struct Document {
    pub(crate) path: &'static str,
    pub(crate) text: String,
}

/// `[text](target)`.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) text: &'a str,
    pub(crate) target: &'a str,
}

/// How pages that are not read in the repository lead into it.
const REPOSITORY: &str = "https://github.com/semafence/semafence/blob/main/";

impl Document {
    const PATHS: [&'static str; 10] = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deploy/README.md",
        "examples/README.md",
        "lua/README.md",
        "src/guide/backend.md",
        "src/guide/guarantees.md",
        "src/guide/operations.md",
    ];

    pub(crate) fn all() -> Vec<Self> {
        Self::PATHS.into_iter().map(Self::read).collect()
    }

    pub(crate) fn read(path: &'static str) -> Self {
        let text = Self::read_any(path);
        Self { path, text }
    }

    /// The text of any file of the repository.
    pub(crate) fn read_any(path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn links(&self) -> Vec<Link<'_>> {
        let closings = self.text.match_indices("](");
        closings.filter_map(|(middle, _)| self.link_around(middle)).collect()
    }

    fn link_around(&self, middle: usize) -> Option<Link<'_>> {
        let (before, after) = (&self.text[..middle], &self.text[middle + 2..]);
        Some(Link {
            text: &before[before.rfind('[')? + 1..],
            target: &after[..after.find(')')?],
        })
    }

    /// The rows of the table that follows a heading, as cells; without the head.
    pub(crate) fn table(&self, heading: &str) -> Vec<Vec<&str>> {
        let (_, below) = self.text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let lines = below.lines().skip_while(|line| !line.starts_with('|'));
        lines
            .take_while(|line| line.starts_with('|'))
            .skip(2)
            .map(cells)
            .collect()
    }

    /// Whether a link leads to no file of the repository: to a page of the web, an item of the code, a section.
    pub(crate) fn is_elsewhere(&self, target: &str) -> bool {
        let is_a_page = target.contains("://") && !target.starts_with(REPOSITORY);
        target.is_empty() || is_a_page || target.starts_with("crate::")
    }

    /// Where a link into the repository leads: relative, or as it has to be in what is read elsewhere.
    pub(crate) fn resolve(&self, target: &str) -> PathBuf {
        if let Some(path) = target.strip_prefix(REPOSITORY) {
            return root().join(path);
        }
        let directory = Path::new(self.path).parent().expect("a file is in a directory");
        root().join(directory).join(target)
    }
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
