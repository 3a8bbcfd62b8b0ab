//! A connection of a client that is as simple as can be, and gives up when it waits too long.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A connection on which commands and replies are lines.
#[derive(Debug)]
pub struct Line(BufReader<TcpStream>);

impl Line {
    /// Connects, and hears the greeting. Nothing is waited for longer than `patience`.
    pub fn open(place: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&place, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let mut line = Self(BufReader::new(stream));
        line.reply()?;
        Ok(line)
    }

    /// Says something, and hears the last line of the reply, as POP2, SMTP and LMTP have it; without its end.
    pub fn say(&mut self, what: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{what}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_numbered = line.as_bytes().first().is_some_and(u8::is_ascii_digit);
            if !is_numbered || line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Says RETR, and takes so many octets.
    pub fn retrieve(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.0.get_mut().write_all(b"RETR\r\n")?;
        let mut octets = vec![0; length];
        self.0.read_exact(&mut octets)?;
        Ok(octets)
    }
}
