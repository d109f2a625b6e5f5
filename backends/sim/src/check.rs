//! Stand-in.
#![allow(missing_docs)]
use crate::history::{History, Op};
use std::time::Duration;
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub overlaps: Vec<Overlap>,
}
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: u8,
    pub at: Duration,
    pub text: String,
    pub ops: Vec<Op>,
}
#[derive(Debug, Clone)]
pub struct Overlap {
    pub name: String,
}
impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.violations)
    }
}
pub fn check(_: &History) -> Report {
    Report::default()
}
impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
