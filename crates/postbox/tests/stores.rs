//! The battery over every store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    dead_code
)]
// Tests stop at the first surprise, and each test program uses its part of the battery.

mod battery;

use std::path::Path;

use battery::battery;
use postbox::{
    Location, Mailbox, Postbox, Store, chain::Chain, maildir::Maildir, memory::Memory, mh::Mh,
    one_file::MailFile,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn located(folder: &Path) -> Store {
    Location::parse("maildir:mail/{user}", folder).unwrap().postbox("fido", None).unwrap()
}

battery!(memory, (Memory::default(), ()));
battery!(maildir, {
    let folder = folder();
    (Maildir::new(folder.path().join("Maildir")), folder)
});
battery!(mbox, {
    let folder = folder();
    (MailFile::mbox(folder.path().join("mbox")), folder)
});
battery!(mh, {
    let folder = folder();
    (Mh::new(folder.path().join("Mail")), folder)
});
battery!(mtx, {
    let folder = folder();
    (MailFile::mtx(folder.path().join("MAIL.TXT")), folder)
});
battery!(a_store_by_its_location, {
    let folder = folder();
    (located(folder.path()), folder)
});
battery!(spool_file_and_inbox_folder, {
    let folder = folder();
    let (spool, inbox) = (MailFile::mbox(folder.path().join("spool")), Mh::new(folder.path().join("Mail")));
    (Chain::new(Store::MailFile(spool), vec![Store::Mh(inbox)]), folder)
});

#[tokio::test]
async fn decision_21_numbering_runs_through_a_chain_and_deletions_go_where_messages_came_from() {
    let (spool, inbox) = (Memory::default(), Memory::default());
    for message in ["one", "two"] {
        battery::deliver(&spool, message.as_bytes()).await;
    }
    for message in ["three", "four"] {
        battery::deliver(&inbox, message.as_bytes()).await;
    }
    let both = Chain::new(spool.clone(), vec![inbox.clone()]);
    assert_eq!(battery::all(&both).await, ["one", "two", "three", "four"]);
    let released = battery::inbox(&both).await.release(&battery::marks(&[2, 3])).await;
    assert_eq!(released.kept, 0);
    assert_eq!(battery::all(&spool).await, ["one"]);
    assert_eq!(battery::all(&inbox).await, ["four"]);
    battery::deliver(&both, b"new").await;
    assert_eq!(battery::all(&spool).await, ["one", "new"], "mail is delivered to the first");
    assert_eq!(both.select(&battery::folder("none")).await.unwrap().count(), 0);
}
