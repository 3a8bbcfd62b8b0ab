//! What was said and heard, as it may be shown, and what it tells of the server.

use std::cell::{Cell, RefCell};

use pop2::LineTooLong;
use zeroize::Zeroizing;

use super::{guess::Sign, wire::Heard};
use crate::escape;

/// The longest part of what we say that is shown, in characters.
const SHOWN: usize = 100;

/// The dialogue of the present case, and what all of them have shown.
pub(super) struct Log {
    /// Show each step on standard error at once.
    verbose: bool,
    /// What may not be shown, even where a server repeats it.
    hidden: Vec<Zeroizing<Vec<u8>>>,
    steps: RefCell<Vec<String>>,
    tally: Cell<Tally>,
    silences: Cell<u32>,
    signs: RefCell<Vec<Sign>>,
}

/// The lines of a server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// All of them.
    pub(super) lines: u32,
    /// Those that do not end in CR LF.
    pub(super) untidy: u32,
    /// Those with octets that are no printable ASCII.
    pub(super) unprintable: u32,
    /// Those of more than 512 octets, which were cut off.
    pub(super) endless: u32,
    /// The octets of the longest that came whole, with its end.
    pub(super) longest: usize,
}

impl Log {
    pub(super) fn new(verbose: bool, mut hidden: Vec<Zeroizing<Vec<u8>>>) -> Self {
        hidden.retain(|secret| !secret.is_empty());
        // The longest first: another may be a part of it.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            verbose,
            hidden,
            steps: RefCell::default(),
            tally: Cell::default(),
            silences: Cell::default(),
            signs: RefCell::default(),
        }
    }

    /// Octets of the server as they may be shown: on one line, escaped, without the password.
    pub(super) fn show(&self, mut octets: &[u8]) -> String {
        let mut shown = String::new();
        while let Some((first, rest)) = octets.split_at_checked(1) {
            let secret = self.hidden.iter().find(|secret| octets.starts_with(secret));
            if let Some(behind) = secret.and_then(|secret| octets.get(secret.len()..)) {
                shown.push_str("********");
                octets = behind;
            } else {
                shown.push_str(&escape::Line(first).to_string());
                octets = rest;
            }
        }
        shown
    }

    pub(super) fn said(&self, number: &str, octets: &[u8]) {
        let whole = octets.strip_suffix(b"\r\n").filter(|line| !line.is_empty());
        let shown = escape::Line(whole.unwrap_or(octets)).to_string();
        let note = if whole.is_none() && !octets.ends_with(b"\n") { " (no line end)" } else { "" };
        let shown = match shown.get(..SHOWN) {
            Some(start) => format!("{start}... ({} octets)", octets.len()),
            None => shown,
        };
        self.step(format!("C{number}: {shown}{note}"));
    }

    pub(super) fn heard(&self, number: &str, heard: &Heard) {
        match heard {
            Heard::Line(line) => {
                self.signs.borrow_mut().extend(Sign::of_text(&line.shown));
                self.step(format!("S{number}: {}", line.shown));
            }
            Heard::Closed => self.happened(number, "(closes)"),
            Heard::Silent => self.happened(number, "(nothing in time)"),
            Heard::Endless => {
                self.tally.update(|tally| Tally { endless: tally.endless + 1, ..tally });
                self.happened(number, &format!("({LineTooLong})"));
            }
        }
    }

    pub(super) fn happened(&self, number: &str, what: &str) {
        self.step(format!("S{number}: {what}"));
    }

    /// Measures a line as it came, with its end.
    pub(super) fn measured(&self, line: &[u8]) {
        let text = line.strip_suffix(b"\r\n");
        let is_printable = text.unwrap_or(line).iter().all(|octet| matches!(octet, b' '..=b'~' | b'\n'));
        self.tally.update(|tally| Tally {
            lines: tally.lines + 1,
            untidy: tally.untidy + u32::from(text.is_none()),
            unprintable: tally.unprintable + u32::from(!is_printable),
            longest: tally.longest.max(line.len()),
            ..tally
        });
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.get()
    }

    pub(super) fn count_silence(&self) {
        self.silences.update(|silences| silences + 1);
    }

    /// How often a reply was awaited in vain.
    pub(super) fn silences(&self) -> u32 {
        self.silences.get()
    }

    /// Notes what only one program is known to do.
    pub(super) fn note(&self, sign: Sign) {
        self.signs.borrow_mut().push(sign);
    }

    pub(super) fn signs(&self) -> Vec<Sign> {
        self.signs.borrow().clone()
    }

    /// The dialogue so far; the next begins empty.
    pub(super) fn take(&self) -> Vec<String> {
        self.steps.take()
    }

    fn step(&self, step: String) {
        if self.verbose {
            eprintln!("{step}");
        }
        self.steps.borrow_mut().push(step);
    }
}

#[cfg(test)]
mod tests {
    use pop2::MAX_LINE;

    use super::*;

    #[test]
    fn a_password_that_a_server_repeats_is_not_shown() {
        let log = Log::new(false, vec![Zeroizing::new(b"bone".to_vec()), Zeroizing::new(b"*".to_vec())]);
        assert_eq!(log.show(b"- bone is wrong: \x1b[2Jbone"), r"- ******** is wrong: \x1b[2J********");
        assert_eq!(log.show(b"a*\0"), r"a********\x00");
        let log = Log::new(false, vec![Zeroizing::new(b"b".to_vec()), Zeroizing::new(b"bb".to_vec())]);
        assert_eq!(log.show(b"abba"), "a********a");
    }

    #[test]
    fn what_is_said_is_shown_with_its_end_where_that_is_odd() {
        let log = Log::new(false, vec![]);
        for octets in [&b"QUIT\r\n"[..], b"QUIT\n", b"QUIT", b"\r\n", &b"x".repeat(512)] {
            log.said("", octets);
        }
        let long = format!("C: {}... (512 octets) (no line end)", "x".repeat(100));
        assert_eq!(log.take(), ["C: QUIT", r"C: QUIT\n", "C: QUIT (no line end)", r"C: \r\n", &long]);
        assert!(log.take().is_empty());
    }

    #[test]
    fn untidy_lines_are_counted() {
        let log = Log::new(false, vec![]);
        for line in [
            &b"+ OK\r\n"[..],
            b"+ OK\n",
            b"+",
            b"+ \x1b\r\n",
            &[&b"+".repeat(MAX_LINE - 2)[..], b"\r\n"].concat(),
        ] {
            log.measured(line);
        }
        let tally = log.tally();
        assert_eq!((tally.lines, tally.untidy, tally.unprintable, tally.longest), (5, 2, 1, MAX_LINE));
    }
}
