//! A database that is away, silent or another than before.

use std::{
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

use postbox::{
    FolderName, Mailbox, Postbox,
    postgres::{Database, ObjectsAt, Postgres, Settings},
};
use testing::How;

use crate::{
    assert_counts,
    battery::{all, deliver, inbox, marks, number, text},
    connect_of, hasty, site,
};

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
