//! How large a space is explored.

use crate::rule::Rule;
use crate::standing::LARGEST_TOKEN;
use crate::world::HOLDERS;

/// A rule and the bounds that make its space finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Which variant of the protocol.
    pub rule: Rule,
    /// How many acquisitions there are, 1 to 4, each by a holder of its own and all at any time.
    pub holders: usize,
    /// How many slots the name has, 1 or 2.
    pub limit: u8,
    /// First proposals are 1 to this, any of them by anybody.
    pub proposals: u8,
    /// How often a holder may ask again with a higher token, 0 to 2.
    pub confirms: u8,
    /// How many restarts without memory there are in all, of any nodes.
    pub amnesias: u8,
    /// How often each holder may refresh its lease, 0 to 2.
    pub refreshes: u8,
    /// Whether a claim that holds its slot overrules, at a node, who has it there and asked under smaller tokens. A refresh
    /// has to find the token of the grant then.
    pub overrules: bool,
    /// Whether worlds keep what no promise to a client depends on: what nodes have on record of holders that have ended,
    /// releases that they were told of, and tokens that have no effect any more.
    ///
    /// Without it there are a hundred times fewer states, and the same ways to break a promise to a client: see the README.
    pub whole: bool,
}

impl Config {
    /// The full rule without restarts and refreshes: three holders, two first proposals, two confirms, not whole.
    #[must_use]
    pub const fn new(limit: u8) -> Self {
        Self {
            rule: Rule::Full,
            holders: 3,
            limit,
            proposals: 2,
            confirms: 2,
            amnesias: 0,
            refreshes: 0,
            overrules: false,
            whole: false,
        }
    }

    /// Whether every world of the space fits into its [packed](crate::packed) form.
    pub(crate) fn fits(&self) -> bool {
        let largest_token = usize::from(self.proposals) + self.holders * usize::from(self.confirms);
        let counts = (1..=HOLDERS).contains(&self.holders) && (1..=2).contains(&self.limit) && self.proposals > 0;
        counts && self.confirms <= 2 && self.refreshes <= 2 && largest_token <= LARGEST_TOKEN
    }

    /// The same bounds with another rule.
    #[must_use]
    pub const fn with(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }
}
