//! A stand-by server takes over.

use std::time::Duration;

use postbox::{
    FolderName, Mailbox,
    postgres::{Database, ObjectsAt, Settings},
};
use testing::How;
use tokio::time::timeout;

use crate::{
    assert_counts_by,
    battery::{all, deliver, inbox, marks, text},
    deliver_as, hasty,
};

/// A server, one that stands by, and a database at whichever of them can be written to.
struct Pair {
    primary: testing::Postgres,
    stand_by: testing::Postgres,
    settings: Settings,
}

impl Pair {
    async fn start() -> Self {
        let primary = testing::Postgres::start();
        let stand_by = primary.stand_by();
        // The stand-by server is asked first, since it is there before it can be written to.
        let connect = primary.with_stand_by(&primary.database(), &stand_by);
        let settings = Settings::new(connect, ObjectsAt::Memory);
        Database::new(settings.clone()).migrate().await.unwrap();
        Self { primary, stand_by, settings }
    }

    fn fail_over(&self) {
        self.primary.stop(How::Immediate);
        self.stand_by.promote();
    }

    /// What the server that stood by answers.
    fn sql_there(&self, sql: &str) -> String {
        let database = self.settings.connect.split("dbname=").nth(1).unwrap();
        self.stand_by.sql(database, sql)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_at_the_server_that_takes_over() {
    let pair = Pair::start().await;
    pair.primary.commits_wait_for_stand_by();
    let mail = Database::new(pair.settings.clone()).postbox("fido");
    for message in ["one", "two", "three"] {
        deliver(&mail, message.as_bytes()).await;
    }
    let mut session = inbox(&mail).await;
    assert_eq!(text(&mut session, 1).await, "one");
    let Pair { primary, stand_by, settings } = pair;
    primary.stop(How::Immediate);
    // What only stands by is as good as away.
    let database = Database::new(hasty(settings));
    assert!(database.answers(Duration::from_secs(3)).await.is_err());
    let taking_over = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(1));
        stand_by.promote();
        stand_by
    });
    assert_eq!(text(&mut session, 2).await, "two");
    let _stand_by = taking_over.await.unwrap();
    assert_eq!(session.release(&marks(&[1, 2])).await.kept, 0);
    deliver(&mail, b"four").await;
    assert_eq!(all(&mail).await, ["three", "four"]);
    assert!(database.answers(Duration::from_secs(3)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_after_a_fail_over_also_where_it_was_entered_before() {
    let pair = Pair::start().await;
    pair.primary.commits_wait_for_stand_by();
    let database = Database::new(pair.settings.clone());
    let (mail, inbox_name) = (database.postbox("fido"), FolderName::inbox());
    deliver_as(&mail, &inbox_name, b"one", "1").await.unwrap();
    pair.stand_by.follow(None);
    // It is committed and not confirmed, since the stand-by server has not got it.
    let first = tokio::spawn({
        let (mail, inbox_name) = (mail.clone(), inbox_name.clone());
        async move { deliver_as(&mail, &inbox_name, b"two", "2").await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'";
    while pair.primary.sql("postgres", waiting) == "0" && !first.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!first.is_finished(), "nothing is confirmed without the stand-by server");
    first.abort();
    pair.primary.restart(How::Immediate);
    assert_eq!(all(&mail).await, ["one", "two"], "it is in the tables");
    // The sender comes again, and must not be told that all is well either.
    let second = timeout(Duration::from_secs(2), deliver_as(&mail, &inbox_name, b"two", "2")).await;
    pair.fail_over();
    let there = all(&mail).await;
    assert!(second.is_err(), "it was confirmed, and there is only {there:?}");
    deliver_as(&mail, &inbox_name, b"two", "2").await.unwrap();
    assert_eq!(all(&mail).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_mail_is_left_for_the_one_that_does() {
    let pair = Pair::start().await;
    let mail = Database::new(pair.settings.clone()).postbox("fido");
    deliver(&mail, b"one").await;
    let mut session = inbox(&mail).await;
    pair.stand_by.catch_up(&pair.primary);
    let sql = "ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()";
    pair.primary.sql("postgres", sql);
    while pair.primary.sql("postgres", "SHOW default_transaction_read_only") != "on" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pair.stand_by.promote();
    // Connections to the first are still open.
    assert_eq!(text(&mut session, 1).await, "one");
    assert_eq!(session.release(&marks(&[1])).await.kept, 0);
    deliver(&mail, b"two").await;
    assert_eq!(all(&mail).await, ["two"]);
    assert_eq!(pair.sql_there("SELECT convert_from(octets, 'UTF8') FROM body"), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fail_over_that_loses_commits_nothing_else_is_taken_for_what_was_lost() {
    let pair = Pair::start().await;
    let mail = Database::new(pair.settings.clone()).postbox("fido");
    let elsewhere = Database::new(pair.settings.clone()).postbox("fido");
    for message in ["one", "two", "three"] {
        deliver(&mail, message.as_bytes()).await;
    }
    pair.stand_by.catch_up(&pair.primary);
    pair.stand_by.follow(None);

    assert_eq!(inbox(&elsewhere).await.release(&marks(&[1])).await.kept, 0);
    assert_eq!(all(&elsewhere).await, ["two", "three"]);
    deliver(&mail, b"lost").await;
    let mut session = inbox(&mail).await;
    assert_eq!(text(&mut session, 3).await, "lost");
    pair.fail_over();

    // As many are gone as before the deletion was lost, but others.
    assert_eq!(inbox(&mail).await.release(&marks(&[2])).await.kept, 0);
    assert_eq!(all(&elsewhere).await, ["one", "three"], "a list of before is forgotten");
    deliver(&mail, b"another").await;
    assert_eq!(session.release(&marks(&[3])).await.kept, 0);
    assert_eq!(all(&mail).await, ["one", "three", "another"], "what was lost is not the one that came");
    assert_counts_by(|query| pair.sql_there(query));
}
