//! The simulated Redis against real ones: the same steps at the same time, the same replies, the same keys.
//!
//! `SEMAFENCE_SEED` is the first seed, `SEMAFENCE_RUNS` how many follow. A failure prints the fewest steps that still
//! show the difference, and the command that repeats it.

mod campaign;
mod commands;
mod draw;
mod expressions;
mod lua;
mod outcome;
mod pair;
mod quirks;
mod report;
mod seen;
mod shrink;
mod state;
mod step;
mod verbs;

use campaign::on_every_server;

on_every_server! {
    /// Our scripts, with random claims, times, limits and interference.
    verbs_answer_alike, verbs::draw, 120, verbs::MUST
}

on_every_server! {
    /// The commands that scripts use, with arguments good and bad.
    commands_answer_alike, commands::draw, 60, &[]
}

on_every_server! {
    /// Lua itself: numbers as text, conversions of replies, errors.
    lua_answers_alike, lua::draw, 20, &[]
}
