//! Files of several messages.

use std::{fs, num::NonZeroU32, path::PathBuf};

use postbox::{FolderName, Mailbox, Marks, Postbox, one_file::MailFile};

/// Any octets are an mbox, or are refused and left alone. When every second message is deleted, the others stay
/// what they were, and a message that is delivered comes behind them.
pub fn mbox(input: &[u8]) {
    mail_file(MailFile::mbox, input);
}

/// The same of a TOPS-20 mail file, to which nothing is written where a part of it is no message.
pub fn mtx(input: &[u8]) {
    mail_file(MailFile::mtx, input);
}

fn mail_file<P: Postbox>(open: impl Fn(PathBuf) -> P, input: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { panic!("no runtime") };
    let Ok(folder) = tempfile::tempdir() else { panic!("no folder") };
    let path = folder.path().join("mail");
    assert!(fs::write(&path, input).is_ok());
    let is_as_it_was = || fs::read(&path).is_ok_and(|there| there == input);
    let postbox = open(path.clone());
    runtime.block_on(async {
        let inbox = FolderName::inbox();
        let Ok(mut mailbox) = postbox.select(&inbox).await else {
            assert!(is_as_it_was(), "what is no such file is left alone");
            return;
        };
        let (mut marks, mut expected) = (Marks::new(), Vec::new());
        for n in (1..=mailbox.count()).filter_map(NonZeroU32::new) {
            let message = octets(&mut mailbox, n).await;
            if n.get() % 2 == 0 {
                marks.insert(n);
            } else {
                expected.push(message);
            }
        }
        let released = mailbox.release(&marks).await;
        if postbox.deliver(&inbox, &b"woof\n"[..]).await.is_err() {
            assert_eq!(released.kept, marks.len());
            assert!(is_as_it_was(), "what is damaged is left alone");
            return;
        }
        assert_eq!(released.kept, 0);
        expected.push(b"woof\r\n".to_vec());
        let Ok(mut mailbox) = postbox.select(&inbox).await else { panic!("it was such a file") };
        // One that lacked its end may have got it from the delivery, or from its neighbour's.
        assert_eq!(mailbox.count() as usize, expected.len());
        for (n, expected) in (1..=mailbox.count()).filter_map(NonZeroU32::new).zip(&expected) {
            let found = octets(&mut mailbox, n).await;
            assert_eq!(found.trim_ascii_end(), expected.trim_ascii_end());
        }
    });
}

async fn octets(mailbox: &mut impl Mailbox, n: NonZeroU32) -> Vec<u8> {
    let Ok(Some(message)) = mailbox.message(n).await else { panic!("message {n} is not there") };
    let (mut octets, mut wire) = (message.octets(), Vec::new());
    loop {
        match octets.next(&mut wire).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(wire.len() as u64, message.length());
    wire
}
