//! Logins against a users file that changes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop2::Secret;
use tempfile::TempDir;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::accounts::files::FileAccounts;
use crate::accounts::keyed::Key;
use crate::accounts::table::{Files, Table};
use crate::accounts::{Accounts, Refused, Source, edit, edit_devices};
use crate::peer::Peer;

const HOUR: Duration = Duration::from_hours(1);
/// Spot has a password of bcrypt, Rex a plain one, Tom is locked and Max is by mistake.
const KENNEL: &str = "spot:$2b$04$abcdefghijklmnopqrstuu0jRxOnYmq2C1Ew/zJYmwVLiFBbmsGcS\n\
                      rex:{PLAIN}bone\n\
                      tom:!{PLAIN}bone\n\
                      max:{SSHA}bone\n";
const SPOTS: &str = "Old Yeller 1957";

struct Kennel {
    accounts: Accounts,
    users: PathBuf,
    _folder: TempDir,
}

fn kennel(users: &str, remember: Duration) -> Kennel {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, users).unwrap();
    Kennel {
        accounts: Accounts::load(&path, &path.with_extension("devices"), remember).unwrap(),
        users: path,
        _folder: folder,
    }
}

async fn names(accounts: &Accounts) -> Vec<String> {
    let (mut names, mut found) = (accounts.names(), Vec::new());
    while let Some(name) = names.next().await.unwrap() {
        found.push(name);
    }
    found
}

fn soon() -> Instant {
    Instant::now() + HOUR
}

impl Kennel {
    fn files(&self) -> &FileAccounts {
        match &self.accounts.0 {
            Source::Files(files) => files,
            Source::Database(_) => panic!("there is no database"),
        }
    }

    async fn lets_in(&self, user: &str, passwords: &[&str]) -> bool {
        self.lets_in_from(Peer::Local, user, passwords).await
    }

    async fn lets_in_from(&self, from: Peer, user: &str, passwords: &[&str]) -> bool {
        let candidates: Vec<_> = passwords.iter().copied().map(Secret::from).collect();
        match self.accounts.check(user, &candidates, from, soon()).await {
            Ok(verified) => verified.user() == user,
            Err(Refused::Wrong) => false,
            Err(Refused::Unchecked) => panic!("files are always there"),
        }
    }

    /// Takes all permits, so that no hash can be computed.
    fn busy(&self) -> OwnedSemaphorePermit {
        let cores = &self.files().0.checks.cores;
        Arc::clone(cores).try_acquire_many_owned(u32::try_from(cores.available_permits()).unwrap()).unwrap()
    }

    /// Whether the login is answered without a hash being computed, and positively.
    async fn remembers(&self, user: &str, password: &str) -> bool {
        let _busy = self.busy();
        timeout(Duration::from_millis(50), self.lets_in(user, &[password])).await.unwrap_or(false)
    }
}

#[tokio::test]
async fn the_right_password_and_no_other() {
    let kennel = kennel(KENNEL, Duration::ZERO);
    assert!(kennel.lets_in("spot", &[SPOTS]).await);
    assert!(kennel.lets_in("rex", &["bone"]).await);
    for (user, password) in
        [("spot", "bone"), ("rex", SPOTS), ("rex", "Bone"), ("rex", ""), ("Rex", "bone"), ("", "")]
    {
        assert!(!kennel.lets_in(user, &[password]).await, "{user} {password}");
    }
}

#[tokio::test]
async fn either_of_two_candidates() {
    let kennel = kennel(KENNEL, HOUR);
    assert!(kennel.lets_in("spot", &["bone", SPOTS]).await);
    assert!(kennel.remembers("spot", SPOTS).await);
    assert!(!kennel.remembers("spot", "bone").await, "the one that was right is remembered");
    assert!(kennel.lets_in("rex", &["bone", "b\\one"]).await);
    assert!(!kennel.lets_in("rex", &["b\\one", "stick"]).await);
    assert!(!kennel.lets_in("rex", &[]).await);
}

#[tokio::test]
async fn unknown_and_locked_users_are_refused_with_every_real_password() {
    let kennel = kennel(KENNEL, HOUR);
    assert!(kennel.lets_in("spot", &[SPOTS]).await && kennel.lets_in("rex", &["bone"]).await);
    for user in
        ["tom", "max", "ann", "bob", "cleo", "dot", "eve", ".", "../rex", "rex ", "rex:", "r\u{e9}x", ""]
    {
        assert!(!kennel.lets_in(user, &["bone", SPOTS]).await, "{user}");
        assert!(!kennel.lets_in(user, &["!{PLAIN}bone", "{SSHA}bone"]).await, "{user}");
    }
}

