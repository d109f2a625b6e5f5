//! Edits of scripts.

use semafence_mutants_edits::mark;

/// A file of `lua/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `acquire.lua`
    Acquire,
    /// `acquire_free.lua`
    AcquireFree,
    /// `common.lua`
    Common,
    /// `force_release.lua`
    ForceRelease,
    /// `refresh.lua`
    Refresh,
    /// `release.lua`
    Release,
    /// `release_free.lua`
    ReleaseFree,
    /// `resize.lua`
    Resize,
    /// `vote.lua`
    Vote,
}

impl File {
    /// Every file whose script changes data.
    pub const ALL: [Self; 9] = [
        Self::Acquire,
        Self::AcquireFree,
        Self::Common,
        Self::ForceRelease,
        Self::Refresh,
        Self::Release,
        Self::ReleaseFree,
        Self::Resize,
        Self::Vote,
    ];

    /// Its text as it ships.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Acquire => include_str!("../../lua/acquire.lua"),
            Self::AcquireFree => include_str!("../../lua/acquire_free.lua"),
            Self::Common => include_str!("../../lua/common.lua"),
            Self::ForceRelease => include_str!("../../lua/force_release.lua"),
            Self::Refresh => include_str!("../../lua/refresh.lua"),
            Self::Release => include_str!("../../lua/release.lua"),
            Self::ReleaseFree => include_str!("../../lua/release_free.lua"),
            Self::Resize => include_str!("../../lua/resize.lua"),
            Self::Vote => include_str!("../../lua/vote.lua"),
        }
    }
}

/// A change to one of the files.
#[derive(Debug, Clone, Copy)]
pub struct Replace {
    /// In which file.
    pub file: File,
    /// What is replaced, between `«` and `»`, and enough around it to be found once.
    pub text: &'static str,
    /// What stands there instead.
    pub by: &'static str,
}

impl Replace {
    pub(crate) const fn new(file: File, text: &'static str, by: &'static str) -> Self {
        Self { file, text, by }
    }
}

/// A script, which is several files one after another, with the changes that concern it.
///
/// # Panics
///
/// When what is to be replaced is not in its file exactly once.
pub(crate) fn edit(script: &str, changes: &[Replace]) -> String {
    File::ALL.into_iter().fold(script.to_owned(), |script, file| {
        let changes: Vec<&Replace> = changes.iter().filter(|change| change.file == file).collect();
        if changes.is_empty() || !script.contains(file.text()) {
            return script;
        }
        let edited = changes.into_iter().fold(file.text().to_owned(), |text, change| {
            let place = mark(&text, change.text).unwrap_or_else(|reason| panic!("{file:?}: {reason}"));
            [&text[..place.start], change.by, &text[place.end..]].concat()
        });
        script.replace(file.text(), &edited)
    })
}
