//! A conversation in raw octets, right or wrong, within bounds of time and memory.

use std::{fmt, io, time::Duration};

use pop2::{MAX_LINE, Reply};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

use super::log::Log;

/// How long a server may take to close once it has answered. It has nothing to wait for.
const CLOSE: Duration = Duration::from_secs(5);

/// One connection.
pub(super) struct Wire<'a, S> {
    stream: S,
    log: &'a Log,
    /// For a whole line and for a whole message, so that octets that drip do not stretch it.
    timeout: Duration,
    /// What came and was not taken: never more than a line and one read.
    unread: Vec<u8>,
    /// Which session this is, where a case has two.
    number: &'static str,
}

/// What came where a reply was awaited.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line.
    Line(Line),
    /// The end of the connection.
    Closed,
    /// Nothing in time.
    Silent,
    /// More octets than a reply may have, and no line end.
    Endless,
}

/// A line of the server.
#[derive(Debug)]
pub(super) struct Line {
    /// Without its end.
    octets: Vec<u8>,
    /// As it may be shown: escaped, and without the password.
    pub(super) shown: String,
}

impl Line {
    /// The number after `#`.
    pub(super) fn count(&self) -> Option<u32> {
        match Reply::parse(&self.octets) {
            Ok(Reply::Count(count, _)) => Some(count),
            _ => None,
        }
    }

    /// The number of octets after `=`.
    pub(super) fn length(&self) -> Option<u64> {
        match Reply::parse(&self.octets) {
            Ok(Reply::Length(length, _)) => Some(length),
            _ => None,
        }
    }

    /// Whether it begins with `mark`.
    pub(super) fn is(&self, mark: u8) -> bool {
        self.octets.first() == Some(&mark)
    }

    /// What stands behind the mark.
    pub(super) fn text(&self) -> &[u8] {
        self.octets.get(1..).unwrap_or_default()
    }
}

impl Heard {
    /// The number after `#`, if that is what came.
    pub(super) fn count(&self) -> Option<u32> {
        if let Self::Line(line) = self { line.count() } else { None }
    }

    /// The number of octets after `=`, if that is what came.
    pub(super) fn length(&self) -> Option<u64> {
        if let Self::Line(line) = self { line.length() } else { None }
    }

    /// Whether a line with this mark came.
    pub(super) fn is(&self, mark: u8) -> bool {
        matches!(self, Self::Line(line) if line.is(mark))
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "says {}", Brief(&line.shown)),
            Self::Closed => f.write_str("closes without a word"),
            Self::Silent => f.write_str("does not answer"),
            Self::Endless => write!(f, "sends more than {MAX_LINE} octets without a line end"),
        }
    }
}

