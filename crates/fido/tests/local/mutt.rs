//! mutt at the same Maildir: it sees our flags, and we see its own.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use fido::local::Flags;

use crate::House;

/// Whether mutt can be tried; says why where it cannot, past the test harness.
fn can_run() -> bool {
    let path = env::var("PATH").unwrap_or_default();
    let is_there = |program: &&str| path.split(':').any(|folder| Path::new(folder).join(program).exists());
    let missing = ["mutt", "script"].into_iter().find(|program| !is_there(program));
    if let Some(program) = missing {
        assert!(env::var_os("CI").is_none(), "not to be skipped in CI: {program} is not installed");
        let name = thread::current().name().unwrap_or_default().to_owned();
        io::stderr().write_all(format!("{name}: skipped, {program} is not installed\n").as_bytes()).unwrap();
    }
    missing.is_none()
}

/// Has mutt open the Maildir and type these keys, on a terminal that `script` makes: without any it does not start.
fn mutt(house: &House, keys: &str) {
    // Without a folder of its own mutt first asks whether it may make one.
    let own = house.0.path().display();
    let settings = "set mbox_type=Maildir delete=yes quit=yes wait_key=no mark_old=no maildir_trash=yes";
    let run = house.0.path().join("run");
    let mail = house.path();
    let command = format!(
        "exec mutt -n -F /dev/null -e 'set folder={own}' -e '{settings}' -e \"push '{keys}'\" -f '{}'\n",
        mail.display()
    );
    fs::write(&run, command).unwrap();
    let mut script = Command::new("script");
    script.arg("-qec").arg(format!("sh '{}'", run.display())).arg("/dev/null");
    script.env("HOME", house.0.path()).env("TERM", "vt100");
    let status = script.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "mutt: {status}");
}

#[test]
fn mutt_sees_our_flags_and_we_see_its_own() {
    if !can_run() {
        return;
    }
    let house = House::new();
    for (n, name) in ["seen", "replied", "flagged", "trashed", "untouched"].iter().enumerate() {
        house.message(
            &format!("new/{n}.x"),
            &format!("From: rex@bone.example\nMessage-ID: <{n}@x>\nSubject: {name}"),
        );
    }
    let mut folder = house.inbox();
    for (at, flags) in [Flags::SEEN, Flags::REPLIED, Flags::FLAGGED, Flags::TRASHED].into_iter().enumerate() {
        assert_eq!(folder.mark(&[at], flags, true).done, [at]);
    }
    // mutt reads `^` and `>` among keys in its own way, so what is piped goes through a script.
    let (seen, take) = (house.0.path().join("seen"), house.0.path().join("take"));
    fs::write(&take, format!("grep ^Subject: >>'{}'\n", seen.display())).unwrap();
    // Each pattern is mutt's own notion of a flag; what it finds is tagged and piped to a file.
    for (pattern, found) in [
        ("~R", "Subject: seen\n"),
        ("~Q", "Subject: replied\n"),
        ("~F", "Subject: flagged\n"),
        ("~D", "Subject: trashed\n"),
        ("~U", "Subject: flagged\nSubject: replied\nSubject: trashed\nSubject: untouched\n"),
    ] {
        let pipe = format!("<tag-prefix><pipe-message>sh {}<enter>", take.display());
        let keys = format!("<tag-pattern>{pattern}<enter>{pipe}<exit>");
        mutt(&house, &keys);
        // Messages without a date come in the order of the file system's own.
        let text = fs::read_to_string(&seen).unwrap_or_default();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.sort_unstable();
        assert_eq!(lines.concat(), found, "{pattern}");
        fs::remove_file(&seen).unwrap_or_default();
    }
    mutt(
        &house,
        "<untag-pattern>.<enter><tag-pattern>~s untouched<enter><tag-prefix><flag-message><sync-mailbox><exit>",
    );
    let refreshed = folder.refresh(|_, _| {}).unwrap();
    assert_eq!((refreshed.added, refreshed.removed), (0, 0));
    assert!(folder.entries()[4].flags().has(Flags::FLAGGED), "{:?}", folder.entries()[4]);
}
