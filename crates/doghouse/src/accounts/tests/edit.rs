//! Changing the users file on disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use pop2::Secret;
use tempfile::TempDir;

use crate::accounts::{Error, edit};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn add(path: &Path, user: &str) -> Result<(), Error> {
    edit(path, |file| file.add(user, &Secret::from("bone")))
}

fn folder_names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_not_there_is_made_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "spot").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("spot:{ARGON2ID}"));
    assert_eq!(folder_names(&folder), ["users", "users.lock"]);
    assert_eq!(mode(&folder.path().join("users.lock")), 0o600);
}

#[test]
fn the_file_keeps_its_permissions_and_gets_a_new_inode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "# kennel\nspot:{PLAIN}bone\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    edit(&path, |file| file.remove("spot")).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# kennel\n");
    assert_eq!((mode(&path), after.uid(), after.gid()), (0o640, before.uid(), before.gid()));
    assert_ne!(before.ino(), after.ino());
}

#[test]
fn behind_a_link_it_is_the_target_that_is_replaced() {
    let (links, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, file) = (links.path().join("users"), files.path().join("dogs"));
    symlink(&file, &link).unwrap();
    let dangling = add(&link, "spot").unwrap_err().to_string();
    assert!(dangling.starts_with("cannot find "), "{dangling}");
    fs::write(&file, "").unwrap();
    add(&link, "spot").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().starts_with("spot:"));
    assert_eq!(folder_names(&links), ["users"]);
    assert_eq!(folder_names(&files), ["dogs", "dogs.lock"]);
}

#[test]
fn changes_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || add(path, &format!("dog{number}")).unwrap());
        }
    });
    let mut names = edit(&path, |file| Ok(file.names().map(str::to_owned).collect::<Vec<_>>())).unwrap();
    names.sort();
    assert_eq!(names, (0..8).map(|number| format!("dog{number}")).collect::<Vec<_>>());
    assert_eq!(folder_names(&folder), ["users", "users.lock"]);
}

#[test]
fn what_fails_leaves_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    assert!(matches!(edit(&path, |file| file.remove("spot")), Err(Error::Unknown(_))));
    assert!(!path.exists());

    fs::write(&path, "spot:{PLAIN}bone\nhunter2\n").unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let fault = add(&path, "rex").unwrap_err().to_string();
    let expected = "line 2: no ':' after the user name; a line is user:{SCHEME}hash";
    assert_eq!(fault, format!("{}: {expected}", path.display()));
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);

    let nowhere = folder.path().join("no such folder/users");
    let error = add(&nowhere, "rex").unwrap_err().to_string();
    assert!(error.starts_with("cannot lock ") && error.contains("no such folder/users.lock: "), "{error}");
}