/// The beginning of a text that is escaped already, in quotes of its own.
struct Brief<'a>(&'a str);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            Some((at, _)) => write!(f, "`{}...`", self.0.get(..at).unwrap_or_default()),
            None => write!(f, "`{}`", self.0),
        }
    }
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Wire<'a, S> {
    pub(super) fn new(stream: S, log: &'a Log, timeout: Duration, number: &'static str) -> Self {
        Self { stream, log, timeout, unread: Vec::new(), number }
    }

    /// Sends a line with CR LF, in one piece.
    pub(super) async fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes()).await;
    }

    /// Sends octets as they are.
    pub(super) async fn send(&mut self, octets: &[u8]) {
        self.log.said(self.number, octets);
        self.write(octets).await;
    }

    /// Sends octets that may not be shown; `shown` stands for them.
    pub(super) async fn send_hidden(&mut self, octets: &[u8], shown: &str) {
        self.log.said(self.number, format!("{shown}\r\n").as_bytes());
        self.write(octets).await;
    }

    /// What goes wrong here shows in what is heard next: a server that has closed may have said why.
    async fn write(&mut self, octets: &[u8]) {
        let writing = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        let _ = timeout(self.timeout, writing).await;
    }

    /// Sends a line and waits for the answer.
    pub(super) async fn ask(&mut self, line: &str) -> Heard {
        self.say(line).await;
        self.hear().await
    }

    /// Waits for a reply.
    pub(super) async fn hear(&mut self) -> Heard {
        let heard = self.hear_within(self.timeout).await;
        self.log.heard(self.number, &heard);
        if matches!(heard, Heard::Silent) {
            self.log.count_silence();
        }
        heard
    }

    /// Waits for the server to close: [`Heard::Silent`] means that it does not.
    pub(super) async fn end(&mut self) -> Heard {
        let heard = self.hear_within(CLOSE.min(self.timeout)).await;
        match heard {
            Heard::Silent => self.log.happened(self.number, "(stays open)"),
            _ => self.log.heard(self.number, &heard),
        }
        heard
    }

    /// Takes a message of `length` octets; where they do not all come, how many did and what came instead.
    pub(super) async fn message(&mut self, length: usize) -> Result<Vec<u8>, (usize, Heard)> {
        let deadline = Instant::now() + self.timeout;
        let mut message = Vec::new();
        let ended = loop {
            let more = self.unread.len().min(length - message.len());
            message.extend(self.unread.drain(..more));
            if message.len() == length {
                break None;
            }
            match timeout_at(deadline, self.fill()).await {
                Err(_elapsed) => break Some(Heard::Silent),
                Ok(Ok(0) | Err(_)) => break Some(Heard::Closed),
                Ok(Ok(_)) => {}
            }
        };
        self.log.happened(self.number, &format!("({} octets)", message.len()));
        if matches!(ended, Some(Heard::Silent)) {
            self.log.count_silence();
        }
        match ended {
            None => Ok(message),
            Some(heard) => Err((message.len(), heard)),
        }
    }

    async fn hear_within(&mut self, time: Duration) -> Heard {
        let deadline = Instant::now() + time;
        loop {
            let end = self.unread.iter().position(|&octet| octet == b'\n');
            if end.map_or(self.unread.len(), |at| at + 1) > MAX_LINE {
                return Heard::Endless;
            }
            if let Some(at) = end {
                let line = self.unread.drain(..=at).collect();
                return self.line(line);
            }
            match timeout_at(deadline, self.fill()).await {
                Err(_elapsed) => return Heard::Silent,
                Ok(Ok(0) | Err(_)) if self.unread.is_empty() => return Heard::Closed,
                Ok(Ok(0) | Err(_)) => {
                    let rest = std::mem::take(&mut self.unread);
                    return self.line(rest);
                }
                Ok(Ok(_)) => {}
            }
        }
    }

    fn line(&self, mut octets: Vec<u8>) -> Heard {
        self.log.measured(&octets);
        for end in *b"\n\r" {
            if octets.last() == Some(&end) {
                octets.pop();
            }
        }
        let shown = self.log.show(&octets);
        Heard::Line(Line { octets, shown })
    }

    async fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; MAX_LINE];
        let count = self.stream.read(&mut piece).await?;
        self.unread.extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn with<T>(sent: &[u8], log: &Log, work: impl AsyncFnOnce(&mut Wire<'_, DuplexStream>) -> T) -> T {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(sent).await.unwrap();
        far.shutdown().await.unwrap();
        work(&mut Wire::new(near, log, SECOND, "")).await
    }

    #[tokio::test]
    async fn lines_end_in_cr_lf_or_in_less() {
        let log = Log::new(false, vec![]);
        with(b"#13 messages\r\n=7\n- gone", &log, async |wire| {
            assert_eq!(wire.hear().await.count(), Some(13));
            assert_eq!(wire.hear().await.length(), Some(7));
            assert!(wire.hear().await.is(b'-'));
            assert!(matches!(wire.hear().await, Heard::Closed));
        })
        .await;
        assert_eq!((log.tally().lines, log.tally().untidy), (3, 2));
    }

    #[tokio::test]
    async fn a_line_of_512_octets_is_one_and_of_513_is_none() {
        let log = Log::new(false, vec![]);
        for (length, whole) in [(512, true), (513, false)] {
            let line = [b"+".repeat(length - 2), b"\r\n".to_vec()].concat();
            let heard = with(&line, &log, async |wire| wire.hear().await).await;
            assert_eq!(heard.is(b'+'), whole, "{length}");
        }
    }

    #[tokio::test]
    async fn a_message_has_as_many_octets_as_it_should() {
        let log = Log::new(false, vec![]);
        with(b"=5\r\nWoof!=0\r\nWoo", &log, async |wire| {
            assert_eq!(wire.hear().await.length(), Some(5));
            assert_eq!(wire.message(5).await.unwrap(), b"Woof!");
            assert_eq!(wire.hear().await.length(), Some(0));
            assert!(matches!(wire.message(5).await, Err((3, Heard::Closed))));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn octets_that_drip_do_not_stretch_the_time() {
        let (near, mut far) = duplex(1);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SECOND / 4).await;
                if far.write_all(b"+").await.is_err() {
                    return;
                }
            }
        });
        let log = Log::new(false, vec![]);
        let start = Instant::now();
        assert!(matches!(Wire::new(near, &log, SECOND, "").hear().await, Heard::Silent));
        assert_eq!(start.elapsed(), SECOND);
    }
}
