//! What is over is over, and what happens once happens once.

use std::collections::BTreeMap;

use crate::check::facts::Facts;
use crate::check::life::op;
use crate::check::{Invariant, Report};
use crate::history::{Event, Op, What};

/// What has been told of an acquisition so far.
#[derive(Debug, Default)]
struct Told {
    asked: bool,
    answered: bool,
    lost: bool,
}

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut told: BTreeMap<Op, Told> = BTreeMap::new();
    for event in &facts.history.events {
        let op = match &event.what {
            What::Asked(asked) => Some(asked.op),
            what => op(what),
        };
        let Some(op) = op else { continue };
        if let Some(wrong) = told.entry(op).or_default().see(event) {
            report.add(Invariant::LossFinal, event.at, [op], format!("{op} {wrong}"));
        }
    }
}

impl Told {
    /// What is wrong with an event, if something is.
    fn see(&mut self, event: &Event) -> Option<&'static str> {
        match event.what {
            What::Asked(_) => std::mem::replace(&mut self.asked, true).then_some("is asked for twice"),
            _ if !self.asked => Some("was never asked for"),
            What::Granted { .. } if self.lost => Some("is granted after its loss"),
            What::Granted { .. } | What::Ended { .. } => {
                std::mem::replace(&mut self.answered, true).then_some("is answered twice")
            }
            What::Lost { .. } => std::mem::replace(&mut self.lost, true).then_some("is lost twice"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn after_loss(what: &str) -> Vec<Invariant> {
        let text = format!("0 ask 1 by 1\n5 grant 1 token=5\n500 lose 1 closed\n{what}");
        story(&text).broken()
    }

    #[test]
    fn nothing_comes_after_a_loss() {
        assert_eq!(after_loss("600 lose 1 closed"), [Invariant::LossFinal]);
        assert_eq!(after_loss("600 grant 1 token=5"), [Invariant::LossFinal]);
    }

    #[test]
    fn one_call_has_one_answer() {
        assert_eq!(
            story("0 ask 1 by 1\n5 cancel 1\n6 busy 1").broken(),
            [Invariant::LossFinal]
        );
        assert_eq!(story("5 cancel 1").broken(), [Invariant::LossFinal]);
        assert_eq!(story("5 ask 1 by 1\n6 busy 1").broken(), []);
    }
}
