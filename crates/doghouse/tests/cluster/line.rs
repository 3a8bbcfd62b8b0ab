//! A connection on which whoever waits too long gives up.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What is waited for at most. Real mail servers wait longer; whoever waits less tries again more often.
const PATIENCE: Duration = Duration::from_secs(6);

pub(crate) struct Line(BufReader<TcpStream>);

impl Line {
    /// Connects, and hears the greeting.
    pub(crate) fn open(place: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&place, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut line = Self(BufReader::new(stream));
        line.reply()?;
        Ok(line)
    }

    /// Says something, and hears the last line of the reply.
    pub(crate) fn say(&mut self, what: &str) -> io::Result<String> {
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

    /// Says RETR, and takes as many octets.
    pub(crate) fn retrieve(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.0.get_mut().write_all(b"RETR\r\n")?;
        let mut octets = vec![0; length];
        self.0.read_exact(&mut octets)?;
        Ok(octets)
    }
}
