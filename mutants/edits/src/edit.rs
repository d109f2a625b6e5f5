//! One edit of one file.

use std::ops::Range;

/// A change to a source file that a mutant makes.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    /// The mutant.
    pub mutant: &'static str,
    /// The file, relative to the copied directory.
    pub file: &'static str,
    /// What is replaced, between `«` and `»`, and enough around it to be found once.
    pub text: &'static str,
    /// What stands there instead.
    pub mutated: Mutated,
}

/// What an edit puts in.
#[derive(Debug, Clone, Copy)]
pub enum Mutated {
    /// An expression or statements that run instead while the mutant is awake.
    Instead(&'static str),
    /// A text as it is, in which `ON` is whether the mutant is awake.
    Raw(&'static str),
}

impl Edit {
    pub(crate) const fn instead(
        mutant: &'static str,
        file: &'static str,
        text: &'static str,
        mutated: &'static str,
    ) -> Self {
        Self {
            mutant,
            file,
            text,
            mutated: Mutated::Instead(mutated),
        }
    }

    pub(crate) const fn raw(
        mutant: &'static str,
        file: &'static str,
        text: &'static str,
        mutated: &'static str,
    ) -> Self {
        Self {
            mutant,
            file,
            text,
            mutated: Mutated::Raw(mutated),
        }
    }

    /// Where in `source` the marked part is.
    ///
    /// # Panics
    ///
    /// When the text is not there exactly once.
    pub(crate) fn find(&self, source: &str) -> Range<usize> {
        mark(source, self.text).unwrap_or_else(|reason| panic!("mutant {}: {}: {reason}", self.mutant, self.file))
    }
}

/// The part of `source` that `text` marks with `«` and `»`.
///
/// # Errors
///
/// Why it cannot be found: a mark is missing, or the text is there more than once or not at all.
pub fn mark(source: &str, text: &str) -> Result<Range<usize>, String> {
    let parts: Vec<&str> = text.split(['«', '»']).collect();
    let [before, marked, after] = parts[..] else {
        return Err(format!("one part has to be marked with « and » in:\n{text}"));
    };
    let plain = [before, marked, after].concat();
    let mut places = source.match_indices(&plain).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (None, _) => Err(format!("text not found, the code has moved:\n{plain}")),
        (Some(at), None) => Ok(at + before.len()..at + before.len() + marked.len()),
        (Some(_), Some(_)) => Err(format!("this text is there more than once:\n{plain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_part_is_found_where_its_text_is_there_once() {
        assert_eq!(mark("a = b; c = b;", "c = «b»"), Ok(11..12));
    }

    #[test]
    fn a_text_that_has_moved_or_is_not_alone_is_an_error() {
        assert!(mark("a = b", "c = «b»").unwrap_err().starts_with("text not found"));
        assert!(mark("b b", "«b»").unwrap_err().contains("more than once"));
        assert!(mark("b", "b").unwrap_err().contains("marked"));
    }
}
