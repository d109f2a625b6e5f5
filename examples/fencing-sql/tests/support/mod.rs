//! Databases: SQLite in a file, and PostgreSQL where this machine has it.

mod postgres;

use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use postgres::Postgres;

/// A database of a test, and gone with it.
pub(crate) struct Database {
    pub(crate) url: String,
    _sqlite: Option<TempDir>,
    _postgres: Option<Postgres>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("ledger.db");
        Self {
            url: format!("sqlite:{}?mode=rwc", file.display()),
            _sqlite: Some(dir),
            _postgres: None,
        }
    }

    /// `None` where there is no PostgreSQL, which is said.
    pub(crate) fn postgres() -> Option<Self> {
        let postgres = Postgres::start_or_skip()?;
        Some(Self {
            url: postgres.url(),
            _sqlite: None,
            _postgres: Some(postgres),
        })
    }
}

/// Starts a program of this package.
pub(crate) fn start(program: &str, args: &[&str], server: &str, database: &str) -> (Child, ChildStdout) {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("SEMAFENCE_URL", server)
        .env("DATABASE_URL", database);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let stdout = child.stdout.take().expect("stdout is piped");
    (child, stdout)
}
