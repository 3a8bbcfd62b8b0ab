//! POP3: one round trip a message in lockstep. A login by AUTH PLAIN takes one, by USER and PASS two.

use std::io::Write as _;

use super::{Lines, PASSWORD, Pace, Receipt, Task, Work, Wrong, number, unstuff::Unstuffer};

enum State {
    Greeting,
    User,
    Login,
    Stat,
    Retr,
    Body,
    Dele,
    Bye,
    Done,
}

pub(crate) struct Pop3 {
    task: Task,
    auth_plain: bool,
    state: State,
    lines: Lines,
    asked: usize,
    quit: bool,
    unstuffer: Unstuffer,
    pub(super) receipt: Receipt,
}

impl Pop3 {
    pub(super) fn new(task: Task, auth_plain: bool) -> Self {
        Self {
            task,
            auth_plain,
            state: State::Greeting,
            lines: Lines::default(),
            asked: 0,
            quit: false,
            unstuffer: Unstuffer::default(),
            receipt: Receipt::new(),
        }
    }

    pub(super) fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn take(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        while !data.is_empty() {
            if matches!(self.state, State::Body) {
                let receipt = &mut self.receipt;
                let (taken, ended) = self.unstuffer.take(data, |piece| receipt.add(piece));
                data = data.get(taken..).unwrap_or_default();
                if ended {
                    self.receipt.end(&self.task.account)?;
                    self.next(out);
                }
                continue;
            }
            let mut lines = std::mem::take(&mut self.lines);
            let outcome = lines.next(&mut data, |line| self.hear(line, out));
            self.lines = lines;
            outcome.transpose()?;
        }
        Ok(())
    }

    fn hear(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        let Some(rest) = line.strip_prefix(b"+OK") else { return Err(self.task.wrong("+OK", line)) };
        match self.state {
            State::Greeting if self.auth_plain => {
                let login = base64(format!("\0{}\0{PASSWORD}", self.task.account.user).as_bytes());
                out.extend_from_slice(format!("AUTH PLAIN {login}\r\n").as_bytes());
                self.state = State::Login;
            }
            State::Greeting => {
                out.extend_from_slice(format!("USER {}\r\n", self.task.account.user).as_bytes());
                self.state = State::User;
            }
            State::User => {
                out.extend_from_slice(format!("PASS {PASSWORD}\r\n").as_bytes());
                self.state = State::Login;
            }
            State::Login => {
                out.extend_from_slice(b"STAT\r\n");
                self.state = State::Stat;
            }
            State::Stat => {
                let count =
                    number(rest.trim_ascii_start()).ok_or_else(|| self.task.wrong("a count", line))?;
                self.task.count_is(count)?;
                match self.task.work {
                    Work::Hold => self.state = State::Done,
                    Work::Count => {
                        out.extend_from_slice(b"QUIT\r\n");
                        self.state = State::Bye;
                    }
                    Work::Keep | Work::Delete => self.ask(out),
                }
            }
            State::Retr => self.state = State::Body,
            State::Dele => self.ask(out),
            State::Bye => self.state = State::Done,
            State::Body | State::Done => {}
        }
        Ok(())
    }

    /// A message has come whole.
    fn next(&mut self, out: &mut Vec<u8>) {
        if self.task.work == Work::Delete {
            if self.task.pace == Pace::Lockstep {
                self.command(out, "DELE", self.receipt.whole);
            }
            self.state = State::Dele;
        } else {
            self.ask(out);
        }
    }

    /// Asks for the next messages; what is heard next.
    fn ask(&mut self, out: &mut Vec<u8>) {
        let all = self.task.account.messages.len();
        let window = match self.task.pace {
            Pace::Lockstep => 1,
            Pace::Ahead(window) => window,
        };
        if self.asked - self.receipt.whole <= window / 2 {
            while self.asked < all && self.asked - self.receipt.whole < window {
                self.asked += 1;
                self.command(out, "RETR", self.asked);
                if self.task.work == Work::Delete && self.task.pace != Pace::Lockstep {
                    self.command(out, "DELE", self.asked);
                }
            }
        }
        // In lockstep nothing is said before the last message is there.
        let time_to_quit = self.task.pace != Pace::Lockstep || self.receipt.whole == all;
        if self.asked == all && time_to_quit && !self.quit {
            out.extend_from_slice(b"QUIT\r\n");
            self.quit = true;
        }
        self.state = if self.receipt.whole == all { State::Bye } else { State::Retr };
    }

    #[expect(clippy::unused_self, reason = "reads as what the client does")]
    fn command(&self, out: &mut Vec<u8>, verb: &str, number: usize) {
        // Into memory, which does not fail.
        let _ = write!(out, "{verb} {number}\r\n");
    }
}

/// RFC 4648, for one line a session.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(octets.as_bytes()), text);
        }
    }
}
