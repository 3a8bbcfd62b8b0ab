//! No protocol and no server: how fast a connection of this machine takes the octets, by `write` and by `sendfile`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
};

use super::{Server, Setting};
use crate::{
    corpus::{Corpus, wire},
    process::{Tree, free_doors},
    talk::Protocol,
};

pub(super) fn start(setting: &Setting<'_>, how: &str) -> io::Result<Server> {
    let [door] = free_doors()?;
    let mut command = setting.ourselves(&["bare"], door);
    command.args(["--how", how]).arg("--file").arg(setting.home.join("all"));
    let tree = Tree::start(&mut command, &setting.log())?;
    Ok(Server { tree, protocol: Protocol::Bare, door, tls: None, lmtp: None })
}

/// What is written at once.
const BLOCK: usize = 256 * 1024;

/// Serves the first account's messages until it is ended.
pub(crate) fn serve(corpus: &Corpus, door: SocketAddr, sendfile: bool, file: &Path) -> io::Result<()> {
    let mut all = Vec::new();
    for message in 0..corpus.messages {
        all.extend_from_slice(&wire(&corpus.text(0, message)));
    }
    std::fs::write(file, &all)?;
    let mut stored = File::open(file)?;
    let listener = TcpListener::bind(door)?;
    loop {
        let (stream, _) = listener.accept()?;
        let mut line = String::new();
        if BufReader::new(&stream).read_line(&mut line)? == 0 {
            continue;
        }
        // A client that goes early is none of its business.
        let _ = if sendfile { send_file(&stream, &mut stored, all.len()) } else { write(&stream, &all) };
    }
}

fn write(mut stream: &TcpStream, all: &[u8]) -> io::Result<()> {
    all.chunks(BLOCK).try_for_each(|block| stream.write_all(block))
}

fn send_file(stream: &TcpStream, stored: &mut File, all: usize) -> io::Result<()> {
    stored.rewind()?;
    let mut left = all;
    while left > 0 {
        match rustix::fs::sendfile(stream, &*stored, None, left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            sent => left -= sent,
        }
    }
    Ok(())
}
