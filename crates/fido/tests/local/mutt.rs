//! mutt at the same Maildir: it sees our flags, and we see its own.

use std::fs;

use fido::local::Flags;

use crate::{
    House,
    program::{self, can_run},
};

fn mutt(house: &House, keys: &str) {
    let settings = "set mbox_type=Maildir delete=yes quit=yes wait_key=no mark_old=no maildir_trash=yes";
    program::mutt(house.0.path(), &house.path(), settings, keys);
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
