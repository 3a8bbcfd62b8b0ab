//! The wire of sessions as it happens, for whoever makes an old client work. No password is shown, and no mail.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Row, Seen, Watch, Whom};

/// The longest line of a client that is kept until it is whole, in octets.
const LONGEST: usize = 512;

/// Something that went over the wire of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// The session, as it was then.
    pub session: Row,
    /// Who said it.
    pub by: By,
    /// What, with control characters and what is not ASCII written as escapes.
    pub said: String,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Nobody: it is a remark.
    Remark,
}

impl Watch {
    /// What certain sessions say from now on, or all of them.
    #[must_use]
    pub fn trace(&self, whom: Option<Whom>) -> Trace {
        self.readers.fetch_add(1, Ordering::Relaxed);
        Trace { whom, tap: self.tap.subscribe(), readers: Arc::clone(&self.readers) }
    }
}

/// A trace being read.
#[derive(Debug)]
pub struct Trace {
    whom: Option<Whom>,
    tap: Receiver<Traced>,
    readers: Arc<AtomicUsize>,
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Trace {
    /// The next thing said; an error tells how many were lost because they were not read in time. `None` is the end.
    pub async fn next(&mut self) -> Option<Result<Traced, u64>> {
        loop {
            match self.tap.recv().await {
                Ok(traced) if self.whom.as_ref().is_none_or(|whom| whom.is(&traced.session)) => {
                    return Some(Ok(traced));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(lost)) => return Some(Err(lost)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Seen {
    /// The client has said something, which is shown once its line is whole. Before the login a line may hold a
    /// password, whatever it is meant to be: of such a line only the verb, and a user behind HELO, are shown. The same
    /// holds of a second HELO.
    pub fn heard(&mut self, octets: &[u8], before_login: bool) {
        if !self.is_traced() {
            self.unfinished.clear();
            self.is_unseen = octets.last().map_or(self.is_unseen, |last| *last != b'\n');
            return;
        }
        for octet in octets {
            if self.is_unseen {
                self.is_unseen = *octet != b'\n';
                continue;
            }
            self.unfinished.push(*octet);
            let is_whole = *octet == b'\n';
            if is_whole || self.unfinished.len() >= LONGEST {
                self.is_unseen = !is_whole;
                self.show(before_login);
            }
        }
    }

    /// The client says no more: what it has not ended is shown as it is.
    pub fn heard_all(&mut self, before_login: bool) {
        if !self.unfinished.is_empty() {
            self.show(before_login);
        }
    }

    fn show(&mut self, before_login: bool) {
        let line = std::mem::take(&mut self.unfinished);
        let hides = before_login || line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"HELO"));
        self.tell(By::Client, || if hides { masked(&line) } else { line.escape_ascii().to_string() });
    }

    /// The server has said something that is not mail.
    pub fn said(&self, octets: &[u8]) {
        if !octets.is_empty() {
            self.tell(By::Server, || octets.escape_ascii().to_string());
        }
    }

    /// Something happened that is not to be shown, or cannot be.
    pub fn remark(&self, text: impl FnOnce() -> String) {
        self.tell(By::Remark, text);
    }

    fn is_traced(&self) -> bool {
        self.watch.readers.load(Ordering::Relaxed) > 0
    }

    fn tell(&self, by: By, said: impl FnOnce() -> String) {
        if self.is_traced() {
            let session = self.live.row().clone();
            // Whoever looked may be gone by now.
            let _ = self.watch.tap.send(Traced { session, by, said: said() });
        }
    }
}

/// A line of a client without what may be a password.
fn masked(line: &[u8]) -> String {
    let end = line.len() - line.iter().rev().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
    let (text, end) = line.split_at_checked(end).unwrap_or_default();
    let mut words = text.splitn(3, |&octet| octet == b' ');
    let (verb, second, third) = (words.next().unwrap_or_default(), words.next(), words.next());
    let shown = match (second, third) {
        (None, _) => verb.escape_ascii().to_string(),
        (Some(user), Some(_)) if verb.eq_ignore_ascii_case(b"HELO") => {
            format!("{} {} ***", verb.escape_ascii(), user.escape_ascii())
        }
        (Some(_), _) => format!("{} ***", verb.escape_ascii()),
    };
    shown + &end.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::peer::Peer;

    #[test]
    fn no_line_before_the_login_shows_a_password() {
        for (line, shown) in [
            ("HELO fido bone\r\n", "HELO fido ***\\r\\n"),
            ("helo fido my secret bone\n", "helo fido ***\\n"),
            ("HELO bone\r\n", "HELO ***\\r\\n"),
            ("HLEO fido bone\r\n", "HLEO ***\\r\\n"),
            ("QUIT\r\n", "QUIT\\r\\n"),
            ("HELO  bone\r\n", "HELO  ***\\r\\n"),
            ("\r\n", "\\r\\n"),
            ("\u{1b}[2J\r\n", "\\x1b[2J\\r\\n"),
        ] {
            assert_eq!(masked(line.as_bytes()), shown, "{line:?}");
        }
    }

    #[tokio::test]
    async fn what_is_said_is_seen_by_whoever_looks() {
        let watch = Arc::new(Watch::default());
        let mut seen = watch.enter(7, "POP2", Peer::Local);
        seen.heard(b"HELO fido bo", true);
        let mut all = watch.trace(None);
        let mut other = watch.trace(Some(Whom("8".to_owned())));
        // What began before is not shown at all.
        seen.heard(b"ne\r\nHELO smi", true);
        seen.heard(b"th cat\r\n", true);
        seen.said(b"#1 messages\r\n");
        seen.heard(b"READ 1\r\n", false);
        seen.remark(|| "25 octets of message 1".to_owned());
        let mut said = Vec::new();
        for _ in 0..4 {
            let traced = all.next().await.unwrap().unwrap();
            assert_eq!(traced.session.session, 7);
            said.push(traced.said);
        }
        assert_eq!(
            said,
            ["HELO smith ***\\r\\n", "#1 messages\\r\\n", "READ 1\\r\\n", "25 octets of message 1"]
        );
        // Nor is the rest of a line that is too long to be one.
        seen.heard(&[b'x'; 600], true);
        seen.heard(b"bone\r\nQUIT\r\n", true);
        assert!(all.next().await.unwrap().unwrap().said.starts_with("xxx"));
        assert_eq!(all.next().await.unwrap().unwrap().said, "QUIT\\r\\n");
        // A login in the wrong place shows no password either, nor does what is never ended.
        seen.heard(b"READ 1\r\nHELO fido bone\r\nhelo fido b", false);
        seen.heard_all(false);
        for shown in ["READ 1\\r\\n", "HELO fido ***\\r\\n", "helo fido ***"] {
            assert_eq!(all.next().await.unwrap().unwrap().said, shown);
        }
        drop((seen, watch));
        assert!(other.next().await.is_none());
    }
}
