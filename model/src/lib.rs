//! An exhaustive model of how semafence grants slots over three independent nodes.
//!
//! `README.md` beside this package says what is modelled, under which assumptions, and what was found.

mod arrival;
mod client;
mod config;
mod event;
mod explorer;
mod holder;
mod mark;
mod node;
mod overruling;
mod packed;
mod property;
mod restart;
mod rule;
mod space;
mod standing;
mod step;
mod story;
mod tidy;
mod world;

pub use config::Config;
pub use event::Event;
pub use explorer::{Exploration, Violation, explore};
pub use mark::{Mark, Marks};
pub use property::Property;
pub use rule::Rule;
pub use space::Space;
