//! A ledger in SQL that is written under a semaphore.

use semafence_redis::{FencingToken, Permit};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyPool, Transaction};

/// The newest token of each slot.
pub const TABLE: &str = "
CREATE TABLE IF NOT EXISTS fence (
  name text, slot integer, token bigint NOT NULL, PRIMARY KEY (name, slot)
)";

const ADMIT: &str = "
INSERT INTO fence (name, slot, token) VALUES ($1, $2, $3)
  ON CONFLICT (name, slot) DO UPDATE SET token = excluded.token
  WHERE fence.token <= excluded.token";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A newer owner of the slot has written: whoever holds this permit has been overtaken.
    #[error("token {token} of slot {slot} is stale")]
    Stale {
        /// The slot.
        slot: u32,
        /// The token that was presented.
        token: FencingToken,
    },
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// Comes first in each transaction that reads or writes what is guarded. On an error, roll back.
///
/// It also keeps two writers of one slot apart: the row is locked until the end of the transaction.
///
/// # Errors
///
/// [`Refused::Stale`] when a newer owner of one of the permit's slots has been here.
pub async fn admit(transaction: &mut Transaction<'_, Any>, permit: &Permit<'_>) -> Result<(), Refused> {
    let (name, token) = (permit.name().as_str(), permit.token());
    for slot in permit.slots().iter().copied() {
        let admit = sqlx::query(ADMIT)
            .bind(name)
            .bind(i32::try_from(slot).expect("a slot is below 65,536"))
            .bind(i64::try_from(token.as_u64()).expect("a token is below 2^53"));
        if admit.execute(&mut **transaction).await?.rows_affected() == 0 {
            return Err(Refused::Stale { slot, token });
        }
    }
    Ok(())
}

/// Lines that holders of a permit have written.
#[derive(Debug, Clone)]
pub struct Ledger(AnyPool);

impl Ledger {
    /// Opens a database, such as `sqlite:ledger.db?mode=rwc` or `postgres://localhost/ledger`, and makes its tables.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        install_default_drivers();
        // Each connection to `sqlite::memory:` is a database of its own.
        let connections = if url.contains(":memory:") { 1 } else { 5 };
        let pool = AnyPoolOptions::new().max_connections(connections).connect(url).await?;
        for table in [TABLE, "CREATE TABLE IF NOT EXISTS ledger (line text NOT NULL)"] {
            sqlx::query(table).execute(&pool).await?;
        }
        Ok(Self(pool))
    }

    /// Writes a line, unless a newer owner of the permit's slot has written.
    ///
    /// # Errors
    ///
    /// As [`admit`]; nothing is written then.
    pub async fn write(&self, permit: &Permit<'_>, line: &str) -> Result<(), Refused> {
        let mut transaction = self.0.begin().await?; // Rolled back where it is dropped before the commit.
        admit(&mut transaction, permit).await?;
        let write = sqlx::query("INSERT INTO ledger (line) VALUES ($1)").bind(line);
        write.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// All lines.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn lines(&self) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT line FROM ledger").fetch_all(&self.0).await
    }
}
