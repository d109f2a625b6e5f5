//! `cargo xtask`: sets up the servers that tests need, runs the tests, and runs all that CI runs.

#![forbid(unsafe_code)]

mod api;
mod apt;
mod ci;
mod files;
mod images;
mod setup;
mod soak;
mod stay;
mod step;
mod test;
mod tools;
mod up;
mod wheel;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask setup            install the servers that tests need, as far as they are missing
cargo xtask setup --check    only say what is there; fails if a server is missing
cargo xtask test [ARGS]      setup, then every test and doctest; ARGS go to `cargo test`
cargo xtask test --quick     without setup, skipping what needs a server that is not there
cargo xtask ci               all that .ci/run runs: format, lints, docs, licences, tests
cargo xtask api              which other crates each library's public API names; needs a nightly toolchain
cargo xtask soak [ARGS]      fresh seeds on the simulator, 10 minutes or --minutes N; ARGS go to `semafence sim`
cargo xtask up single        a server on port 6379, until ctrl-c; --port N for another first port
cargo xtask up sentinel      a master on 6379, replicas on 6380 and 6381, sentinels on 26379 to 26381
cargo xtask up quorum        three independent masters on 6379 to 6381
cargo xtask up single -- COMMAND
                             any of the three on free ports, while a command runs that finds SEMAFENCE_URL
cargo xtask images           the image semafence/redis:local for containers, from the servers of this machine
cargo xtask help             this text

Environment:
  SEMAFENCE_REDIS_BIN        a server binary that comes before any other
  SEMAFENCE_SERVERS_DIR      where setup installs servers (target/servers)
  SEMAFENCE_REQUIRE_SERVERS  what may not be skipped: 1, or a list like redis-6.2,valkey-9.1
  SEMAFENCE_TOOLS_DIR        where ci installs cargo-deny, cargo-hack and typos if they are missing (target/tools)
";

fn main() -> ExitCode {
    let args = env::args().skip(1).collect::<Vec<_>>();
    let words = args.iter().map(String::as_str).collect::<Vec<_>>();
    match words.as_slice() {
        ["setup"] => setup::install(),
        ["setup", "--check"] => setup::check(),
        ["test", "--quick", rest @ ..] => test::quick(rest),
        ["test", rest @ ..] => test::all(rest),
        ["api"] => api::run(),
        ["ci"] => ci::run(),
        ["soak", rest @ ..] => soak::run(rest),
        ["up", rest @ ..] => up::run(rest),
        ["images"] => images::run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("unknown arguments: {}\n\n{HELP}", words.join(" "));
            ExitCode::from(2)
        }
    }
}
