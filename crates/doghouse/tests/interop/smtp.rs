//! Just enough of SMTP to post a message octet for octet.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

/// How a message is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Line by line, up to a dot.
    Data,
    /// By its length (RFC 3030), so that the last line need not end.
    Bdat,
}

pub(crate) struct Smtp(BufReader<TcpStream>);

impl Smtp {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut smtp = Self(BufReader::new(stream));
        smtp.hear("220");
        smtp.say("EHLO fido.example", "250");
        smtp
    }

    /// Says a command, and hears a reply with this code.
    pub(crate) fn say(&mut self, command: &str, code: &str) {
        self.send(format!("{command}\r\n").as_bytes());
        self.hear(code);
    }

    pub(crate) fn post(mut self, from: &str, to: &[&str], message: &[u8], by: By) {
        self.say(&format!("MAIL FROM:<{from}@dog-house.example> BODY=8BITMIME"), "250");
        for user in to {
            self.say(&format!("RCPT TO:<{user}@dog-house.example>"), "250");
        }
        match by {
            By::Data => {
                self.say("DATA", "354");
                let mut stuffed = Vec::new();
                for line in message.split_inclusive(|&octet| octet == b'\n') {
                    if line.starts_with(b".") {
                        stuffed.push(b'.');
                    }
                    stuffed.extend_from_slice(line);
                }
                self.send(&[&stuffed, b".\r\n".as_slice()].concat());
            }
            By::Bdat => {
                self.send(&[format!("BDAT {} LAST\r\n", message.len()).as_bytes(), message].concat());
            }
        }
        self.hear("250");
        self.say("QUIT", "221");
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    fn hear(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{code} was expected: {line:?}");
            if line.as_bytes()[code.len()..].first() != Some(&b'-') {
                break;
            }
        }
    }
}
