//! The database refuses who has been overtaken, and nobody else.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use semafence_fencing_sql::{Ledger, TABLE};
use xtask::servers::any_server_or_skip;

use support::{Database, start};

const EXAMPLE: &str = env!("CARGO_BIN_EXE_semafence-fencing-sql");
const WRITER: &str = env!("CARGO_BIN_EXE_writer");

/// Runs a test on each database as a test of its own.
macro_rules! on_each_database {
    ($($test:ident)+) => { $(
        mod $test {
            use super::Database;

            #[test]
            fn on_sqlite() {
                super::$test(&Database::sqlite());
            }

            #[test]
            fn on_postgres() {
                if let Some(database) = Database::postgres() {
                    super::$test(&database);
                }
            }
        }
    )+ };
}

on_each_database! {
    a_stale_writer_is_refused_on_its_slot_alone
    a_writer_that_was_paused_beyond_its_lease_is_refused_when_it_wakes
}

fn a_stale_writer_is_refused_on_its_slot_alone(database: &Database) {
    let Some(server) = any_server_or_skip() else { return };

    let (mut example, mut stdout) = start(EXAMPLE, &[], &server.url(), &database.url);
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();

    assert!(example.wait().unwrap().success());
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[3].starts_with("refused: token ") && lines[3].ends_with("of slot 0 is stale: the first, again"),
        "{text}"
    );
    assert_eq!(lines[4], r#"in the ledger: ["the first", "the third", "the second"]"#);
}

fn a_writer_that_was_paused_beyond_its_lease_is_refused_when_it_wakes(database: &Database) {
    let Some(server) = any_server_or_skip() else { return };
    let start = |name, lines| {
        let (child, stdout) = start(WRITER, &[name, lines], &server.url(), &database.url);
        (child, BufReader::new(stdout).lines().map(Result::unwrap))
    };

    let (mut paused, mut of_paused) = start("paused", "300");
    assert_eq!(of_paused.next().as_deref(), Some("inside"));
    signal(&paused, Signal::STOP);
    let (mut next, of_next) = start("next", "3");
    let of_next: Vec<String> = of_next.collect();
    signal(&paused, Signal::CONT);
    let refusal = of_paused.next().unwrap();

    assert_eq!(of_next, ["inside", "done"]);
    assert!(
        refusal.starts_with("refused: token ") && refusal.ends_with(" of slot 0 is stale"),
        "{refusal}"
    );
    assert!(next.wait().unwrap().success() && paused.wait().unwrap().success());
    let lines = lines(database);
    let after = lines.iter().skip_while(|line| *line == "paused");
    assert_eq!(
        after.collect::<Vec<_>>(),
        ["next"; 3],
        "nothing of the paused one comes after the next one: {lines:?}"
    );
}

fn lines(database: &Database) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { Ledger::open(&database.url).await.unwrap().lines().await.unwrap() })
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// What the README prints is what runs here.
#[test]
fn table_and_statement_are_those_of_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let code = fs::read_to_string(root.join("examples/fencing-sql/src/ledger.rs")).unwrap();
    let (_, sql) = readme.split_once("```sql\n").unwrap();
    let (sql, _) = sql.split_once("```").unwrap();
    let (table, statement) = sql.split_once("\n\n").unwrap();
    let statement: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
    let statement = statement
        .join("\n")
        .replace("'printers'", "$1")
        .replace(":slot", "$2")
        .replace(":token", "$3");

    assert_eq!(
        table.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
        format!("{};", TABLE.trim())
    );
    assert!(code.contains(statement.trim_end_matches(';')), "{statement}");
}
