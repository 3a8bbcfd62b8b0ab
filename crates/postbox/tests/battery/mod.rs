//! What holds of every store. A store is a store when it passes this unchanged.

mod odd;

use std::{num::NonZeroU32, sync::Arc};

use pop2::wire;
use postbox::{FolderName, Mailbox, Marks, Message, Postbox};

pub fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub fn marks(numbers: &[u32]) -> Marks {
    numbers.iter().map(|&n| number(n)).collect()
}

pub fn folder(name: &str) -> FolderName {
    FolderName::parse(name).unwrap()
}

pub async fn inbox<P: Postbox>(postbox: &P) -> P::Mailbox {
    postbox.select(&FolderName::inbox()).await.unwrap()
}

pub async fn deliver(postbox: &impl Postbox, message: &[u8]) {
    postbox.deliver(&FolderName::inbox(), message).await.unwrap();
}

/// The octets of a message on the wire, which are as many as its length.
pub async fn octets(message: &Message) -> Vec<u8> {
    let (mut octets, mut wire) = (message.octets(), Vec::new());
    while octets.next(&mut wire).await.unwrap() {}
    assert_eq!(wire.len() as u64, message.length());
    wire
}

pub async fn text(mailbox: &mut impl Mailbox, n: u32) -> String {
    let message = mailbox.message(number(n)).await.unwrap().expect("no such message");
    String::from_utf8(octets(&message).await).unwrap()
}

/// The texts of all messages of the inbox, in order.
pub async fn all(postbox: &impl Postbox) -> Vec<String> {
    let mut mailbox = inbox(postbox).await;
    let mut texts = Vec::new();
    for n in 1..=mailbox.count() {
        texts.push(text(&mut mailbox, n).await);
    }
    texts
}

pub async fn a_folder_that_does_not_exist_is_empty(postbox: impl Postbox) {
    assert_eq!(inbox(&postbox).await.count(), 0);
    let mut missing = postbox.select(&folder("none.at.all")).await.unwrap();
    assert_eq!(missing.count(), 0);
    assert!(missing.message(number(1)).await.unwrap().is_none());
    assert_eq!(missing.release(&marks(&[1])).await.kept, 0);
}

pub async fn odd_messages_come_as_they_were_stored(postbox: impl Postbox) {
    let messages = odd::messages();
    for (_, stored) in &messages {
        deliver(&postbox, stored).await;
    }
    let mut mailbox = inbox(&postbox).await;
    assert_eq!(mailbox.count() as usize, messages.len());
    for (n, (what, stored)) in (1..).zip(&messages) {
        let (mut encoder, mut expected) = (wire::Encoder::default(), Vec::new());
        encoder.encode(stored, &mut expected);
        encoder.finish(&mut expected);
        let message = mailbox.message(number(n)).await.unwrap().expect(what);
        assert_eq!(message.length(), expected.len() as u64, "{what}");
        assert!(octets(&message).await == expected, "{what}");
        assert!(octets(&message).await == expected, "{what}, a second time");
    }
}

pub async fn messages_are_numbered_in_the_order_of_delivery(postbox: impl Postbox) {
    for n in 1..=150 {
        deliver(&postbox, format!("{n}").as_bytes()).await;
    }
    let expected: Vec<String> = (1..=150).map(|n| n.to_string()).collect();
    assert_eq!(all(&postbox).await, expected);
}

pub async fn numbers_stay_what_they_are_until_the_release(postbox: impl Postbox) {
    for message in ["one", "two", "three"] {
        deliver(&postbox, message.as_bytes()).await;
    }
    let mut mailbox = inbox(&postbox).await;
    deliver(&postbox, b"four").await;
    assert_eq!(inbox(&postbox).await.release(&marks(&[2])).await.kept, 0);
    assert_eq!(mailbox.count(), 3);
    assert_eq!(text(&mut mailbox, 1).await, "one");
    assert!(mailbox.message(number(2)).await.unwrap().is_none(), "another session deleted it");
    assert_eq!(text(&mut mailbox, 3).await, "three");
    assert!(mailbox.message(number(4)).await.unwrap().is_none(), "it came later");
    assert_eq!(mailbox.release(&marks(&[3])).await.kept, 0);
    assert_eq!(all(&postbox).await, ["one", "four"]);
}

