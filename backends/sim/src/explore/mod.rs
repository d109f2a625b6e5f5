//! Explores what can happen: draws a plan of faults from a seed, plays it, checks its history, and makes a failing plan
//! small.
//!
//! ```
//! use semafence_sim::explore::{Plan, Profile, run};
//!
//! let plan = Plan::draw(Profile::Failover, 1);
//! let outcome = run(&plan);
//!
//! assert!(outcome.report.is_clean(), "{plan}\n{}", outcome.report);
//! ```

mod fault;
mod group;
mod marks;
mod meddler;
mod names;
mod plan;
mod profile;
mod resource;
mod run;
mod saboteur;
mod scribe;
mod setting;
mod shrink;
mod words;
mod work;
mod worker;

pub use fault::{Fault, Part, Refusal, Verb};
pub use group::Group;
pub use marks::MARKS;
pub use plan::Plan;
pub use profile::Profile;
pub use run::{Options, Outcome, run, run_edited, run_with};
pub use scribe::Scribe;
pub use setting::Setting;
pub use shrink::shrink;
pub use words::ParsePlanError;
pub use work::Work;
