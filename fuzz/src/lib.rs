//! Fuzz targets: plain functions that take any octets and panic where a property is broken.
//!
//! The test suite runs each over its corpus and over inputs made from it; `fuzz/run` runs each under libFuzzer.
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::missing_panics_doc, reason = "a panic is how a target tells what it found")]

mod accounts;
mod session;
mod workstation;

use doghouse::config::Config;
use pop2::{Command, LineBuffer, Quoting, Reply, wire};

pub use accounts::passwd_file;
pub use session::server_session;
pub use workstation::client_session;

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("framing", framing),
    ("command", command),
    ("reply", reply),
    ("wire_form", wire_form),
    ("server_session", server_session),
    ("client_session", client_session),
    ("passwd_file", passwd_file),
    ("configuration", configuration),
];

/// A stream is cut into the same lines however it comes; none is too long. The first octet says in what pieces.
pub fn framing(octets: &[u8]) {
    let Some((&piece, stream)) = octets.split_first() else { return };
    for buffer in [LineBuffer::new, LineBuffer::for_commands] {
        let pieces = cut(buffer(), stream, usize::from(piece).max(1));
        assert_eq!(pieces, cut(buffer(), stream, 1), "the lines depend on the pieces");
        assert!(pieces.0.iter().all(|line| line.len() < pop2::MAX_LINE), "a line is too long");
    }
}

fn cut(mut buffer: LineBuffer, stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Vec::new();
    for octets in stream.chunks(piece) {
        let room = buffer.room();
        assert!(room.len() >= octets.len(), "no room is left though every line is taken");
        for (place, octet) in room.iter_mut().zip(octets) {
            *place = *octet;
        }
        buffer.filled(octets.len());
        loop {
            match buffer.next_line() {
                Ok(Some(line)) => lines.push(line.to_vec()),
                Ok(None) => break,
                Err(_) => return (lines, true),
            }
        }
    }
    (lines, false)
}

/// A line that is a command is written and read back as the same.
pub fn command(line: &[u8]) {
    let Ok(command) = Command::parse(line) else { return };
    let mut wire = Vec::new();
    if command.encode(Quoting::Rfc, &mut wire).is_err() {
        return;
    }
    let line = wire.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no line end: {wire:?}"));
    let again = Command::parse(line).unwrap_or_else(|error| panic!("{command}: {error}"));
    match (&command, &again) {
        (Command::Helo(one), Command::Helo(other)) => {
            let password = |login: &pop2::Login| login.passwords().next().map(|p| p.expose().to_vec());
            assert_eq!((&one.user, password(one)), (&other.user, password(other)));
        }
        _ => assert_eq!(command.to_string(), again.to_string()),
    }
}

/// A line that is a reply is written, in at most 512 octets, and read back as the same.
pub fn reply(line: &[u8]) {
    let Ok(reply) = Reply::parse(line) else { return };
    let written = |reply: Reply<'_>| {
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        assert!(wire.len() <= pop2::MAX_LINE);
        wire
    };
    let first = written(reply);
    let line = first.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no line end: {first:?}"));
    let again = Reply::parse(line).unwrap_or_else(|error| panic!("{reply}: {error}"));
    assert_eq!(written(again), first);
    assert_eq!(std::mem::discriminant(&reply), std::mem::discriminant(&again));
}

/// Length, counter and encoder agree for any message in any pieces, and no bare LF is left. The first octet
/// says in what pieces.
pub fn wire_form(octets: &[u8]) {
    let Some((&piece, stored)) = octets.split_first() else { return };
    let (mut encoder, mut counter, mut wire) =
        (wire::Encoder::default(), wire::Counter::default(), Vec::new());
    for octets in stored.chunks(usize::from(piece).max(1)) {
        encoder.encode(octets, &mut wire);
        counter.count(octets);
    }
    encoder.finish(&mut wire);
    assert_eq!(wire.len() as u64, wire::length(stored));
    assert_eq!(wire.len() as u64, counter.length());
    let bare = wire
        .iter()
        .scan(0, |before, &octet| Some(std::mem::replace(before, octet) != b'\r' && octet == b'\n'));
    assert_eq!(bare.filter(|&bare| bare).count(), 0, "a bare LF is left");
}

/// Any text is a configuration or is refused in one line.
pub fn configuration(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Err(error) = Config::parse(text, "doghouse.toml".as_ref()) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
