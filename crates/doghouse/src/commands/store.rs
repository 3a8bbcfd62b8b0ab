//! `doghouse store`: the database of several servers, and its object store.

use std::{path::Path, time::Duration};

use postbox::postgres::{Database, Swept};
use serde::Serialize;

use super::output::{say, say_json};
use crate::{
    cli::Store,
    config::Config,
    exit::{self, Failure, OrExit},
};

/// In seconds.
const HOUR: u64 = 3_600;

pub(super) async fn run(command: &Store) -> Result<(), Failure> {
    match command {
        Store::Migrate(config) => migrate(&database(&config.path)?).await,
        Store::Sweep { older_than, dry_run, json, config } => {
            let age = Duration::from_secs(older_than.saturating_mul(HOUR));
            let swept = database(&config.path)?.sweep(age, *dry_run).await.or_exit(exit::UNAVAILABLE)?;
            report(swept, *dry_run, *json)
        }
    }
}

fn database(config: &Path) -> Result<Database, Failure> {
    let found = Config::load(config).or_exit(exit::CONFIG)?.database;
    let database = found.ok_or_else(|| {
        let what = format!("{}: there is no [database], which says where it is", config.display());
        Failure::new(exit::CONFIG, what)
    })?;
    database.open().or_exit(exit::CONFIG)?;
    Ok(database)
}

async fn migrate(database: &Database) -> Result<(), Failure> {
    let taken = database.migrate().await.or_exit(exit::UNAVAILABLE)?;
    if taken.is_empty() {
        say(&format!("{} has all its tables already\n", database.place()))?;
    }
    let lines = taken.iter().map(|step| format!("{:04} {}: done\n", step.number, step.name));
    say(&lines.collect::<String>())?;
    database.take_objects().await.or_exit(exit::UNAVAILABLE)
}

/// A sweep, as JSON.
#[derive(Debug, Serialize)]
struct Outcome {
    objects: u64,
    removed: u64,
    octets: u64,
    deliveries_forgotten: u64,
    dry_run: bool,
}

fn report(swept: Swept, dry_run: bool, json: bool) -> Result<(), Failure> {
    let Swept { objects, removed, octets, deliveries } = swept;
    if json {
        return say_json(&Outcome { objects, removed, octets, deliveries_forgotten: deliveries, dry_run });
    }
    let verb = if dry_run { "to be removed" } else { "removed" };
    say(&format!(
        "objects: {objects}; {verb}: {removed}, of {octets} octets; notes of old deliveries forgotten: {deliveries}\n"
    ))
}
