//! A workstation that fetches and acknowledges, session after session.

use std::{
    collections::BTreeSet, io, net::SocketAddr, sync::atomic::Ordering::SeqCst, thread, time::Duration,
};

use testing::Line;

use super::{Board, CLIENT_PATIENCE, USERS, message};

/// How many messages a session fetches at most.
const SOME: usize = 40;

pub(crate) fn run(reader: usize, places: [SocketAddr; 2], board: &Board) {
    let (user, mut turn) = (reader % USERS, reader / USERS);
    while !board.over.load(SeqCst) {
        turn += 1;
        board.sessions.fetch_add(1, SeqCst);
        match session(user, places[turn % 2], board) {
            Ok(0) => thread::sleep(Duration::from_millis(30)),
            Ok(_) => {}
            Err(_broken) => {
                board.sessions_broken.fetch_add(1, SeqCst);
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// How many messages were fetched in a session that ended well.
fn session(user: usize, place: SocketAddr, board: &Board) -> io::Result<usize> {
    let mut line = Line::open(place, CLIENT_PATIENCE)?;
    // What was gone before the server was asked must not be there.
    let gone_before = board.gone.lock().unwrap().clone();
    let greeting = line.say(&format!("HELO u{user} bone{user}"))?;
    let Some(count) = greeting.strip_prefix('#') else { return Err(refused(&greeting)) };
    if count.split(' ').next() == Some("0") {
        line.say("QUIT")?;
        return Ok(0);
    }
    let mut acknowledged = BTreeSet::new();
    let mut reply = line.say("READ")?;
    for _ in 0..SOME {
        let Some(length) = reply.strip_prefix('=') else { return Err(refused(&reply)) };
        let length: usize = length.split(' ').next().unwrap_or_default().parse().unwrap();
        if length == 0 {
            break;
        }
        let octets = line.retrieve(length)?;
        match number_of(&octets) {
            None => board.fault(format!("wrong octets were fetched: {:.200}", octets.escape_ascii())),
            Some(n) if gone_before.contains(&n) => board.fault(format!("message {n} came back")),
            Some(n) if n % USERS != user => board.fault(format!("message {n} is another's")),
            Some(n) => {
                board.fetched.lock().unwrap().insert(n);
                acknowledged.insert(n);
            }
        }
        board.fetches.fetch_add(1, SeqCst);
        reply = line.say("ACKD")?;
    }
    let fetched = acknowledged.len();
    let reply = line.say("QUIT").inspect_err(|_| board.perhaps_gone.lock().unwrap().extend(&acknowledged))?;
    if reply.starts_with('+') {
        board.gone.lock().unwrap().extend(acknowledged);
        return Ok(fetched.max(1));
    }
    // Some of them are still there, or the server could not say.
    board.perhaps_gone.lock().unwrap().extend(acknowledged);
    Err(refused(&reply))
}

/// The number of a message that is whole and as it was sent.
fn number_of(octets: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(octets).ok()?;
    let n = text.lines().find_map(|line| line.strip_prefix("Subject: "))?.parse().ok()?;
    let (trace, sent) = text.split_at(text.find("Received: from writer.example by mta.example")?);
    (trace.starts_with("Return-Path: ") && sent == message(n).replace('\n', "\r\n")).then_some(n)
}

fn refused(reply: &str) -> io::Error {
    io::Error::other(reply.to_owned())
}
