//! What holds of Maildir beyond the battery: other programs' files, links, and what is in `tmp`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    dead_code,
    unused_macros,
    unused_imports
)]
// Tests stop at the first surprise, and each test program uses its part of the battery.

mod battery;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use battery::{all, deliver, folder, inbox, marks, number, octets, text};
use postbox::{Error, FolderName, Location, Mailbox, Postbox, Store, maildir::Maildir};
use tempfile::TempDir;

/// A site: `mail/fido` and `mail/smith` are accounts.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn postbox(&self, user: &str) -> Store {
        Location::parse("maildir:mail/{user}", self.0.path()).unwrap().postbox(user, None).unwrap()
    }

    fn maildir(&self, user: &str) -> PathBuf {
        self.0.path().join("mail").join(user)
    }

    /// Puts a file where another program would.
    fn put(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.maildir("fido").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, octets).unwrap();
        path
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[tokio::test]
async fn decision_22_selecting_makes_nothing() {
    let site = Site::new();
    assert_eq!(inbox(&site.postbox("fido")).await.count(), 0);
    assert_eq!(site.postbox("fido").select(&folder("old")).await.unwrap().count(), 0);
    assert_eq!(names(site.0.path()), [""; 0]);
}

#[tokio::test]
async fn a_delivery_has_its_sizes_in_its_name_and_is_its_owners_alone() {
    let site = Site::new();
    deliver(&site.postbox("fido"), b"Subject: x\n\nwoof\n").await;
    site.postbox("fido").deliver(&folder("lists.rust"), &b""[..]).await.unwrap();
    let new = site.maildir("fido").join("new");
    let [name] = &names(&new)[..] else { panic!("one file") };
    assert!(name.ends_with(",S=17,W=20"), "{name}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&new.join(name)), mode(&new), mode(&site.maildir("fido"))), (0o600, 0o700, 0o700));
    let nested = site.maildir("fido").join(".lists.rust");
    assert_eq!(names(&nested), ["cur", "maildirfolder", "new", "tmp"]);
    assert!(names(&nested.join("new"))[0].ends_with(",S=0,W=0"), "as other programs write it");
    assert_eq!(names(&site.maildir("fido").join("tmp")), [""; 0]);
}

#[tokio::test]
async fn files_of_other_programs_are_read_in_the_order_of_delivery_and_never_renamed() {
    let site = Site::new();
    for (name, octets) in [
        ("new/1700000003.V801I2.host", "three\n"),
        ("cur/1700000001.M1P1.host,S=4,W=5:2,S", "one\n"),
        ("cur/1700000010.9_1.host:2,", "five\n"),
        ("new/1700000009.M000002P7.host,S=5", "four\n"),
        ("cur/1700000002.x:2,FRS", "two\n"),
        ("new/odd name", "zero\n"),
    ] {
        site.put(name, octets.as_bytes());
    }
    let before = (names(&site.maildir("fido").join("new")), names(&site.maildir("fido").join("cur")));
    let postbox = site.postbox("fido");
    let expected: Vec<String> =
        ["zero", "one", "two", "three", "four", "five"].map(|t| format!("{t}\r\n")).to_vec();
    assert_eq!(all(&postbox).await, expected);
    inbox(&postbox).await.release(&marks(&[3])).await;
    let after = (names(&site.maildir("fido").join("new")), names(&site.maildir("fido").join("cur")));
    assert_eq!(after.0, before.0);
    assert_eq!(after.1, before.1.into_iter().filter(|name| !name.contains(".x:")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_message_is_none() {
    let site = Site::new();
    site.put("new/1700000001.a", b"woof");
    let new = site.maildir("fido").join("new");
    site.put("new/.hidden", b"x");
    fs::create_dir(new.join("1700000002.folder")).unwrap();
    symlink("/etc/passwd", new.join("1700000003.link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(new.join("1700000004.socket")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        new.join("1700000005.pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    assert_eq!(all(&site.postbox("fido")).await, ["woof"]);
}

#[tokio::test]
async fn a_message_in_both_folders_is_one() {
    let site = Site::new();
    site.put("new/1700000001.a", b"woof");
    site.put("cur/1700000001.a:2,S", b"woof");
    site.put("cur/1700000001.a:2,RS", b"woof");
    assert_eq!(all(&site.postbox("fido")).await, ["woof"]);
}

#[tokio::test]
async fn a_message_whose_flags_change_is_found_again_by_its_unique_name() {
    let site = Site::new();
    let one = site.put("new/1700000001.a", b"one");
    let two = site.put("cur/1700000002.b:2,", b"two");
    let three = site.put("new/1700000003.c", b"three");
    let postbox = site.postbox("fido");
    let mut mailbox = inbox(&postbox).await;
    let cur = site.maildir("fido").join("cur");
    fs::rename(one, cur.join("1700000001.a:2,S")).unwrap();
    fs::rename(two, cur.join("1700000002.b:2,FRS")).unwrap();
    assert_eq!(text(&mut mailbox, 1).await, "one");
    assert_eq!(text(&mut mailbox, 2).await, "two");
    assert_eq!(text(&mut mailbox, 3).await, "three");
    fs::rename(three, cur.join("1700000003.c:2,S")).unwrap();
    fs::rename(cur.join("1700000001.a:2,S"), cur.join("1700000001.a:2,T")).unwrap();
    let released = mailbox.release(&marks(&[1, 3])).await;
    assert_eq!(released.kept, 0);
    assert_eq!(
        (names(&cur), names(&site.maildir("fido").join("new"))),
        (vec!["1700000002.b:2,FRS".into()], vec![])
    );
}

/// Lines of five octets, for a file that is too large to be read before its length is told.
const LINES: usize = 20_000;

fn large() -> Vec<u8> {
    b"woof\n".repeat(LINES)
}

#[tokio::test]
async fn w_is_believed_only_while_s_is_the_files_size() {
    let site = Site::new();
    let (size, wire) = (5 * LINES, 6 * LINES);
    site.put(&format!("new/1700000001.a,S={size},W={wire}"), &large());
    site.put(&format!("new/1700000002.b,S=4,W={size}"), &large());
    site.put(&format!("new/1700000003.c,S={size},W={}", 3 * size), &large());
    site.put("new/1700000004.d,S=0,W=0", b"");
    let mut mailbox = inbox(&site.postbox("fido")).await;
    for (n, length) in [(1, wire), (2, wire), (3, wire), (4, 2)] {
        let message = mailbox.message(number(n)).await.unwrap().unwrap();
        assert_eq!(message.length(), length as u64, "message {n}");
        octets(&message).await;
    }
}

#[tokio::test]
async fn of_a_small_message_nothing_is_believed() {
    let site = Site::new();
    let claims =
        ["S=10,W=12", "S=10,W=11", "S=10,W=13", "S=10,W=10", "S=9,W=11", "S=11,W=12", "S=10", "W=12", ""];
    for (n, claim) in claims.iter().enumerate() {
        site.put(&format!("new/170000000{n}.a,{claim}"), b"woof\nwoof\n");
    }
    assert_eq!(all(&site.postbox("fido")).await, ["woof\r\nwoof\r\n"; 9]);
}

#[tokio::test]
async fn a_lying_w_breaks_one_promise_and_is_not_believed_again() {
    let (size, wire) = (5 * LINES, 6 * LINES);
    // The last one says that nothing has to be changed on the way.
    for claim in [wire - 1, wire + 1, size] {
        let site = Site::new();
        site.put(&format!("new/1700000001.a,S={size},W={claim}"), &large());
        let location = Location::parse("maildir:mail/{user}", site.0.path()).unwrap();
        let mut mailbox = inbox(&location.postbox("fido", None).unwrap()).await;
        let message = mailbox.message(number(1)).await.unwrap().unwrap();
        assert_eq!(message.length(), claim as u64);
        let (mut pieces, mut sent) = (message.octets(), Vec::new());
        let error = loop {
            match pieces.next(&mut sent).await {
                Ok(true) => {}
                Ok(false) => panic!("{claim} was kept"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Changed { .. }), "{error}");
        assert!((sent.len() as u64) < message.length());
        let again = all(&location.postbox("fido", None).unwrap()).await;
        assert_eq!(again, ["woof\r\n".repeat(LINES)], "for the next session");
    }
}

#[tokio::test]
async fn what_is_stored_in_wire_form_goes_as_it_is() {
    let site = Site::new();
    let stored = b"woof\r\n".repeat(LINES);
    let size = stored.len();
    site.put(&format!("new/1700000001.a,S={size},W={size}"), &stored);
    site.put("new/1700000002.b", &stored);
    for message in all(&site.postbox("fido")).await {
        assert!(message.as_bytes() == stored);
    }
}

#[tokio::test]
async fn decision_17_octets_that_cannot_be_had_are_an_error_and_never_too_few() {
    let site = Site::new();
    let path = site.put("new/1700000001.a", &b"woof\n".repeat(100_000));
    let mut mailbox = inbox(&site.postbox("fido")).await;
    let message = mailbox.message(number(1)).await.unwrap().unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
    let (mut pieces, mut wire) = (message.octets(), Vec::new());
    let outcome = loop {
        match pieces.next(&mut wire).await {
            Ok(true) => {}
            other => break other,
        }
    };
    assert!(matches!(outcome, Err(Error::Changed { .. })));
    // More at the end of the file is not this message's.
    let path = site.put("new/1700000002.b", b"woof\n");
    let mut mailbox = inbox(&site.postbox("fido")).await;
    let message = mailbox.message(number(2)).await.unwrap().unwrap();
    fs::write(&path, b"woof\nmore\n").unwrap();
    assert_eq!(octets(&message).await, b"woof\r\n");
}

#[tokio::test]
async fn no_link_below_the_accounts_part_is_followed() {
    let site = Site::new();
    deliver(&site.postbox("smith"), b"secret").await;
    let smith = site.maildir("smith");
    let fido = site.maildir("fido");

    symlink(&smith, &fido).unwrap();
    let refused =
        |result: Result<(), Error>| assert!(matches!(result, Err(Error::Strange { .. })), "{result:?}");
    refused(site.postbox("fido").select(&FolderName::inbox()).await.map(drop));
    refused(site.postbox("fido").deliver(&FolderName::inbox(), &b"x"[..]).await);
    fs::remove_file(&fido).unwrap();

    deliver(&site.postbox("fido"), b"mine").await;
    for part in ["cur", "new", "tmp"] {
        let (place, aside) = (fido.join(part), fido.join("aside"));
        fs::rename(&place, &aside).unwrap();
        symlink(smith.join(part), &place).unwrap();
        if part != "tmp" {
            refused(site.postbox("fido").select(&FolderName::inbox()).await.map(drop));
        }
        refused(site.postbox("fido").deliver(&FolderName::inbox(), &b"x"[..]).await);
        fs::remove_file(&place).unwrap();
        fs::rename(&aside, &place).unwrap();
    }
    symlink(&smith, fido.join(".old")).unwrap();
    refused(site.postbox("fido").select(&folder("old")).await.map(drop));
    refused(site.postbox("fido").deliver(&folder("old"), &b"x"[..]).await);
    assert_eq!(all(&site.postbox("smith")).await, ["secret"]);
    assert_eq!(names(&smith), ["cur", "new", "tmp"]);
}

#[tokio::test]
async fn a_link_swapped_in_for_a_message_is_not_followed() {
    let site = Site::new();
    let path = site.put("new/1700000001.a", b"mine");
    fs::write(site.0.path().join("secret"), "secret").unwrap();
    let mut mailbox = inbox(&site.postbox("fido")).await;
    fs::remove_file(&path).unwrap();
    symlink(site.0.path().join("secret"), &path).unwrap();
    assert!(matches!(mailbox.message(number(1)).await, Err(Error::Strange { .. })));
    mailbox.release(&marks(&[1])).await;
    assert!(site.0.path().join("secret").exists(), "only the link is removed");
}

#[tokio::test]
async fn the_operators_own_links_are_followed() {
    let site = Site::new();
    fs::create_dir(site.0.path().join("disk")).unwrap();
    symlink("disk", site.0.path().join("mail")).unwrap();
    deliver(&site.postbox("fido"), b"woof").await;
    assert_eq!(all(&site.postbox("fido")).await, ["woof"]);
}

/// While somebody swaps a folder for a link to another account's, nothing of that account is read, removed or
/// added to.
#[test]
fn no_race_leads_out_of_the_account() {
    let site = Site::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (fido, smith) = (site.maildir("fido"), site.maildir("smith"));
    let stop = AtomicBool::new(false);
    runtime.block_on(async {
        for _ in 0..3 {
            deliver(&site.postbox("smith"), b"secret").await;
        }
        for name in ["INBOX", "old"] {
            site.postbox("fido").deliver(&folder(name), &b"mine"[..]).await.unwrap();
        }
    });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let places = [(fido.join("new"), smith.join("new")), (fido.join(".old"), smith.clone())];
            for (place, target) in places.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let aside = fido.join("aside");
                if fs::rename(place, &aside).is_ok() {
                    let _ = symlink(target, place);
                    std::thread::yield_now();
                    let _ = fs::remove_file(place);
                    // A delivery may have made the folder anew in between.
                    let _ = fs::remove_dir_all(place);
                    let _ = fs::rename(&aside, place);
                }
            }
        });
        let went =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(use_mail(&site))));
        stop.store(true, Ordering::Relaxed);
        went.unwrap();
    });
    assert_eq!(runtime.block_on(all(&site.postbox("smith"))), ["secret"; 3]);
}

