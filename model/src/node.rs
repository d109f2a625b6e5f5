//! What a node knows of the name as a whole.

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How many of them are a majority.
pub(crate) const MAJORITY: usize = 2;

/// One of the independent masters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Node {
    /// The highest token it has heard of for the name.
    pub(crate) highest: u8,
    /// Whether it has restarted without memory and grants nothing yet.
    pub(crate) in_grace: bool,
}
