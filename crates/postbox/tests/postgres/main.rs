//! What holds of mail in PostgreSQL and an object store, beside what holds of every store; and what happens when one
//! of the two is away, slow or wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    dead_code
)]
// Tests stop at the first surprise, and this one uses a part of the battery.

#[path = "../battery/mod.rs"]
mod battery;
#[path = "../site/mod.rs"]
mod site;

mod fail_over;
mod faults;
mod objects;
mod tls;

use std::time::Duration;

use battery::{all, battery, deliver, folder, inbox, marks, number, text};
use postbox::{
    FolderName, Mailbox, Postbox, Quota, Terms, Undelivered, Usage,
    postgres::{Database, MIGRATIONS, ObjectsAt, Postgres, Settings},
};
battery!(postgres_and_s3, (site::database().await.postbox("fido"), ()));
battery!(postgres_and_a_shared_folder, {
    let objects = tempfile::tempdir().unwrap();
    let settings = site::with(ObjectsAt::Folder(objects.path().to_owned())).await;
    (Database::new(settings).postbox("fido"), objects)
});
battery!(postgres_and_memory, {
    let settings = Settings { objects: ObjectsAt::Memory, inline: 3, ..site::settings().await };
    (Database::new(settings).postbox("fido"), ())
});

/// Settings with which nobody waits for long.
fn hasty(settings: Settings) -> Settings {
    Settings {
        connect_patience: Duration::from_secs(2),
        patience: Duration::from_secs(3),
        persistence: Duration::from_secs(4),
        ..settings
    }
}

