//! The mutexes that the processes above this one hold: asking for one of them again would never end.

use std::env;
use std::ffi::OsStr;

use crate::failure::Failure;

const VARIABLE: &str = "SEMAFENCE_HELD_ABOVE";

/// Mutexes held further up, as namespace and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ancestry(Vec<(String, String)>);

impl Ancestry {
    /// Of this process. What is no list, because somebody else set it, is none.
    pub(super) fn inherited() -> Self {
        Self::parse(
            env::var_os(VARIABLE)
                .as_deref()
                .and_then(OsStr::to_str)
                .unwrap_or_default(),
        )
    }

    fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// Refuses a semaphore of one that is already held above.
    pub(super) fn check(&self, namespace: &str, name: &str, limit: u32) -> Result<(), Failure> {
        let held = self.0.iter().any(|(above, held)| above == namespace && held == name);
        if !held || limit > 1 {
            return Ok(());
        }
        let message = format!("this command runs under `semafence run {name}` already, so it would wait for itself");
        Err(Failure::usage(message).hint("leave the inner `semafence run` out, or give it another name"))
    }

    /// The variable for a command that runs under `name`.
    pub(super) fn below(mut self, namespace: &str, name: &str, limit: u32) -> (&'static str, String) {
        if limit == 1 {
            self.0.push((namespace.to_owned(), name.to_owned()));
        }
        let text = serde_json::to_string(&self.0).expect("pairs of strings are JSON");
        (VARIABLE, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn a_mutex_held_at_any_height_is_refused_and_nothing_else() {
        let (_, outer) = Ancestry::default().below("ns", "a", 1);
        let (_, inner) = Ancestry::parse(&outer).below("ns", "b", 2);
        let ancestry = Ancestry::parse(&inner);

        assert_eq!(ancestry.check("ns", "a", 1).unwrap_err().exit, exit::USAGE);
        assert_eq!(ancestry.check("other", "a", 1), Ok(()));
        assert_eq!(ancestry.check("ns", "a", 2), Ok(()));
        assert_eq!(ancestry.check("ns", "b", 1), Ok(()));
        assert_eq!(Ancestry::parse("rubbish"), Ancestry::default());
    }
}
