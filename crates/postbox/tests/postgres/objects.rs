//! The object store: what is wrong there, what is old, and whose it is.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use postbox::{
    FolderName, Mailbox, Postbox,
    postgres::{Database, ObjectsAt, Settings},
};

use crate::{
    battery::{all, deliver, inbox, marks, number, octets},
    hasty, site, sql,
};

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
    // A sweep that was broken off has left a note of an object that is gone.
    sql(&database, "INSERT INTO discarded VALUES ('gone', now() - INTERVAL '25 hours')");
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

#[tokio::test(flavor = "multi_thread")]
async fn of_databases_that_take_an_object_store_at_once_the_first_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = site::bucket(testing::S3::shared(), &site::secret_file(folder.path()));
    for objects in [ObjectsAt::Folder(folder.path().to_owned()), bucket] {
        let slow = Database::new(Settings { objects: objects.clone(), ..site::settings().await });
        let quick = Database::new(Settings { objects, ..site::settings().await });
        let mut holding = slow.connection().await.unwrap();
        holding.begin("hold").await.unwrap();
        holding.batch("hold", "LOCK TABLE site").await.unwrap();
        // It sees that the store is nobody's, and is held up until it is the other's.
        let taking = tokio::spawn({
            let slow = slow.clone();
            async move { slow.take_objects().await }
        });
        let is_held_up = "SELECT count(*) FROM pg_locks WHERE relation = 'site'::regclass AND NOT granted";
        while sql(&slow, is_held_up) == "0" && !taking.is_finished() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        quick.take_objects().await.unwrap();
        holding.commit("hold").await.unwrap();
        let refused = taking.await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("the mail of another database"), "{refused}");
        quick.take_objects().await.unwrap();
    }
}