fn connect_of(database: &Database) -> String {
    let connect = &database.settings().connect;
    connect.split("dbname=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

fn sql(database: &Database, sql: &str) -> String {
    testing::Postgres::shared().sql(&connect_of(database), sql)
}

/// That what is counted beside the messages is what there is.
fn assert_counts(database: &Database) {
    assert_counts_by(|query| sql(database, query));
}

/// The same, of what answers.
fn assert_counts_by(sql: impl Fn(&str) -> String) {
    let wrong = sql(
        "SELECT folder.name, folder.messages, count(message.id) FROM folder LEFT JOIN message ON message.folder = folder.id
         GROUP BY folder.id HAVING folder.messages <> count(message.id)",
    );
    assert_eq!(wrong.trim(), "");
    let wrong = sql("SELECT owner FROM postbox WHERE (messages, octets) <> (
            SELECT count(*), coalesce(sum(message.size), 0)::bigint FROM message
            JOIN folder ON folder.id = message.folder WHERE folder.postbox = postbox.id)");
    assert_eq!(wrong.trim(), "");
    let stray =
        sql("SELECT count(*) FROM body LEFT JOIN message USING (folder, id) WHERE message.id IS NULL");
    assert_eq!(stray.trim(), "0", "octets go with their message");
}

async fn deliver_as(
    mail: &Postgres,
    folder: &FolderName,
    message: &[u8],
    id: &str,
) -> Result<(), Undelivered> {
    mail.deliver_within(folder, message, Terms { quota: Quota::default(), id: Some(id) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_under_one_id_lands_once() {
    let database = site::database().await;
    let (fido, rex) = (database.postbox("fido"), database.postbox("rex"));
    let (inbox_name, lists) = (FolderName::inbox(), folder("lists"));
    let large = vec![b'x'; 100_000];
    for (message, id) in [(&b"bone\n"[..], "4F1"), (&large, "4F2")] {
        for _ in 0..3 {
            deliver_as(&fido, &inbox_name, message, id).await.unwrap();
        }
        deliver_as(&fido, &inbox_name, message, &format!("{id}x")).await.unwrap();
        deliver_as(&fido, &lists, message, id).await.unwrap();
        deliver_as(&rex, &inbox_name, message, id).await.unwrap();
    }
    assert_eq!(inbox(&fido).await.count(), 4);
    assert_eq!(fido.select(&lists).await.unwrap().count(), 2);
    assert_eq!(inbox(&rex).await.count(), 2);
    assert_counts(&database);
    // Both at once.
    let (one, other) =
        tokio::join!(deliver_as(&rex, &lists, b"bone\n", "5"), deliver_as(&rex, &lists, b"bone\n", "5"));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(rex.select(&lists).await.unwrap().count(), 1);
    // Once deleted it does not come back.
    assert_eq!(rex.select(&lists).await.unwrap().release(&marks(&[1])).await.kept, 0);
    deliver_as(&rex, &lists, b"bone\n", "5").await.unwrap();
    assert_eq!(rex.select(&lists).await.unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_holds_however_many_deliver_at_once() {
    let database = site::database().await;
    let quota = Quota { octets: Some(50_000), messages: Some(7) };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        // Each as a process of its own.
        let mail = Database::new(database.settings().clone()).postbox("fido");
        tasks.spawn(async move {
            let message = format!("{n}\n").repeat(1 + n % 3);
            let terms = Terms { quota, id: None };
            mail.deliver_within(&folder("lists"), message.as_bytes(), terms).await
        });
    }
    let (mut delivered, mut full) = (0, 0);
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Ok(()) => delivered += 1,
            Err(Undelivered::Full) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((delivered, full), (7, 13));
    let mail = database.postbox("fido");
    assert_eq!(mail.usage().await.unwrap().messages, 7);
    let terms = Terms { quota, id: None };
    let too_large = mail.deliver_within(&folder("lists"), vec![b'x'; 50_001].as_slice(), terms).await;
    assert!(matches!(too_large, Err(Undelivered::TooLarge(50_000))));
    let lists = mail.select(&folder("lists")).await.unwrap();
    assert_eq!(lists.release(&(1..=7).map(number).collect()).await.kept, 0);
    assert_eq!(mail.usage().await.unwrap(), Usage::default());
    let terms = Terms { quota, id: None };
    mail.deliver_within(&folder("lists"), vec![b'x'; 50_000].as_slice(), terms).await.unwrap();
    assert_counts(&database);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_id_is_used_again_and_a_deletion_may_be_said_twice() {
    let mail = site::database().await.postbox("fido");
    for message in ["one", "two"] {
        deliver(&mail, message.as_bytes()).await;
    }
    let (early, late) = (inbox(&mail).await, inbox(&mail).await);
    assert_eq!(early.release(&marks(&[1, 2])).await.kept, 0);
    for message in ["three", "four"] {
        deliver(&mail, message.as_bytes()).await;
    }
    assert_eq!(late.release(&marks(&[1, 2])).await.kept, 0);
    assert_eq!(all(&mail).await, ["three", "four"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_is_counted_at_once_and_listed_by_its_index() {
    let database = site::database().await;
    let mail = database.postbox("fido");
    deliver(&mail, b"first").await;
    sql(
        &database,
        "UPDATE message SET id = 1; UPDATE body SET id = 1;
         INSERT INTO message (folder, id, size, wire, digest) SELECT folder, n, size, wire, digest
            FROM message, generate_series(2, 300000) n WHERE n % 3 <> 0;
         INSERT INTO body (folder, id, octets) SELECT folder, id, 'woof ' || id::text::bytea FROM message WHERE id > 1;
         UPDATE body SET octets = convert_to('w' || lpad(id::text, 6, '0'), 'UTF8') WHERE id > 1;
         UPDATE message SET size = 7, wire = 7 WHERE id > 1;
         UPDATE folder SET messages = (SELECT count(*) FROM message), newest = 300000;
         UPDATE postbox SET messages = (SELECT count(*) FROM message), octets = (SELECT sum(size) FROM message);
         ANALYZE message;",
    );
    let mut mailbox = inbox(&mail).await;
    let count = mailbox.count();
    assert_eq!(count, 200_000);
    assert_eq!(text(&mut mailbox, 1).await, "first");
    assert_eq!(text(&mut mailbox, 2).await, "w000002");
    assert_eq!(text(&mut mailbox, 3).await, "w000004");
    assert_eq!(text(&mut mailbox, count).await, "w299999");
    // What comes is added to what is known; what goes is not there any more.
    deliver(&mail, b"last").await;
    let mut again = inbox(&mail).await;
    assert_eq!(text(&mut again, count + 1).await, "last");
    assert_eq!(again.release(&marks(&[2, 4])).await.kept, 0);
    let mut third = inbox(&mail).await;
    assert_eq!(third.count(), count - 1);
    assert_eq!(text(&mut third, 2).await, "w000004");
    assert_eq!(text(&mut third, 3).await, "w000007");
    assert!(mailbox.message(number(2)).await.unwrap().is_none());
    assert_eq!(text(&mut mailbox, 3).await, "w000004");
    let plan = sql(
        &database,
        "EXPLAIN SELECT id FROM message WHERE folder = 1 AND id > 0 AND id <= 300001 ORDER BY id",
    );
    assert!(plan.contains("Index") && !plan.contains("Sort"), "{plan}");
    assert_counts(&database);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_pgbouncer_mixes_up_are_an_error_with_a_remedy() {
    let database = site::database().await;
    let connection = database.connection().await.unwrap();
    let twice = connection.batch("try", "PREPARE bone AS SELECT 1; PREPARE bone AS SELECT 1").await;
    assert!(twice.unwrap_err().to_string().ends_with("have it in session mode"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_made_by_a_command_and_by_whoever_is_first() {
    let settings = Settings::new(testing::Postgres::shared().database(), ObjectsAt::Memory);
    let database = Database::new(settings.clone());
    assert_eq!(database.missing().await.unwrap(), MIGRATIONS);
    let error = database.postbox("fido").select(&FolderName::inbox()).await.unwrap_err().to_string();
    assert!(error.contains("run doghouse store migrate"), "{error}");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let database = Database::new(settings.clone());
        tasks.spawn(async move { database.migrate().await });
    }
    let mut taken = 0;
    while let Some(done) = tasks.join_next().await {
        taken += done.unwrap().unwrap().len();
    }
    assert_eq!(taken, MIGRATIONS.len());
    assert_eq!(database.missing().await.unwrap(), []);
    assert_eq!(database.migrate().await.unwrap(), []);
    deliver(&database.postbox("fido"), b"bone").await;
    // One that was made before the last step was written.
    let last = MIGRATIONS.last().unwrap();
    sql(&database, &format!("DROP TABLE site; DELETE FROM migration WHERE number = {}", last.number));
    assert_eq!(database.missing().await.unwrap(), [*last]);
    assert_eq!(database.migrate().await.unwrap(), [*last]);
}
