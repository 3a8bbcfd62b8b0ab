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
    Migration { number: 3, name: "site", sql: include_str!("migrations/0003_site.sql") },
];

impl Database {
    /// The steps that have not been taken.
    pub async fn missing(&self) -> Result<Vec<Migration>, Error> {
        let taken = self.taken().await?.unwrap_or_default();
        Ok(MIGRATIONS.iter().copied().filter(|step| !taken.contains(&step.number)).collect())
    }

    /// The steps that have been taken; `None` where there is not even a note of them.
    async fn taken(&self) -> Result<Option<Vec<i32>>, Error> {
        const THERE: &str = "SELECT count(*) FROM information_schema.tables
            WHERE table_schema = current_schema() AND table_name = 'migration'";
        self.persist(|| async {
            let connection = self.connection().await?;
            let rows = connection.rows("look for tables", THERE, &[]).await?;
            if rows.first().map(|row| connection.count(row, 0)).transpose()? != Some(1) {
                return Ok(None);
            }
            let rows = connection.rows("read migrations", "SELECT number FROM migration", &[]).await?;
            rows.iter().map(|row| connection.value(row, 0)).collect::<Result<_, _>>().map(Some)
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
        if self.taken().await?.is_none()
            && let Err(error) = self.connection().await?.batch("make tables", TABLE).await
            && self.taken().await?.is_none()
        {
            // Nobody else has made it at the same moment.
            return Err(error);
        }
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
