//! The mail that is measured with: text like that of mail, the same from the same seed, and where it lies on the disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use xxhash_rust::xxh3::xxh3_64;

use crate::talk::Account;

/// Everybody's.
pub(crate) const PASSWORD: &str = "bone";

/// What is known of a message on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) octets: u64,
    pub(crate) digest: u64,
}

/// Of a message in wire form.
pub(crate) fn expected(wire: &[u8]) -> Expected {
    Expected { octets: wire.len() as u64, digest: xxh3_64(wire) }
}

/// How large messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// As mail without attachments is: a median of some 4 KiB and a mean of some 5 KiB, a few of up to 30 KiB.
    Small,
    /// So many octets or a line more, with LF line ends.
    Of(usize),
}

/// Accounts with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corpus {
    pub(crate) accounts: usize,
    pub(crate) messages: usize,
    pub(crate) size: Size,
}

/// How messages lie in a file each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnds {
    Lf,
    CrLf,
}

/// The seed of all numbers here. Another one would be other mail.
const SEED: u64 = 937;

/// Words of RFC 937's own text.
const WORDS: [&str; 64] = [
    "the",
    "intent",
    "of",
    "post",
    "office",
    "protocol",
    "is",
    "to",
    "allow",
    "a",
    "user's",
    "workstation",
    "access",
    "mail",
    "from",
    "mailbox",
    "server",
    "it",
    "expected",
    "that",
    "will",
    "be",
    "posted",
    "via",
    "simple",
    "transfer",
    "this",
    "document",
    "presents",
    "possible",
    "solution",
    "dynamic",
    "workstations",
    "with",
    "and",
    "comments",
    "for",
    "improvement",
    "are",
    "requested",
    "distribution",
    "memo",
    "unlimited",
    "client",
    "program",
    "connection",
    "reply",
    "command",
    "character",
    "count",
    "message",
    "selected",
    "current",
    "next",
    "deleted",
    "acknowledge",
    "retrieved",
    "transmission",
    "length",
    "session",
    "folder",
    "number",
    "greeting",
    "password",
];

/// splitmix64: small, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        // The end is small beside what there is, so that the first numbers come no more often to speak of.
        usize::try_from(self.next() >> 16).unwrap_or(0) % end.max(1)
    }
}

impl Corpus {
    /// The name of an account.
    pub(crate) fn user(account: usize) -> String {
        format!("u{account:04}")
    }

    /// A message with LF line ends. Every other message, and the same message of every other account, is another.
    pub(crate) fn text(&self, account: usize, message: usize) -> Vec<u8> {
        let mut chance = Chance(SEED ^ ((account as u64) << 40) ^ ((message as u64) << 8));
        let size = match self.size {
            Size::Of(size) => size,
            // Between 1 and 8 KiB, and one in ten up to 30 KiB.
            Size::Small if chance.below(10) == 0 => 8192 + chance.below(22 * 1024),
            Size::Small => 1024 + chance.below(6 * 1024),
        };
        let user = Self::user(account);
        let mut text = format!(
            "Message-ID: <{message}.{account}@dog-house.example>\n\
             Received: from mta.dog-house.example (mta.dog-house.example [192.168.7.9])\n\
             \tby dog-house.example with ESMTP id {:016x};\n\
             \tSun, 1 Feb 2026 09:{:02}:{:02} +0000\n\
             Date: Sun, 1 Feb 2026 09:12:33 +0000\n\
             From: smith@dog-house.example\n\
             To: {user}@dog-house.example\n\
             Subject: {} {} {message}\n\
             MIME-Version: 1.0\n\
             Content-Type: text/plain; charset=us-ascii\n\n",
            chance.next(),
            chance.below(60),
            chance.below(60),
            WORDS.get(chance.below(64)).copied().unwrap_or_default(),
            WORDS.get(chance.below(64)).copied().unwrap_or_default(),
        )
        .into_bytes();
        text.reserve(size.saturating_sub(text.len()) + 100);
        while text.len() < size {
            // A line that begins with a dot now and then, and an empty one between paragraphs.
            match chance.below(100) {
                0 => text.push(b'.'),
                1..=8 => text.push(b'\n'),
                _ => {}
            }
            let end = text.len() + 40 + chance.below(30);
            while text.len() < end {
                text.extend_from_slice(WORDS.get(chance.below(64)).copied().unwrap_or_default().as_bytes());
                text.push(b' ');
            }
            text.pop();
            text.push(b'\n');
        }
        text
    }

