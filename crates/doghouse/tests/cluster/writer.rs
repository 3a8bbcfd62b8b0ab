//! A mail server that has messages to deliver, and goes on until each is taken.

use std::{io, net::SocketAddr, sync::atomic::Ordering::SeqCst, thread, time::Duration};

use testing::Line;

use super::{Board, CLIENT_PATIENCE, WRITERS, message, user_of};

pub(crate) fn run(writer: usize, places: [SocketAddr; 2], board: &Board) {
    let (mut turn, mut line) = (writer, None);
    for n in (writer..board.total).step_by(WRITERS) {
        let mut first = true;
        loop {
            if !std::mem::take(&mut first) {
                board.deliveries_tried_again.fetch_add(1, SeqCst);
                thread::sleep(Duration::from_millis(50));
            }
            match deliver(&mut line, places[turn % 2], n) {
                Ok(true) => break,
                Ok(false) => {}
                Err(_broken) => {
                    line = None;
                    turn += 1;
                }
            }
        }
        board.confirmed.lock().unwrap().insert(n);
        if n % 50 < WRITERS {
            // Both servers have their share.
            line = None;
            turn += 1;
        }
    }
}

/// Whether the message was taken, or is to be tried again.
fn deliver(line: &mut Option<Line>, place: SocketAddr, n: usize) -> io::Result<bool> {
    let line = match line {
        Some(line) => line,
        none => {
            let mut fresh = Line::open(place, CLIENT_PATIENCE)?;
            fresh.say("LHLO writer.example")?;
            none.insert(fresh)
        }
    };
    line.say("MAIL FROM:<writer@example.org>")?;
    if !line.say(&format!("RCPT TO:<{}>", user_of(n)))?.starts_with("250") {
        line.say("RSET")?;
        return Ok(false);
    }
    line.say("DATA")?;
    let reply = line.say(&format!("{}.", message(n).replace('\n', "\r\n")))?;
    assert!(
        reply.starts_with("250") || reply.starts_with('4'),
        "no message goes back to its sender: {reply}"
    );
    Ok(reply.starts_with("250"))
}
