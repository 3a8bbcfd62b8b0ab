//! The tables, as numbered steps that an operator takes by a command and never a server by itself.

use super::Database;
use crate::Error;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from 1.
    pub number: i32,
    /// What it brings.
    pub name: &'static str,
    /// How.
    pub sql: &'static str,
}

/// All steps, in their order.
pub const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "mail", sql: include_str!("migrations/0001_mail.sql") },
    Migration { number: 2, name: "accounts", sql: include_str!("migrations/0002_accounts.sql") },
];

impl Database {
    /// The steps that have not been taken.
    pub async fn missing(&self) -> Result<Vec<Migration>, Error> {
        const THERE: &str = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'migration'";
        self.persist(|| async {
            let connection = self.connection().await?;
            let rows = connection.rows("look for tables", THERE, &[]).await?;
            let mut taken = Vec::new();
            if rows.first().map(|row| connection.count(row, 0)).transpose()? > Some(0) {
                for row in connection.rows("read migrations", "SELECT number FROM migration", &[]).await? {
                    taken.push(connection.value::<i32>(&row, 0)?);
                }
            }
            Ok(MIGRATIONS.iter().copied().filter(|step| !taken.contains(&step.number)).collect())
        })
        .await
    }

    /// Takes the steps that are missing, each in a transaction of its own, and returns them. Others may do the same at
    /// the same time.
    pub async fn migrate(&self) -> Result<Vec<Migration>, Error> {
        const NOTE: &str = "INSERT INTO migration (number, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
            number integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())";
        let mut taken = Vec::new();
        if self.missing().await?.is_empty() {
            return Ok(taken);
        }
        // Of two who make it at once, one may be told that it is there.
        self.persist(|| async { self.connection().await?.batch("make tables", TABLE).await }).await?;
        for step in MIGRATIONS {
            let mut connection = self.connection().await?;
            connection.begin("begin a migration").await?;
            // Whoever comes second waits here until the first has done it.
            if connection.change("take a migration", NOTE, &[&step.number, &step.name]).await? == 0 {
                connection.roll_back().await?;
                continue;
            }
            connection.batch("take a migration", step.sql).await?;
            connection.commit("take a migration").await?;
            taken.push(*step);
        }
        Ok(taken)
    }
}