    /// What each account is to get.
    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        (0..self.accounts)
            .map(|account| {
                let messages =
                    (0..self.messages).map(|message| expected(&wire(&self.text(account, message))));
                Arc::new(Account { user: Self::user(account), messages: messages.collect() })
            })
            .collect()
    }

    /// The users file, in Dovecot's format.
    pub(crate) fn users(&self) -> String {
        let line = |account| format!("{}:{{PLAIN}}{PASSWORD}\n", Self::user(account));
        (0..self.accounts).map(line).collect::<Vec<_>>().concat()
    }

    /// A Maildir for each account, the messages in `cur` and seen.
    pub(crate) fn write_maildirs(&self, root: &Path, ends: LineEnds) -> io::Result<()> {
        for account in 0..self.accounts {
            let home = root.join(Self::user(account));
            make_maildir(&home)?;
            for message in 0..self.messages {
                let text = self.text(account, message);
                let wire = wire(&text);
                let stored = if ends == LineEnds::Lf { &text } else { &wire };
                fs::write(home.join("cur").join(maildir_name(message, stored.len(), wire.len())), stored)?;
            }
        }
        Ok(())
    }

    /// An mbox for each account, as the file `user`.
    pub(crate) fn write_mboxes(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        for account in 0..self.accounts {
            let mut all = Vec::new();
            for message in 0..self.messages {
                all.extend_from_slice(b"From smith@dog-house.example Sun Feb  1 09:12:33 2026\n");
                all.extend_from_slice(&self.text(account, message));
                all.push(b'\n');
            }
            fs::write(root.join(Self::user(account)), all)?;
        }
        Ok(())
    }

    /// An MH folder for each account, in `user/inbox`.
    pub(crate) fn write_mh(&self, root: &Path) -> io::Result<()> {
        for account in 0..self.accounts {
            let folder = root.join(Self::user(account)).join("inbox");
            fs::create_dir_all(&folder)?;
            for message in 0..self.messages {
                fs::write(folder.join((message + 1).to_string()), self.text(account, message))?;
            }
        }
        Ok(())
    }

    /// A TOPS-20 mail file for each account, as the file `user`.
    pub(crate) fn write_mtx(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        for account in 0..self.accounts {
            let mut all = Vec::new();
            for message in 0..self.messages {
                let wire = wire(&self.text(account, message));
                let line = format!(" 1-Feb-2026 09:12:33 +0000,{};000000000000\r\n", wire.len());
                all.extend_from_slice(line.as_bytes());
                all.extend_from_slice(&wire);
            }
            fs::write(root.join(Self::user(account)), all)?;
        }
        Ok(())
    }
}

/// With CR LF line ends.
pub(crate) fn wire(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        match line.split_last() {
            Some((b'\n', line)) => {
                wire.extend_from_slice(line);
                wire.extend_from_slice(b"\r\n");
            }
            _ => wire.extend_from_slice(line),
        }
    }
    wire
}

/// A name that says the order and both sizes, seen.
pub(crate) fn maildir_name(message: usize, size: usize, wire: usize) -> String {
    format!("{}.M{message}P937.dog-house.example,S={size},W={wire}:2,S", 1_769_936_000 + message)
}

pub(crate) fn make_maildir(home: &Path) -> io::Result<()> {
    ["cur", "new", "tmp"].iter().try_for_each(|part| fs::create_dir_all(home.join(part)))
}

/// One Maildir with so many messages, small and few of them different: only their names are to be read.
pub(crate) fn write_crowd(home: &Path, messages: usize) -> io::Result<()> {
    /// File systems bound the links to a file.
    const LINKS: usize = 1000;
    make_maildir(home)?;
    let mut first = PathBuf::new();
    for message in 0..messages {
        let text = format!("Subject: {}\n\nwoof\n", message / LINKS);
        let name = maildir_name(message, text.len(), text.len() + 3);
        let path = home.join("cur").join(name);
        if message % LINKS == 0 {
            fs::write(&path, &text)?;
            first = path;
        } else {
            fs::hard_link(&first, &path)?;
        }
    }
    Ok(())
}

/// A copy of a folder in which the files are links to those of the first.
pub(crate) fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_tree(&entry.path(), &there)?;
        } else {
            fs::hard_link(entry.path(), there)?;
        }
    }
    Ok(())
}

/// A copy of a folder with files of its own, for what is written in place.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &there)?;
        } else {
            fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

/// Gives a folder and all in it to somebody.
pub(crate) fn give(path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some((user, group)) = owner else { return Ok(()) };
    std::os::unix::fs::lchown(path, Some(user), Some(group))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_mail() {
        let corpus = Corpus { accounts: 2, messages: 50, size: Size::Small };
        assert_eq!(corpus.text(1, 7), corpus.text(1, 7));
        assert_ne!(corpus.text(1, 7), corpus.text(0, 7));
        let all: Vec<Vec<u8>> = (0..50).map(|message| corpus.text(0, message)).collect();
        assert!(all.iter().all(|text| text.ends_with(b"\n") && !text.contains(&b'\r')));
        assert!(all.iter().any(|text| memchr::memmem::find(text, b"\n.").is_some()), "no dot to be doubled");
        let mean = all.iter().map(Vec::len).sum::<usize>() / all.len();
        assert!((3000..8000).contains(&mean), "{mean}");
    }

    #[test]
    fn wire_form_has_cr_lf() {
        assert_eq!(wire(b"a\n\nb\n"), b"a\r\n\r\nb\r\n");
    }
}