#[tokio::test]
async fn unknown_and_locked_users_cost_a_hash() {
    for kennel in [kennel(KENNEL, HOUR), kennel("", HOUR), kennel("tom:*\n", HOUR)] {
        for user in ["spot", "tom", "max", "ann"] {
            let busy = kennel.busy();
            let check = kennel.lets_in(user, &["stick"]);
            assert!(
                timeout(Duration::from_millis(20), check).await.is_err(),
                "{user} is answered without work"
            );
            drop(busy);
            assert!(!kennel.lets_in(user, &["stick"]).await);
        }
    }
}

#[test]
fn stand_ins_keep_to_their_names_and_spread_over_the_usable_accounts() {
    let kennel = kennel(KENNEL, HOUR);
    let files = Files { users: kennel.users.clone(), devices: kennel.users.with_extension("devices") };
    let (table, key) = (Table::load(&files).unwrap(), Key::random().unwrap());
    let mut taken = HashMap::new();
    for number in 0..200 {
        let name = format!("cat{number}");
        let stand_in = table.stand_in(&name, &key).unwrap();
        assert!(Arc::ptr_eq(stand_in, table.stand_in(&name, &key).unwrap()));
        *taken.entry(Arc::as_ptr(stand_in)).or_insert(0) += 1;
    }
    assert_eq!(taken.len(), 2, "spot and rex");
    assert!(taken.values().all(|&count| count > 50), "about half each");
}

#[tokio::test]
async fn a_remembered_password_costs_no_hash() {
    let kennel = kennel(KENNEL, HOUR);
    assert!(!kennel.remembers("rex", "bone").await, "not before a success");
    assert!(kennel.lets_in("rex", &["bone"]).await);
    assert!(kennel.remembers("rex", "bone").await);
    assert!(!kennel.remembers("rex", "stick").await);
    assert!(!kennel.remembers("spot", "bone").await, "it is the user's own");
    assert!(!kennel.lets_in("rex", &["stick"]).await);
    assert!(kennel.remembers("rex", "bone").await, "a wrong one takes nothing away");
}

#[tokio::test]
async fn remembering_ends() {
    let never = kennel(KENNEL, Duration::ZERO);
    assert!(never.lets_in("rex", &["bone"]).await);
    assert!(!never.remembers("rex", "bone").await);

    let short = kennel(KENNEL, Duration::from_millis(1));
    assert!(short.lets_in("rex", &["bone"]).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!short.remembers("rex", "bone").await);
    assert!(short.lets_in("rex", &["bone"]).await);
}

#[tokio::test]
async fn a_change_of_the_file_acts_at_once_and_forgets_what_was_remembered() {
    let kennel = kennel(KENNEL, HOUR);
    assert!(kennel.lets_in("rex", &["bone"]).await);
    let clone = kennel.accounts.clone();
    edit(&kennel.users, |file| file.add("ann", &Secret::from("stick"))).unwrap();
    assert!(!kennel.remembers("rex", "bone").await);
    assert!(kennel.lets_in("ann", &["stick"]).await && kennel.lets_in("rex", &["bone"]).await);
    assert_eq!(names(&clone).await, ["spot", "rex", "tom", "max", "ann"], "a clone is the same accounts");

    edit(&kennel.users, |file| file.set_password("rex", &Secret::from("ball"))).unwrap();
    assert!(!kennel.lets_in("rex", &["bone"]).await);
    assert!(kennel.lets_in("rex", &["ball"]).await);

    edit(&kennel.users, |file| file.remove("rex")).unwrap();
    assert!(!kennel.lets_in("rex", &["ball", "bone"]).await);
    assert!(!kennel.accounts.contains("rex").await.unwrap());
}

#[tokio::test]
async fn a_faulty_or_missing_file_leaves_the_accounts_as_they_were() {
    let kennel = kennel(KENNEL, HOUR);
    fs::write(&kennel.users, "no colon\n").unwrap();
    assert!(kennel.lets_in("rex", &["bone"]).await);
    assert!(kennel.remembers("rex", "bone").await);
    fs::remove_file(&kennel.users).unwrap();
    assert!(kennel.lets_in("rex", &["bone"]).await);
    assert_eq!(kennel.accounts.count().await.unwrap(), 4);

    fs::write(&kennel.users, "rex:{PLAIN}ball\n").unwrap();
    assert!(kennel.lets_in("rex", &["ball"]).await);
    assert_eq!(kennel.accounts.count().await.unwrap(), 1);
}

