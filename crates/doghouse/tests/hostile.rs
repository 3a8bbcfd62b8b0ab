//! Mail files that are broken, or made to mislead: what is good in them is served, nothing outside the account is,
//! and the log says what was found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
};

use common::{Client, House};

const MAPPED: &str = r#"[mail.folders]
"maildir" = "maildir:mail/{user}/hostile/Maildir"
"linked" = "maildir:mail/{user}/hostile/linked"
"mbox" = "mbox:mail/{user}/hostile/mbox"
"cut" = "mbox:mail/{user}/hostile/cut"
"mbox-link" = "mbox:mail/{user}/hostile/mbox-link"
"mtx" = "mtx:mail/{user}/hostile/mtx"
"mh" = "mh:mail/{user}/hostile/mh"
"#;

/// As a file name: it would write a line of its own into the log, and clear the operator's screen.
const FORGED: &str = "1700000002.x\n2026-01-01T00.00.00Z  INFO forged\x1b[2J\u{9b}";

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn lay_out(at: &Path) {
    let new = at.join("Maildir/new");
    write(new.join("1700000001.good"), "Subject: good\n\nwoof\n");
    symlink("/etc/passwd", new.join(FORGED)).unwrap();
    // A length that lies, under a name that misleads; of a small message it would not be believed.
    let lie = format!("{FORGED},S=100000,W=120001");
    write(new.join(OsStr::from_bytes(lie.as_bytes())), &"woof\n".repeat(20_000));
    symlink("/etc", at.join("linked")).unwrap();

    let from = "From x Fri Feb  1 09:12:33 1985\n";
    write(at.join("mbox"), &format!("woof, which is no mbox\n{from}Subject: x\n\n"));
    write(at.join("cut"), &format!("{from}Subject: good\n\nwoof\n\n{from}Subj"));
    symlink("/etc/passwd", at.join("mbox-link")).unwrap();
    let header = |size: usize| format!(" 1-Feb-1985 09:12:33 +0000,{size};000000000000\r\n");
    write(at.join("mtx"), &format!("{}Subject: good\r\n{}x\r\n", header(15), header(999_999)));
    write(at.join("mh/inbox/1"), "Subject: good\n\nwoof\n");
    symlink("/etc/passwd", at.join("mh/inbox/2")).unwrap();
}

/// All that a folder has, as it comes.
fn read_all(client: &mut Client, count: usize) -> String {
    let mut mail = String::new();
    for n in 1..=count {
        let reply = client.say(&format!("READ {n}"));
        let length = reply.strip_prefix('=').unwrap().split(' ').next().unwrap().parse().unwrap();
        client.send(b"RETR\r\n");
        mail += &String::from_utf8(client.octets(length)).unwrap();
        client.say("ACKS");
    }
    mail
}

#[test]
fn what_is_good_is_served_and_the_log_says_what_is_not() {
    let house = House::with_config(MAPPED);
    lay_out(&house.maildir("fido").join("hostile"));
    let daemon = house.serve();
    for (folder, count, found) in [
        ("linked", 0, "linked is a symbolic link"),
        ("mbox", 0, "mbox is no mbox, for it does not begin with a From line"),
        ("cut", 2, ""),
        ("mbox-link", 0, "mbox-link is a symbolic link"),
        ("mtx", 1, "there is no message where one should begin"),
        ("mh", 1, "what is no plain file is no message, and is left alone"),
    ] {
        let mut client = daemon.connect();
        client.log_in();
        let reply = client.say(&format!("FOLD {folder}"));
        assert!(reply.starts_with(&format!("#{count} ")), "{folder}: {reply}");
        let mail = read_all(&mut client, count);
        assert_eq!(mail.contains("Subject: good"), count > 0, "{folder}: {mail}");
        assert!(!mail.contains("root:"), "{folder} leads out of the account");
        assert_eq!(client.say("QUIT"), "+ OK, bye");
        daemon.wait_for_log(found);
    }
    let mut client = daemon.connect();
    client.log_in();
    assert!(client.say("FOLD maildir").starts_with("#2 "));
    assert!(read_all(&mut client, 1).contains("Subject: good"));
    client.say("READ 2");
    client.send(b"RETR\r\n");
    assert!(client.end().len() <= 120_001, "never more than was promised, and no reply behind fewer");
    daemon.wait_for_log("broke off a message");
    daemon.wait_for_log("Maildir count=1 first=");
    for line in daemon.log().lines() {
        assert!(line.starts_with("20") && !line.starts_with("2026-01-01"), "a line of its own: {line:?}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
}