/// Delivers, reads and deletes whatever can be had just then.
async fn use_mail(site: &Site) {
    let postbox = site.postbox("fido");
    let mut read = 0;
    for _ in 0..200 {
        for name in ["INBOX", "old"] {
            let _ = postbox.deliver(&folder(name), &b"mine"[..]).await;
            let Ok(mut mailbox) = postbox.select(&folder(name)).await else { continue };
            for n in 1..=mailbox.count() {
                if let Ok(Some(message)) = mailbox.message(number(n)).await {
                    assert_eq!(octets(&message).await, b"mine");
                    read += 1;
                }
            }
            let everything = (1..=mailbox.count()).map(number).collect();
            mailbox.release(&everything).await;
        }
    }
    assert!(read > 0, "nothing was tried");
}

fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_hours(hours);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[tokio::test]
async fn what_a_cut_off_delivery_left_is_removed_once_it_is_old() {
    let site = Site::new();
    let postbox = site.postbox("fido");
    deliver(&postbox, b"woof").await;
    let ours = names(&site.maildir("fido").join("new"))[0].split(',').next().unwrap().to_owned();
    for (name, hours) in
        [(ours.clone(), 37), (format!("{ours}x"), 35), ("1700000000.V8I1.foreign".into(), 37)]
    {
        age(&site.put(&format!("tmp/{name}"), b"half a mess"), hours);
    }
    let expected = vec!["1700000000.V8I1.foreign".to_owned(), format!("{ours}x")];
    inbox(&postbox).await;
    assert_eq!(names(&site.maildir("fido").join("tmp")), expected, "a foreign file was touched just now");
    age(&site.put(&format!("tmp/{ours}"), b"half a mess"), 37);
    deliver(&postbox, b"woof").await;
    assert_eq!(names(&site.maildir("fido").join("tmp")), expected);
    assert_eq!(all(&postbox).await, ["woof", "woof"]);
}

