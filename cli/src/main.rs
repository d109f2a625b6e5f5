//! The program `semafence`.
fn main() {}