pub async fn numbers_out_of_range_are_no_message(postbox: impl Postbox) {
    deliver(&postbox, b"one").await;
    let mut mailbox = inbox(&postbox).await;
    assert!(mailbox.message(number(2)).await.unwrap().is_none());
    assert!(mailbox.message(NonZeroU32::MAX).await.unwrap().is_none());
    assert_eq!(mailbox.release(&Marks::from([NonZeroU32::MAX])).await.kept, 0);
    assert_eq!(all(&postbox).await, ["one"]);
}

pub async fn deletion_happens_at_the_release_and_only_there(postbox: impl Postbox) {
    for message in ["one", "two", "three"] {
        deliver(&postbox, message.as_bytes()).await;
    }
    let mut dropped = inbox(&postbox).await;
    assert_eq!(text(&mut dropped, 1).await, "one");
    drop(dropped);
    assert_eq!(inbox(&postbox).await.release(&Marks::new()).await.kept, 0);
    assert_eq!(all(&postbox).await, ["one", "two", "three"]);
    assert_eq!(inbox(&postbox).await.release(&marks(&[1, 3])).await.kept, 0);
    assert_eq!(all(&postbox).await, ["two"]);
}

pub async fn removing_what_is_gone_already_is_success(postbox: impl Postbox) {
    for message in ["one", "two", "three"] {
        deliver(&postbox, message.as_bytes()).await;
    }
    let (first, second) = (inbox(&postbox).await, inbox(&postbox).await);
    assert_eq!(first.release(&marks(&[1, 2])).await.kept, 0);
    assert_eq!(second.release(&marks(&[2, 3])).await.kept, 0);
    assert_eq!(all(&postbox).await, [""; 0]);
}

pub async fn a_message_that_is_held_stays_readable(postbox: impl Postbox) {
    let stored = "woof\n".repeat(50_000);
    deliver(&postbox, stored.as_bytes()).await;
    let mut mailbox = inbox(&postbox).await;
    let held = mailbox.message(number(1)).await.unwrap().unwrap();
    assert_eq!(inbox(&postbox).await.release(&marks(&[1])).await.kept, 0);
    assert_eq!(octets(&held).await, stored.replace('\n', "\r\n").as_bytes());
    assert!(mailbox.message(number(1)).await.unwrap().is_none());
}

pub async fn folders_do_not_see_each_others_mail(postbox: impl Postbox) {
    for name in ["INBOX", "old", "lists.rust", "old bones", "lists"] {
        postbox.deliver(&folder(name), name.as_bytes()).await.unwrap();
    }
    for name in ["inbox", "old", "lists.rust", "old bones", "lists"] {
        let mut mailbox = postbox.select(&folder(name)).await.unwrap();
        assert_eq!(mailbox.count(), 1, "{name}");
        assert!(text(&mut mailbox, 1).await.eq_ignore_ascii_case(name));
    }
    assert_eq!(postbox.select(&folder("rust")).await.unwrap().count(), 0);
    let old = postbox.select(&folder("old")).await.unwrap();
    assert_eq!(old.release(&marks(&[1])).await.kept, 0);
    assert_eq!(postbox.select(&folder("old")).await.unwrap().count(), 0);
    assert_eq!(all(&postbox).await, ["INBOX"]);
}

pub async fn a_delivery_whose_source_breaks_leaves_nothing(postbox: impl Postbox) {
    let (mut near, far) = tokio::io::duplex(1024);
    let broken = tokio::io::AsyncReadExt::chain(far, Broken);
    let feed = async move {
        tokio::io::AsyncWriteExt::write_all(&mut near, &[b'x'; 5000]).await.unwrap();
    };
    let inbox_name = FolderName::inbox();
    let (delivered, ()) = tokio::join!(postbox.deliver(&inbox_name, broken), feed);
    assert!(matches!(delivered, Err(postbox::Error::Source(_))));
    assert_eq!(all(&postbox).await, [""; 0]);
}

struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()))
    }
}

