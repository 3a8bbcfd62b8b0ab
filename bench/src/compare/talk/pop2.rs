//! POP2, as RFC 937 has it: two round trips a message in lockstep, READ or ACKS for its length and RETR for itself.

use super::{Lines, PASSWORD, Pace, Receipt, Task, Work, Wrong, number};

enum State {
    Greeting,
    Count,
    Length,
    /// So many octets of a message are still to come.
    Data(u64),
    Bye,
    Done,
}

pub(crate) struct Pop2 {
    task: Task,
    state: State,
    lines: Lines,
    /// How many messages were asked for.
    asked: usize,
    quit: bool,
    pub(super) receipt: Receipt,
}

impl Pop2 {
    pub(super) fn new(task: Task) -> Self {
        let receipt = Receipt::new();
        Self { task, state: State::Greeting, lines: Lines::default(), asked: 0, quit: false, receipt }
    }

    pub(super) fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn take(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        while !data.is_empty() {
            if let State::Data(left) = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                let Some((piece, rest)) = data.split_at_checked(here) else { break };
                data = rest;
                self.receive(piece, left - here as u64, out)?;
                continue;
            }
            let mut lines = std::mem::take(&mut self.lines);
            let outcome = lines.next(&mut data, |line| self.hear(line, out));
            self.lines = lines;
            outcome.transpose()?;
        }
        Ok(())
    }

    fn receive(&mut self, piece: &[u8], left: u64, out: &mut Vec<u8>) -> Result<(), Wrong> {
        if left == 0 && self.receipt.got == 0 {
            self.receipt.at_once(&self.task.account, piece)?;
        } else {
            self.receipt.add(piece);
            if left > 0 {
                self.state = State::Data(left);
                return Ok(());
            }
            self.receipt.end(&self.task.account)?;
        }
        self.state = State::Length;
        match self.task.pace {
            Pace::Lockstep => out.extend_from_slice(self.acknowledge()),
            Pace::Ahead(window) => self.ask_ahead(window, out),
        }
        Ok(())
    }

    fn acknowledge(&self) -> &'static [u8] {
        if self.task.work == Work::Delete { b"ACKD\r\n" } else { b"ACKS\r\n" }
    }

    /// Asks for more messages once the half of the window has come.
    fn ask_ahead(&mut self, window: usize, out: &mut Vec<u8>) {
        let all = self.task.account.messages.len();
        if self.asked.saturating_sub(self.receipt.whole) > window / 2 {
            return;
        }
        while self.asked < all && self.asked - self.receipt.whole < window {
            out.extend_from_slice(b"RETR\r\n");
            out.extend_from_slice(self.acknowledge());
            self.asked += 1;
        }
        if self.asked == all && !self.quit {
            out.extend_from_slice(b"QUIT\r\n");
            self.quit = true;
        }
    }

    fn hear(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        match (&self.state, line.split_first()) {
            (State::Greeting, Some((b'+', _))) => {
                out.extend_from_slice(format!("HELO {} {PASSWORD}\r\n", self.task.account.user).as_bytes());
                self.state = State::Count;
            }
            (State::Count, Some((b'#', rest))) => {
                let count = number(rest).ok_or_else(|| self.task.wrong("a count", line))?;
                self.task.count_is(count)?;
                self.logged_in(out);
            }
            (State::Length, Some((b'=', rest))) => {
                let length = number(rest).ok_or_else(|| self.task.wrong("a length", line))?;
                self.length(length, out)?;
            }
            (State::Bye, Some((b'+', _))) => self.state = State::Done,
            (State::Greeting | State::Bye, _) => return Err(self.task.wrong("+", line)),
            (State::Count, _) => return Err(self.task.wrong("#", line)),
            (_, _) => return Err(self.task.wrong("=", line)),
        }
        Ok(())
    }

    fn logged_in(&mut self, out: &mut Vec<u8>) {
        match self.task.work {
            Work::Hold => self.state = State::Done,
            Work::Keep | Work::Delete if !self.task.account.messages.is_empty() => {
                out.extend_from_slice(b"READ 1\r\n");
                self.state = State::Length;
                if let Pace::Ahead(window) = self.task.pace {
                    self.ask_ahead(window, out);
                }
            }
            _ => {
                out.extend_from_slice(b"QUIT\r\n");
                self.state = State::Bye;
            }
        }
    }

    /// What READ and the acknowledgments are answered with: the next message's length, or 0 for none.
    fn length(&mut self, length: u64, out: &mut Vec<u8>) -> Result<(), Wrong> {
        let stored = self.task.account.messages.get(self.receipt.whole).map_or(0, |next| next.octets);
        if length != stored {
            let number = self.receipt.whole + 1;
            return Err(Wrong::Length { user: self.task.account.user.clone(), number, got: length, stored });
        }
        if length == 0 {
            if !self.quit {
                out.extend_from_slice(b"QUIT\r\n");
            }
            self.state = State::Bye;
        } else {
            if self.task.pace == Pace::Lockstep {
                out.extend_from_slice(b"RETR\r\n");
            }
            self.state = State::Data(length);
        }
        Ok(())
    }
}