#[test]
fn a_fault_is_logged_once_a_version() {
    let kennel = kennel(KENNEL, HOUR);
    let logged = |work: &dyn Fn()| {
        let log = tempfile::NamedTempFile::new().unwrap();
        let writer = Mutex::new(File::create(log.path()).unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, work);
        fs::read_to_string(log.path()).unwrap()
    };
    let look = || kennel.files().0.read_anew();
    assert_eq!(logged(&look), "");
    fs::write(&kennel.users, "spot:{SSHA}hunter2\nhunter2\n").unwrap();
    let log = logged(&|| (0..3).for_each(|_| look()));
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    assert!(log.contains("line 2: no ':' after the user name") && !log.contains("hunter2"), "{log}");
    fs::remove_file(&kennel.users).unwrap();
    let log = logged(&|| (0..3).for_each(|_| look()));
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    fs::write(&kennel.users, "spot:{SSHA}hunter2\n").unwrap();
    let log = logged(&|| (0..3).for_each(|_| look()));
    assert_eq!((log.matches("WARN").count(), log.matches("INFO").count()), (1, 1), "{log}");
    assert!(log.contains("user spot cannot log in") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn what_is_known_of_the_file() {
    let kennel = kennel(KENNEL, HOUR);
    let accounts = &kennel.accounts;
    assert_eq!(accounts.count().await.unwrap(), 4);
    assert_eq!(names(accounts).await, ["spot", "rex", "tom", "max"]);
    assert!(accounts.contains("tom").await.unwrap() && !accounts.contains("ann").await.unwrap());
    let warnings: Vec<_> =
        accounts.warnings().into_iter().map(|warning| (warning.line, warning.user)).collect();
    assert_eq!(warnings, [(4, "max".to_owned())]);
    assert_eq!(format!("{accounts:?}"), format!("Accounts({}, 4 accounts)", kennel.users.display()));
    assert!(
        Accounts::load(&kennel.users.with_extension("none"), &kennel.users.with_extension("devices"), HOUR)
            .is_err()
    );
}

#[tokio::test]
async fn a_device_logs_in_from_where_it_is_and_without_a_slow_hash() {
    let kennel = kennel(KENNEL, Duration::ZERO);
    let devices = kennel.users.with_extension("devices");
    let near = vec!["192.168.7.0/24".parse().unwrap()];
    let (vax, tom) = edit_devices(&devices, |all| {
        let vax = all.add("spot", "MicroVAX", near, true)?;
        Ok((vax, all.add("tom", "PDP-10", Vec::new(), false)?))
    })
    .unwrap();
    let inside = Peer::at([192, 168, 7, 9].into());
    let check = async |user: &str, password: &Secret, from: Peer| {
        kennel.accounts.check(user, std::slice::from_ref(password), from, soon()).await.ok()
    };
    {
        let _busy = kennel.busy();
        let verified = check("spot", &vax, inside).await.unwrap();
        assert_eq!(
            (verified.user(), verified.device(), verified.read_only()),
            ("spot", Some("MicroVAX"), true)
        );
    }
    assert!(check("spot", &vax, Peer::Local).await.is_none(), "it is not from there");
    assert!(check("rex", &vax, inside).await.is_none(), "it is not his");
    assert!(check("tom", &tom, Peer::Local).await.is_none(), "a locked account is locked");
    assert!(kennel.lets_in("spot", &[SPOTS]).await, "the user's own password is good all the same");
    edit_devices(&devices, |all| all.remove("spot", "MicroVAX")).unwrap();
    assert!(check("spot", &vax, inside).await.is_none(), "it was removed");
    // A file that is not in order changes nothing.
    fs::write(&devices, "woof").unwrap();
    assert!(kennel.lets_in("rex", &["bone"]).await);
}

#[tokio::test]
async fn networks_of_an_account_are_obeyed() {
    let users = "rex:{PLAIN}bone::::::allow_nets=192.168.7.0/24,::1\n";
    let kennel = kennel(users, HOUR);
    for (from, expected) in
        [("192.168.7.9", true), ("::1", true), ("192.168.8.9", false), ("127.0.0.1", false)]
    {
        let from = Peer::at(from.parse().unwrap());
        // Also when the password is remembered.
        for _ in 0..2 {
            assert_eq!(kennel.lets_in_from(from, "rex", &["bone"]).await, expected, "{from}");
        }
    }
    assert!(!kennel.lets_in("rex", &["bone"]).await, "nor from a socket in the file system");

    let devices = kennel.users.with_extension("devices");
    let vax = edit_devices(&devices, |all| all.add("rex", "MicroVAX", Vec::new(), false)).unwrap();
    for (from, expected) in [([192, 168, 7, 9], true), ([192, 168, 8, 9], false)] {
        let verified =
            kennel.accounts.check("rex", std::slice::from_ref(&vax), Peer::at(from.into()), soon()).await;
        assert_eq!(verified.is_ok(), expected, "a device is bound to the networks of its account as well");
    }
}