pub async fn folders_are_listed_and_have_a_size(postbox: impl Postbox) {
    assert_eq!(postbox.folders().await.unwrap(), [FolderName::inbox()]);
    assert_eq!(inbox(&postbox).await.size().await.unwrap(), 0);
    for name in ["lists.rust", "archive", "lists"] {
        postbox.deliver(&folder(name), &b"woof\n"[..]).await.unwrap();
    }
    let names: Vec<String> = postbox.folders().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["INBOX", "archive", "lists", "lists.rust"]);
    for _ in 0..3 {
        deliver(&postbox, &b"woof\n".repeat(1000)).await;
    }
    // A format may add something to each message.
    let size = inbox(&postbox).await.size().await.unwrap();
    assert!((15_000..20_000).contains(&size), "{size}");
    assert_eq!(inbox(&postbox).await.release(&marks(&[1, 3])).await.kept, 0);
    let size = inbox(&postbox).await.size().await.unwrap();
    assert!((5_000..7_000).contains(&size), "{size}");
}

/// Writers deliver numbered messages while readers fetch and delete them: each is seen once.
pub async fn nothing_is_lost_or_doubled_among_writers_and_readers<P: Postbox + 'static>(postbox: P) {
    const WRITERS: usize = 4;
    const EACH: usize = 100;
    let postbox = Arc::new(postbox);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let postbox = Arc::clone(&postbox);
        tasks.spawn(async move {
            for n in 0..EACH {
                deliver(&*postbox, format!("{writer}-{n}").as_bytes()).await;
            }
        });
    }
    let reader = {
        let postbox = Arc::clone(&postbox);
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < WRITERS * EACH {
                let mut mailbox = inbox(&*postbox).await;
                let count = mailbox.count();
                for n in 1..=count {
                    seen.push(text(&mut mailbox, n).await);
                }
                assert_eq!(mailbox.release(&(1..=count).map(number).collect()).await.kept, 0);
                tokio::task::yield_now().await;
            }
            seen
        })
    };
    while let Some(writer) = tasks.join_next().await {
        writer.unwrap();
    }
    let mut seen = reader.await.unwrap();
    seen.sort();
    let mut expected: Vec<String> =
        (0..WRITERS).flat_map(|writer| (0..EACH).map(move |n| format!("{writer}-{n}"))).collect();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(inbox(&*postbox).await.count(), 0);
}

/// Two sessions at once delete all that they see; messages that were seen by both are deleted once.
pub async fn two_sessions_at_once_delete_what_both_have_seen(postbox: impl Postbox) {
    for n in 0..50 {
        deliver(&postbox, format!("{n}").as_bytes()).await;
    }
    let (one, other) = (inbox(&postbox).await, inbox(&postbox).await);
    let (odd, even_and_more): (Marks, Marks) =
        ((1..=50).step_by(2).map(number).collect(), (1..=40).map(number).collect());
    let (first, second) = tokio::join!(one.release(&odd), other.release(&even_and_more));
    assert_eq!((first.kept, second.kept), (0, 0));
    let left: Vec<String> = [41, 43, 45, 47, 49].map(|n: u32| n.to_string()).to_vec();
    assert_eq!(all(&postbox).await, left);
}

/// A test a case, for the store that `$fresh` makes; the second value lives as long as the test.
macro_rules! battery {
    ($($case:ident)*; $store:ident, $fresh:expr) => {
        mod $store {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (postbox, _alive) = $fresh;
                    battery::$case(postbox).await;
                }
            )*
        }
    };
    ($store:ident, $fresh:expr) => {
        battery! {
            a_folder_that_does_not_exist_is_empty
            odd_messages_come_as_they_were_stored
            messages_are_numbered_in_the_order_of_delivery
            numbers_stay_what_they_are_until_the_release
            numbers_out_of_range_are_no_message
            deletion_happens_at_the_release_and_only_there
            removing_what_is_gone_already_is_success
            a_message_that_is_held_stays_readable
            folders_do_not_see_each_others_mail
            folders_are_listed_and_have_a_size
            a_delivery_whose_source_breaks_leaves_nothing
            nothing_is_lost_or_doubled_among_writers_and_readers
            two_sessions_at_once_delete_what_both_have_seen
            ; $store, $fresh
        }
    };
}
pub(crate) use battery;
