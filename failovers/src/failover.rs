//! One failover of a campaign, as the campaign saw it.

use std::time::Duration;

use xtask::Side;

/// One failover. Times are [`now`](crate::moment::now).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Failover {
    /// When the master was lost.
    pub(crate) began: Duration,
    /// When the first sentinel announced another.
    pub(crate) announced: Duration,
    /// When all was whole again.
    pub(crate) over: Duration,
    pub(crate) split: Option<Split>,
}

/// How the old master of a failover was cut off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Split {
    /// Since when no packet passed between the sides.
    pub(crate) cut: Duration,
    /// Until when.
    pub(crate) healed: Duration,
    /// When the old master was seen to be a replica.
    pub(crate) demoted: Duration,
}

impl Failover {
    /// Whether a process could hear the announcement.
    pub(crate) fn is_heard_by(&self, process: u32) -> bool {
        self.split.is_none() || side_of(process) == Side::Rest
    }
}

/// Where the processes of a split are: half of them with the old master.
pub(crate) fn side_of(process: u32) -> Side {
    if process.is_multiple_of(2) {
        Side::CutOff
    } else {
        Side::Rest
    }
}
