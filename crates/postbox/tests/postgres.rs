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

mod battery;
mod site;

use std::{
    fs::File,
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, SystemTime},
};

use battery::{all, battery, deliver, folder, inbox, marks, number, octets, text};
use postbox::{
    FolderName, Mailbox, Postbox, Quota, Terms, Undelivered, Usage,
    postgres::{Database, MIGRATIONS, ObjectsAt, Postgres, Settings},
};
use testing::How;

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
    let wrong = sql(
        database,
        "SELECT folder.name, folder.messages, count(message.id) FROM folder LEFT JOIN message ON message.folder = folder.id
         GROUP BY folder.id HAVING folder.messages <> count(message.id)",
    );
    assert_eq!(wrong.trim(), "");
    let wrong = sql(
        database,
        "SELECT owner FROM postbox WHERE (messages, octets) <> (
            SELECT count(*), coalesce(sum(message.size), 0)::bigint FROM message
            JOIN folder ON folder.id = message.folder WHERE folder.postbox = postbox.id)",
    );
    assert_eq!(wrong.trim(), "");
    let stray = sql(
        database,
        "SELECT count(*) FROM body LEFT JOIN message USING (folder, id) WHERE message.id IS NULL",
    );
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
}

/// A port by which a database is reached. The answer to the first COMMIT is lost on the way, and the connection with it.
fn way_that_loses_an_answer(database: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let has_lost = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), UnixStream::connect(&database).unwrap());
            let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (has_lost, loses) = (Arc::clone(&has_lost), Arc::new(AtomicBool::new(false)));
            let is_lost = Arc::clone(&loses);
            thread::spawn(move || {
                let mut octets = vec![0; 65_536];
                while let Ok(count @ 1..) = from_server.read(&mut octets) {
                    if is_lost.load(SeqCst) || to_client.write_all(&octets[..count]).is_err() {
                        break;
                    }
                }
                let _ = to_client.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let mut octets = vec![0; 65_536];
                while let Ok(count @ 1..) = client.read(&mut octets) {
                    let is_commit = octets[..count].windows(6).any(|words| words == b"COMMIT");
                    loses.store(is_commit && !has_lost.swap(true, SeqCst), SeqCst);
                    server.write_all(&octets[..count]).unwrap();
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_whose_commit_was_not_confirmed_keeps_its_octets() {
    let direct = site::database().await;
    let port = way_that_loses_an_answer(testing::Postgres::shared().folder().join(".s.PGSQL.5432"));
    let connect = format!("host=127.0.0.1 port={port} user=doghouse dbname={}", connect_of(&direct));
    let settings = Settings { inline: 3, ..Settings::new(connect, ObjectsAt::Memory) };
    let mail = Database::new(settings).postbox("fido");
    deliver(&mail, b"a large bone").await;
    assert_eq!(all(&mail).await, ["a large bone"]);
    assert_counts(&direct);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_over_a_restart_of_the_database() {
    let postgres = testing::Postgres::start();
    let database = Database::new(Settings::new(postgres.database(), ObjectsAt::Memory));
    database.migrate().await.unwrap();
    let mail = database.postbox("fido");
    for message in ["one", "two", "three"] {
        deliver(&mail, message.as_bytes()).await;
    }
    for how in [How::Fast, How::Immediate] {
        let mut mailbox = inbox(&mail).await;
        assert_eq!(text(&mut mailbox, 1).await, "one");
        postgres.restart(how);
        assert_eq!(text(&mut mailbox, 2).await, "two");
        postgres.restart(how);
        assert_eq!(mailbox.release(&marks(&[3])).await.kept, 0);
        postgres.restart(how);
        deliver(&mail, b"three").await;
        assert_eq!(all(&mail).await, ["one", "two", "three"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_an_error_in_time_and_nothing_is_done() {
    let postgres = testing::Postgres::start();
    let database = Database::new(hasty(Settings::new(postgres.database(), ObjectsAt::Memory)));
    database.migrate().await.unwrap();
    let mail = database.postbox("fido");
    deliver(&mail, b"one").await;
    let mut mailbox = inbox(&mail).await;
    assert_eq!(text(&mut mailbox, 1).await, "one");
    assert!(database.answers(Duration::from_secs(1)).await.is_ok());
    for away in [true, false] {
        if away {
            postgres.stop(How::Immediate);
        } else {
            postgres.pause();
        }
        let begun = SystemTime::now();
        let message = mailbox.message(number(1)).await;
        assert!(message.is_err_and(|error| error.is_temporary()));
        let delivered = mail.deliver(&FolderName::inbox(), &b"two"[..]).await;
        assert!(delivered.is_err_and(|error| error.is_temporary()));
        let released = inbox_or_none(&mail).await;
        assert!(released.is_none());
        assert!(database.answers(Duration::from_secs(1)).await.is_err());
        assert!(begun.elapsed().unwrap() < Duration::from_mins(2), "nobody waits for ever");
        if away {
            postgres.start_again();
        } else {
            postgres.resume();
        }
        assert_eq!(text(&mut mailbox, 1).await, "one");
    }
    let left = all(&mail).await;
    assert_eq!(left[0], "one");
    assert!(left.len() <= 1 + 2, "what came to no end may be there, each once: {left:?}");
}

async fn inbox_or_none(mail: &Postgres) -> Option<postbox::postgres::Snapshot> {
    mail.select(&FolderName::inbox()).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_that_fails_loses_or_cuts_short_gives_the_right_octets_or_none() {
    let server = testing::S3::start();
    let folder = tempfile::tempdir().unwrap();
    let objects = site::bucket(&server, &site::secret_file(folder.path()));
    // The store does one thing after the other, and large parts take their time.
    let patience = Duration::from_secs(8);
    let settings = Settings { patience, ..hasty(site::with(objects).await) };
    let mail = Database::new(settings).postbox("fido");
    let message = "woof\n".repeat(60_000);
    let wire = message.replace('\n', "\r\n");
    deliver(&mail, message.as_bytes()).await;

    server.faults("fail_put_every=2");
    deliver(&mail, message.as_bytes()).await;
    server.faults("lose_put_every=2");
    deliver(&mail, message.as_bytes()).await;
    deliver(&mail, message.as_bytes()).await;
    server.faults("lose_put_every=1");
    let lost = mail.deliver(&FolderName::inbox(), message.as_bytes()).await;
    assert!(lost.unwrap_err().to_string().contains("it was taken, and is not there"));
    // In parts.
    let long = vec![b'y'; 12_000_000];
    let lost = mail.deliver(&FolderName::inbox(), &long[..]).await;
    assert!(lost.is_err());
    server.faults("down=1");
    assert!(mail.deliver(&FolderName::inbox(), message.as_bytes()).await.is_err());
    let mut mailbox = inbox(&mail).await;
    assert_eq!(mailbox.count(), 4, "what was not confirmed is not there");
    let held = mailbox.message(number(1)).await.unwrap().unwrap();
    assert_eq!(held.length(), wire.len() as u64, "its length is known without the object");
    assert!(held.octets().next(&mut Vec::new()).await.is_err());
    server.faults("fail_get_every=2");
    assert_eq!(octets(&held).await, wire.as_bytes());
    server.faults("truncate_get_every=2");
    assert_eq!(octets(&held).await, wire.as_bytes());
    server.faults("");
    deliver(&mail, &long).await;
    let held = mailbox.message(number(4)).await.unwrap().unwrap();
    assert_eq!(octets(&held).await, wire.as_bytes());
    let mut again = inbox(&mail).await;
    let held = again.message(number(5)).await.unwrap().unwrap();
    assert_eq!(octets(&held).await.len(), long.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_was_stored_is_not_given_out_whole() {
    let objects = tempfile::tempdir().unwrap();
    let settings = hasty(site::with(ObjectsAt::Folder(objects.path().to_owned())).await);
    let database = Database::new(settings);
    let mail = database.postbox("fido");
    let message = "woof\n".repeat(60_000);
    deliver(&mail, message.as_bytes()).await;
    let key = sql(&database, "SELECT object FROM message");
    std::fs::write(objects.path().join(key.trim()), message.replace("woof", "mine")).unwrap();
    let mut mailbox = inbox(&mail).await;
    let held = mailbox.message(number(1)).await.unwrap().unwrap();
    let (mut octets, mut wire) = (held.octets(), Vec::new());
    let outcome = loop {
        match octets.next(&mut wire).await {
            Ok(true) => {}
            outcome => break outcome,
        }
    };
    assert!(matches!(outcome, Err(postbox::Error::Changed { .. })), "{outcome:?}");
    assert!((wire.len() as u64) < held.length(), "the end is held back until it has proved true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_takes_what_is_old_and_nobodys() {
    let objects = tempfile::tempdir().unwrap();
    let database = Database::new(site::with(ObjectsAt::Folder(objects.path().to_owned())).await);
    let mail = database.postbox("fido");
    let day = Duration::from_hours(24);
    let large = |n: u8| vec![n; 70_000];
    for n in 0..6 {
        deliver(&mail, &large(n)).await;
    }
    let mut mailbox = inbox(&mail).await;
    let held = mailbox.message(number(2)).await.unwrap().unwrap();
    assert_eq!(inbox(&mail).await.release(&marks(&[1, 2])).await.kept, 0);
    // One whose delivery broke off, one that is young, and what is none of ours.
    let [broken_off, young] = ["c", "e"].map(|digit| format!("ab/{}", digit.repeat(30)));
    let strange = ["ab/cd".to_owned(), "notes".to_owned(), format!("mail/{broken_off}")];
    for name in [&broken_off, &young].into_iter().chain(&strange) {
        let path = objects.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "woof").unwrap();
    }
    let old = SystemTime::now() - 2 * day;
    let age_all = || {
        let names = sql(&database, "SELECT object FROM message UNION SELECT object FROM discarded");
        let others = strange.iter().chain([&broken_off]).map(String::as_str);
        for name in names.split_whitespace().chain(others) {
            if let Ok(file) = File::options().write(true).open(objects.path().join(name)) {
                file.set_modified(old).unwrap();
            }
        }
    };
    age_all();
    let looked = database.sweep(day, true).await.unwrap();
    assert_eq!((looked.objects, looked.removed, looked.octets), (8, 1, 4));
    let swept = database.sweep(day, false).await.unwrap();
    assert_eq!((swept.objects, swept.removed), (8, 1));
    assert!(!objects.path().join(&broken_off).exists() && objects.path().join(&young).exists());
    assert!(strange.iter().all(|name| objects.path().join(name).exists()));
    // A session may still read what another has deleted just now.
    assert_eq!(octets(&held).await.len(), 70_000);
    sql(
        &database,
        "UPDATE discarded SET at = now() - INTERVAL '25 hours' WHERE object IN (SELECT object FROM discarded LIMIT 1)",
    );
    sql(&database, "UPDATE delivery SET at = now() - INTERVAL '31 days'");
    let swept = database.sweep(day, false).await.unwrap();
    assert_eq!((swept.objects, swept.removed, swept.deliveries), (7, 1, 6));
    assert_eq!(sql(&database, "SELECT count(*) FROM discarded").trim(), "1");
    let mut mailbox = inbox(&mail).await;
    assert_eq!(mailbox.count(), 4);
    for n in 1..=4 {
        assert_eq!(octets(&mailbox.message(number(n)).await.unwrap().unwrap()).await.len(), 70_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_is_one_databases_alone() {
    let objects = tempfile::tempdir().unwrap();
    let at = || ObjectsAt::Folder(objects.path().to_owned());
    let large = vec![b'x'; 70_000];
    // Nobody has taken it.
    let early = Database::new(Settings { objects: at(), ..site::settings().await });
    let refused = early.postbox("fido").deliver(&FolderName::inbox(), &large[..]).await.unwrap_err();
    assert!(refused.to_string().contains("run doghouse store migrate"), "{refused}");
    assert!(early.sweep(Duration::from_hours(24), true).await.is_err());
    deliver(&early.postbox("fido"), b"small").await;

    let ours = Database::new(site::with(at()).await);
    deliver(&ours.postbox("fido"), &large).await;
    let theirs = Database::new(Settings { objects: at(), ..site::settings().await });
    for outcome in [
        theirs.take_objects().await,
        theirs.postbox("fido").deliver(&FolderName::inbox(), &large[..]).await,
        theirs.sweep(Duration::from_hours(24), false).await.map(drop),
    ] {
        assert!(outcome.unwrap_err().to_string().contains("the mail of another database"));
    }
    assert_eq!(all(&ours.postbox("fido")).await, [String::from_utf8(large).unwrap()]);
    ours.take_objects().await.unwrap();
}

/// Has every connection broken, as where another server takes over.
fn break_connections(database: &Database) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sql(database, others);
}

/// Each stand-in for a fail-over to a server that lacks the last that was committed.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_fail_over_that_loses_commits_nothing_else_is_taken_for_what_was_lost() {
    let database = site::database().await;
    let mail = database.postbox("fido");
    for message in ["one", "two"] {
        deliver(&mail, message.as_bytes()).await;
    }
    let before = sql(&database, "SELECT newest FROM folder");
    deliver(&mail, b"lost").await;
    let mut session = inbox(&mail).await;
    assert_eq!(text(&mut session, 3).await, "lost");
    sql(
        &database,
        &format!(
            "DELETE FROM body WHERE id > {before}; DELETE FROM message WHERE id > {before};
             UPDATE folder SET messages = 2, newest = {before}; UPDATE postbox SET messages = 2, octets = 6"
        ),
    );
    break_connections(&database);
    deliver(&mail, b"another").await;
    assert_eq!(session.release(&marks(&[3])).await.kept, 0);
    assert_eq!(all(&mail).await, ["one", "two", "another"], "what was lost is not the one that came");
    assert_counts(&database);

    // Another server's deletion is lost, and then another message is deleted.
    let seen = Database::new(database.settings().clone());
    let mut session = inbox(&mail).await;
    assert_eq!(text(&mut session, 3).await, "another");
    assert_eq!(session.release(&marks(&[1])).await.kept, 0);
    assert_eq!(all(&seen.postbox("fido")).await, ["two", "another"]);
    sql(
        &database,
        &format!(
            "INSERT INTO message SELECT folder, 1, size, wire, received, digest FROM message WHERE id = {before};
             INSERT INTO body SELECT folder, 1, 'uno' FROM body WHERE id = {before};
             DELETE FROM message WHERE id = {before}; DELETE FROM body WHERE id = {before}"
        ),
    );
    break_connections(&database);
    assert_eq!(all(&seen.postbox("fido")).await, ["uno", "another"], "a list of before is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_that_were_stored_long_ago_get_no_message() {
    let server = testing::S3::start();
    let folder = tempfile::tempdir().unwrap();
    let objects = site::bucket(&server, &site::secret_file(folder.path()));
    // Large parts take their time.
    let settings = Settings { patience: Duration::from_secs(8), ..hasty(site::with(objects).await) };
    let mail = Database::new(settings).postbox("fido");
    server.faults("aged_hours=2");
    for length in [70_000, 6_000_000] {
        let late = mail.deliver(&FolderName::inbox(), &vec![b'x'; length][..]).await.unwrap_err();
        assert!(late.is_temporary() && late.to_string().contains("more than an hour ago"), "{late}");
    }
    deliver(&mail, b"small").await;
    assert_eq!(all(&mail).await, ["small"]);
    server.faults("");
    deliver(&mail, &vec![b'x'; 70_000]).await;
}

/// A certificate for `localhost` that nobody has signed, and its key, as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_by_tls_is_always_verified() {
    let ((certificate, key), (another, _)) = (certificate(), certificate());
    let tls = Some(testing::Tls { certificate: certificate.clone(), key });
    let tcp = Some(testing::Tcp { password: "a bone".to_owned(), tls });
    let postgres = testing::Postgres::with(&testing::Options { tcp, ..testing::Options::default() });
    let name = postgres.database().split("dbname=").nth(1).unwrap().to_owned();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let port = postgres.address().unwrap().port();
    let settings = |mode: &str| {
        let connect =
            format!("host=localhost hostaddr=127.0.0.1 port={port} user=doghouse dbname={name} {mode}");
        Settings {
            password_file: file("password", "a bone\n"),
            ..hasty(Settings::new(connect, ObjectsAt::Memory))
        }
    };
    let ca_file = file("ca", &certificate);
    let good = Database::new(Settings { ca_file: ca_file.clone(), ..settings("sslmode=require") });
    good.migrate().await.unwrap();
    deliver(&good.postbox("fido"), b"bone").await;
    for wrong in [
        Settings { ca_file: file("other", &another), ..settings("sslmode=require") },
        settings("sslmode=require"),
        Settings { ca_file: ca_file.clone(), ..settings("sslmode=disable") },
        Settings {
            ca_file: ca_file.clone(),
            password_file: file("wrong", "cat"),
            ..settings("sslmode=require")
        },
    ] {
        let error = Database::new(wrong).answers(Duration::from_secs(5)).await.unwrap_err();
        assert!(!error.to_string().contains("bone"), "{error}");
    }
    for (unreadable, what) in [
        (Settings { ca_file: file("empty", ""), ..settings("") }, "there is no certificate in it"),
        (
            Settings { ca_file: Some("/nowhere".into()), ..settings("") },
            "cannot read the authorities in /nowhere",
        ),
        (
            Settings { password_file: Some("/nowhere".into()), ..settings("") },
            "cannot read the secret in /nowhere",
        ),
        (Settings { objects: ObjectsAt::Folder("/nowhere".into()), ..settings("") }, "make it, and give"),
    ] {
        let error = Database::new(unreadable).open().unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
