//! The database of several servers, and its object store.

use std::os::unix::fs::PermissionsExt;

use postbox::{
    Error,
    postgres::{Database, ObjectsAt, S3},
};

use super::Report;

/// Whether the database answers: where it does not, that is the fault, and what is in it cannot be looked at.
pub(super) async fn check(database: &Database, report: &mut Report) -> bool {
    if let Err(error) = database.open() {
        report.fault(error);
        return false;
    }
    private_files(database, report);
    let missing: Vec<&str> = match database.missing().await {
        Ok(missing) => missing.iter().map(|step| step.name).collect(),
        Err(error) => {
            report.fault(error);
            return false;
        }
    };
    if missing.is_empty() {
        report.good(format_args!("{} has its tables", database.place()));
    } else {
        report.fault(format_args!(
            "{} lacks tables ({}); run doghouse store migrate",
            database.place(),
            missing.join(", ")
        ));
    }
    if let Err(error) = settings(database, report).await {
        report.fault(error);
    }
    match try_objects(database, missing.is_empty()).await {
        Ok(place) => report.good(format_args!("an object was put into {place}, read and deleted")),
        Err(error) => report.fault(error),
    }
    if matches!(database.settings().objects, ObjectsAt::Folder(_)) {
        report
            .warning("the object store is a folder: all servers have to share it, with the same mail in it");
    }
    true
}

/// Tries the object store; whose it is can be asked where the tables are there.
async fn try_objects(database: &Database, has_tables: bool) -> Result<&str, Error> {
    let objects = database.objects()?;
    objects.try_out().await?;
    if has_tables {
        database.owns_objects().await?;
    }
    Ok(objects.place())
}

/// Whether something is set so that what was committed may be lost.
async fn settings(database: &Database, report: &mut Report) -> Result<(), Error> {
    let place = database.place();
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        if setting(database, name).await?.as_deref() == Some("off") {
            report.fault(format_args!(
                "{place} has {name} = off, and loses confirmed mail when it crashes; set it to on"
            ));
        }
    }
    let has_stand_by = database.settings().parsed().is_ok_and(|connect| connect.get_hosts().len() > 1);
    let waits_for = setting(database, "synchronous_standby_names").await?;
    let waits_until = setting(database, "synchronous_commit").await?;
    if has_stand_by && (waits_for.as_deref() == Some("") || waits_until.as_deref() == Some("local")) {
        report.warning(format_args!(
            "{place} waits for no stand-by server, and a fail-over loses the mail that was confirmed last; name them in \
             synchronous_standby_names, with synchronous_commit = on"
        ));
    }
    Ok(())
}

/// A setting of PostgreSQL; other databases need not know it.
async fn setting(database: &Database, name: &str) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT current_setting($1, true)";
    let connection = database.connection().await?;
    let rows = connection.rows("look at settings", SQL, &[&name]).await?;
    Ok(rows.first().map(|row| connection.value(row, 0)).transpose()?.flatten())
}

fn private_files(database: &Database, report: &mut Report) {
    let settings = database.settings();
    let key = match &settings.objects {
        ObjectsAt::S3(S3 { key: Some((_, secret)), .. }) => Some(secret),
        _ => None,
    };
    for path in settings.password_file.iter().chain(key) {
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o007 != 0 {
            let path = path.display();
            report
                .warning(format_args!("{path} can be used by everybody on this machine; chmod o-rwx {path}"));
        }
    }
}