#[tokio::test]
async fn a_delivery_that_is_dropped_leaves_nothing() {
    let site = Site::new();
    let postbox = site.postbox("fido");
    let (_open, never_ends) = tokio::io::duplex(64);
    let inbox_name = FolderName::inbox();
    let dropped =
        tokio::time::timeout(Duration::from_millis(50), postbox.deliver(&inbox_name, never_ends)).await;
    assert!(dropped.is_err());
    assert_eq!(names(&site.maildir("fido").join("tmp")), [""; 0]);
    assert_eq!(names(&site.maildir("fido").join("new")), [""; 0]);
}

#[tokio::test]
async fn an_error_names_the_place_and_the_remedy() {
    let site = Site::new();
    fs::create_dir_all(site.0.path().join("mail")).unwrap();
    fs::write(site.maildir("fido"), "no folder").unwrap();
    let error = site.postbox("fido").select(&FolderName::inbox()).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("mail/fido is a symbolic link or not a folder; it is left alone: "), "{text}");
    let error =
        Maildir::new("/proc/no-such-place/x").deliver(&FolderName::inbox(), &b"x"[..]).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot make /proc/no-such-place: "), "{error}");
}

/// Only of what was read from its first octet to its last, and has not changed since, the file may be sent unseen.
#[tokio::test]
async fn a_file_is_taken_for_the_wire_form_once_it_was_read_and_while_it_stays_as_it_was() {
    let wire = b"woof, woof, woof, woof, woof, woof\r\n".repeat(3000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cur").join(format!("1.x,S={0},W={0}:2,", wire.len()));
    fs::create_dir(folder.path().join("cur")).unwrap();
    fs::write(&path, &wire).unwrap();
    let quiet = || std::thread::sleep(Duration::from_millis(300));
    let maildir = Maildir::new(folder.path());
    let open = async || {
        let mut mailbox = maildir.select(&FolderName::inbox()).await.unwrap();
        mailbox.message(number(1)).await.unwrap().unwrap()
    };
    quiet();
    let claimed = open().await;
    assert!(claimed.wire_file().is_none(), "the name alone says so");
    let (mut octets, mut sent) = (claimed.octets(), Vec::new());
    octets.next(&mut sent).await.unwrap();
    assert!(open().await.wire_file().is_none(), "half of it was read");
    while octets.next(&mut sent).await.unwrap() {}
    assert!(sent == wire);
    let read = open().await;
    assert!(read.wire_file().is_some());
    // As long as before, but no longer in wire form.
    fs::write(&path, [&wire[..wire.len() - 2], b"x\n"].concat()).unwrap();
    assert!(read.wire_file().is_none() && open().await.wire_file().is_none(), "it has changed");
    quiet();
    let changed = open().await;
    let mut octets = changed.octets();
    while octets.next(&mut sent).await.is_ok_and(|more| more) {}
    assert!(open().await.wire_file().is_none(), "its name lies");
}
