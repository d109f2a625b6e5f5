//! The spaces that are explored.

use crate::config::Config;
use crate::mark::Mark;
use crate::rule::Rule;

/// A space of the full rule, with what has to occur in it.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// What it is about.
    pub name: &'static str,
    /// Its bounds.
    pub config: Config,
    /// What has to occur, beyond what has to occur in every space of the full rule.
    pub marks: &'static [Mark],
}

impl Space {
    /// One slot, asked for four times.
    pub const ONE_SLOT: Self = Self {
        name: "one slot",
        config: Config {
            holders: 4,
            ..Config::new(1)
        },
        marks: &[Mark::ConfirmedTwice, Mark::SplitVotes],
    };
    /// Two slots, asked for three times.
    pub const TWO_SLOTS: Self = Self {
        name: "two slots",
        config: Config {
            confirms: 1,
            ..Config::new(2)
        },
        marks: &[Mark::SplitVotes, Mark::TwoHold],
    };
    /// One slot, and two restarts without memory, of one node or of two.
    pub const RESTARTS: Self = Self {
        name: "one slot, two restarts",
        config: Config {
            amnesias: 2,
            ..Config::new(1)
        },
        marks: &[
            Mark::ConfirmedTwice,
            Mark::SplitVotes,
            Mark::Amnesia,
            Mark::AmnesiaOfMajority,
            Mark::GraceEnd,
        ],
    };
    /// One slot, and three restarts: also all nodes at once.
    pub const ALL_RESTART: Self = Self {
        name: "one slot, three restarts",
        config: Config {
            amnesias: 3,
            confirms: 1,
            ..Config::new(1)
        },
        marks: &[Mark::SplitVotes, Mark::Amnesia, Mark::AmnesiaOfMajority, Mark::GraceEnd],
    };
    /// Two slots and a restart.
    pub const TWO_SLOTS_RESTART: Self = Self {
        name: "two slots, a restart",
        config: Config {
            amnesias: 1,
            proposals: 1,
            confirms: 1,
            ..Config::new(2)
        },
        marks: &[Mark::TwoHold, Mark::Amnesia, Mark::VoteInGrace, Mark::GraceEnd],
    };
    /// One slot, a restart, and leases that are refreshed twice.
    pub const REFRESHES: Self = Self {
        name: "one slot, a restart, two refreshes",
        config: Config {
            amnesias: 1,
            confirms: 1,
            refreshes: 2,
            ..Config::new(1)
        },
        marks: &[
            Mark::Amnesia,
            Mark::Renewal,
            Mark::TakenIn,
            Mark::StaleExpiry,
            Mark::VoteOfHolder,
        ],
    };
    /// One slot, two restarts, and leases that are refreshed twice.
    pub const REFRESHES_RESTARTS: Self = Self {
        name: "one slot, two restarts, two refreshes",
        config: Config {
            amnesias: 2,
            confirms: 1,
            refreshes: 2,
            ..Config::new(1)
        },
        marks: &[
            Mark::AmnesiaOfMajority,
            Mark::Renewal,
            Mark::TakenIn,
            Mark::StaleExpiry,
            Mark::VoteOfHolder,
        ],
    };
    /// Two slots, a restart, and leases that are refreshed.
    pub const TWO_SLOTS_REFRESH: Self = Self {
        name: "two slots, a restart, a refresh",
        config: Config {
            amnesias: 1,
            confirms: 0,
            refreshes: 1,
            ..Config::new(2)
        },
        marks: &[
            Mark::TwoHold,
            Mark::Amnesia,
            Mark::Renewal,
            Mark::TakenIn,
            Mark::StaleExpiry,
        ],
    };
    /// One slot, with everything that nodes keep of holders that have ended.
    pub const WHOLE: Self = Self {
        name: "whole: one slot",
        config: Config {
            proposals: 1,
            confirms: 1,
            whole: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::Expiry,
            Mark::VoteAfterRelease,
            Mark::ReleaseFirst,
            Mark::SplitVotes,
        ],
    };
    /// Two slots, with everything that nodes keep of holders that have ended.
    pub const WHOLE_TWO_SLOTS: Self = Self {
        name: "whole: two slots",
        config: Config {
            holders: 2,
            confirms: 1,
            whole: true,
            ..Config::new(2)
        },
        marks: &[Mark::Expiry, Mark::VoteAfterRelease, Mark::ReleaseFirst, Mark::TwoHold],
    };
    /// One slot and a restart, with everything that nodes keep of holders that have ended.
    pub const WHOLE_RESTART: Self = Self {
        name: "whole: one slot, a restart",
        config: Config {
            holders: 2,
            amnesias: 1,
            confirms: 1,
            whole: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::Expiry,
            Mark::VoteAfterRelease,
            Mark::ReleaseFirst,
            Mark::Amnesia,
            Mark::GraceEnd,
        ],
    };
    /// One slot, a restart and a refresh, with everything that nodes keep of holders that have ended.
    pub const WHOLE_REFRESH: Self = Self {
        name: "whole: one slot, a restart, a refresh",
        config: Config {
            holders: 2,
            amnesias: 1,
            confirms: 0,
            refreshes: 1,
            whole: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::Expiry,
            Mark::VoteAfterRelease,
            Mark::Renewal,
            Mark::TakenIn,
            Mark::StaleExpiry,
        ],
    };
    /// One slot, whose holders overrule.
    pub const OVERRULES: Self = Self {
        name: "overruling: one slot",
        config: Config {
            overrules: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::ConfirmedTwice,
            Mark::SplitVotes,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// Two slots, whose holders overrule.
    pub const OVERRULES_TWO_SLOTS: Self = Self {
        name: "overruling: two slots",
        config: Config {
            confirms: 1,
            overrules: true,
            ..Config::new(2)
        },
        marks: &[Mark::SplitVotes, Mark::TwoHold, Mark::Overruled, Mark::OverruledLate],
    };
    /// One slot, whose holders overrule, and a restart without memory.
    pub const OVERRULES_RESTART: Self = Self {
        name: "overruling: one slot, a restart",
        config: Config {
            amnesias: 1,
            overrules: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::ConfirmedTwice,
            Mark::Amnesia,
            Mark::VoteInGrace,
            Mark::GraceEnd,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// One slot, whose holders overrule and refresh their leases.
    pub const OVERRULES_REFRESH: Self = Self {
        name: "overruling: one slot, a refresh",
        config: Config {
            refreshes: 1,
            overrules: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::ConfirmedTwice,
            Mark::Renewal,
            Mark::StaleExpiry,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// One slot, whose holders overrule and refresh their leases, and a restart without memory.
    pub const OVERRULES_RESTART_REFRESH: Self = Self {
        name: "overruling: one slot, a restart, a refresh",
        config: Config {
            amnesias: 1,
            confirms: 1,
            refreshes: 1,
            overrules: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::Amnesia,
            Mark::Renewal,
            Mark::TakenIn,
            Mark::StaleExpiry,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// One slot, whose holders overrule, with everything that nodes keep of holders that have ended.
    pub const WHOLE_OVERRULES: Self = Self {
        name: "whole, overruling: one slot",
        config: Config {
            holders: 2,
            overrules: true,
            whole: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::ConfirmedTwice,
            Mark::Expiry,
            Mark::VoteAfterRelease,
            Mark::ReleaseFirst,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// One slot, whose holders overrule, and a restart, with everything that nodes keep of holders that have ended.
    pub const WHOLE_OVERRULES_RESTART: Self = Self {
        name: "whole, overruling: one slot, a restart",
        config: Config {
            amnesias: 1,
            confirms: 0,
            overrules: true,
            whole: true,
            ..Config::new(1)
        },
        marks: &[
            Mark::Expiry,
            Mark::VoteAfterRelease,
            Mark::ReleaseFirst,
            Mark::SplitVotes,
            Mark::Amnesia,
            Mark::GraceEnd,
            Mark::Overruled,
            Mark::OverruledLate,
        ],
    };
    /// Those that are explored by every test run, within a minute and a half on one core.
    pub const ALL: [Self; 19] = [
        Self::ONE_SLOT,
        Self::TWO_SLOTS,
        Self::RESTARTS,
        Self::ALL_RESTART,
        Self::TWO_SLOTS_RESTART,
        Self::REFRESHES,
        Self::REFRESHES_RESTARTS,
        Self::TWO_SLOTS_REFRESH,
        Self::WHOLE,
        Self::WHOLE_TWO_SLOTS,
        Self::WHOLE_RESTART,
        Self::WHOLE_REFRESH,
        Self::OVERRULES,
        Self::OVERRULES_TWO_SLOTS,
        Self::OVERRULES_RESTART,
        Self::OVERRULES_REFRESH,
        Self::OVERRULES_RESTART_REFRESH,
        Self::WHOLE_OVERRULES,
        Self::WHOLE_OVERRULES_RESTART,
    ];
    /// Those that take longer.
    pub const LARGE: [Self; 11] = [
        Self {
            name: "large: two slots, a restart, a refresh",
            config: Config {
                amnesias: 1,
                proposals: 1,
                confirms: 1,
                refreshes: 1,
                ..Config::new(2)
            },
            marks: &[
                Mark::Confirmed,
                Mark::TwoHold,
                Mark::Amnesia,
                Mark::Renewal,
                Mark::TakenIn,
                Mark::StaleExpiry,
            ],
        },
        Self {
            name: "large: one slot, four holders, a restart",
            config: Config {
                holders: 4,
                amnesias: 1,
                ..Config::new(1)
            },
            marks: &[Mark::ConfirmedTwice, Mark::SplitVotes, Mark::Amnesia, Mark::GraceEnd],
        },
        Self {
            name: "large: two slots, four holders",
            config: Config {
                holders: 4,
                proposals: 1,
                confirms: 1,
                ..Config::new(2)
            },
            marks: &[Mark::SplitVotes, Mark::TwoHold],
        },
        Self {
            name: "large: two slots, two confirms",
            config: Config::new(2),
            marks: &[Mark::ConfirmedTwice, Mark::SplitVotes, Mark::TwoHold],
        },
        Self {
            name: "large: two slots, a restart",
            config: Config {
                amnesias: 1,
                confirms: 1,
                ..Config::new(2)
            },
            marks: &[Mark::TwoHold, Mark::Amnesia, Mark::VoteInGrace, Mark::GraceEnd],
        },
        Self {
            name: "large: two slots, two restarts",
            config: Config {
                amnesias: 2,
                proposals: 1,
                confirms: 1,
                ..Config::new(2)
            },
            marks: &[Mark::TwoHold, Mark::Amnesia, Mark::AmnesiaOfMajority, Mark::GraceEnd],
        },
        Self {
            name: "large, overruling: one slot, four holders",
            config: Config {
                holders: 4,
                proposals: 1,
                overrules: true,
                ..Config::new(1)
            },
            marks: &[
                Mark::ConfirmedTwice,
                Mark::SplitVotes,
                Mark::Overruled,
                Mark::OverruledLate,
            ],
        },
        Self {
            name: "large, overruling: one slot, two restarts, two refreshes",
            config: Config {
                amnesias: 2,
                confirms: 1,
                refreshes: 2,
                overrules: true,
                ..Config::new(1)
            },
            marks: &[
                Mark::AmnesiaOfMajority,
                Mark::Renewal,
                Mark::TakenIn,
                Mark::StaleExpiry,
                Mark::Overruled,
                Mark::OverruledLate,
            ],
        },
        Self {
            name: "large, overruling: two slots, a restart, a refresh",
            config: Config {
                amnesias: 1,
                proposals: 1,
                confirms: 1,
                refreshes: 1,
                overrules: true,
                ..Config::new(2)
            },
            marks: &[
                Mark::TwoHold,
                Mark::Amnesia,
                Mark::Renewal,
                Mark::TakenIn,
                Mark::StaleExpiry,
                Mark::Overruled,
                Mark::OverruledLate,
            ],
        },
        Self {
            name: "large, whole, overruling: one slot, three holders",
            config: Config {
                proposals: 1,
                confirms: 1,
                overrules: true,
                whole: true,
                ..Config::new(1)
            },
            marks: &[
                Mark::Expiry,
                Mark::VoteAfterRelease,
                Mark::ReleaseFirst,
                Mark::SplitVotes,
                Mark::Overruled,
                Mark::OverruledLate,
            ],
        },
        Self {
            name: "large, whole, overruling: one slot, a restart, a refresh",
            config: Config {
                holders: 2,
                amnesias: 1,
                proposals: 1,
                confirms: 1,
                refreshes: 1,
                overrules: true,
                whole: true,
                ..Config::new(1)
            },
            marks: &[
                Mark::Expiry,
                Mark::VoteAfterRelease,
                Mark::Renewal,
                Mark::TakenIn,
                Mark::StaleExpiry,
                Mark::Overruled,
                Mark::OverruledLate,
            ],
        },
    ];

    /// The bounds within which a wrong rule is seen to be wrong.
    #[must_use]
    pub const fn of(rule: Rule) -> Config {
        let restart = Config {
            holders: 2,
            amnesias: 1,
            ..Config::new(1)
        };
        let config = match rule {
            Rule::Counting => Config {
                proposals: 3,
                confirms: 0,
                ..Config::new(2)
            },
            Rule::NoGrace | Rule::GraceOfGrants | Rule::NoGuard | Rule::GuardOfGrants | Rule::EarlyExpiry => restart,
            Rule::TakeInAnybody => Config {
                refreshes: 1,
                ..restart
            },
            Rule::TakeInBacked => Config {
                refreshes: 2,
                ..restart
            },
            Rule::OverruleAnybody | Rule::OverruleByConfirm => Config {
                overrules: true,
                ..Config::new(1)
            },
            Rule::RefreshOfAnyRecord => Config {
                confirms: 1,
                refreshes: 1,
                overrules: true,
                ..Config::new(1)
            },
            Rule::NoTombstone => Config {
                whole: true,
                ..Config::new(1)
            },
            Rule::Full | Rule::OnePhase | Rule::NoConfirm | Rule::NotStrict => Config::new(2),
        };
        config.with(rule)
    }
}
