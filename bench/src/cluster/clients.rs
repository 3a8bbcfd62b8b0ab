//! Clients: each on a thread, one session after the other.

use std::{
    io,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use testing::Line;

use crate::site::Node;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What clients do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    Count,
    Fetch,
    Deliver,
    DeliverLarge,
}

fn wrong(reply: &str) -> io::Error {
    io::Error::other(format!("the server says {reply:?}"))
}

/// Logs in; returns how many messages there are.
fn log_in(line: &mut Line, user: &str) -> io::Result<usize> {
    let reply = line.say(&format!("HELO {user} bone"))?;
    number(&reply, '#')
}

/// The number in a reply that begins with a mark.
fn number(reply: &str, mark: char) -> io::Result<usize> {
    let rest = reply.strip_prefix(mark).and_then(|rest| rest.split(' ').next());
    rest.and_then(|number| number.parse().ok()).ok_or_else(|| wrong(reply))
}

fn letter(octets: usize) -> String {
    let line = "woof woof woof woof woof woof woof woof woof woof woof woof woof\r\n";
    format!("Subject: bench\r\n\r\n{}", line.repeat(octets / line.len()))
}

/// Gives each account so many messages.
pub(crate) fn fill(nodes: &[&Node], accounts: usize, messages: usize) -> io::Result<()> {
    let message = letter(5 * 1024);
    for (user, node) in (0..accounts).zip(nodes.iter().cycle()) {
        let mut line = Line::open(node.lmtp, PATIENCE)?;
        line.say("LHLO bench.example")?;
        for _ in 0..messages {
            deliver(&mut line, user, &message)?;
        }
    }
    Ok(())
}

fn deliver(line: &mut Line, user: usize, message: &str) -> io::Result<()> {
    line.say("MAIL FROM:<bench@example.org>")?;
    line.say(&format!("RCPT TO:<u{user}>"))?;
    line.say("DATA")?;
    let reply = line.say(&format!("{message}."))?;
    if reply.starts_with("250") { Ok(()) } else { Err(wrong(&reply)) }
}

/// How much of it all clients together do in a second.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
pub(crate) fn rate(
    job: Job,
    nodes: &[&Node],
    accounts: usize,
    clients: usize,
    time: Duration,
) -> io::Result<f64> {
    let (done, next) = (AtomicU64::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let is_over = || begun.elapsed() >= time;
    thread::scope(|scope| {
        let work: Vec<_> = nodes
            .iter()
            .cycle()
            .take(clients)
            .map(|node| {
                let (done, next, is_over) = (&done, &next, &is_over);
                scope.spawn(move || {
                    let turn = || next.fetch_add(1, Relaxed) % accounts;
                    match job {
                        Job::Count | Job::Fetch => {
                            while !is_over() {
                                fetch(job, node, turn(), done, is_over)?;
                            }
                            Ok(())
                        }
                        Job::Deliver => take_in(node, 5 * 1024, turn, done, is_over),
                        Job::DeliverLarge => take_in(node, 200 * 1024, turn, done, is_over),
                    }
                })
            })
            .collect();
        let fell = || Err(io::Error::other("a client fell"));
        work.into_iter().try_for_each(|client| client.join().unwrap_or_else(|_| fell()))
    })?;
    Ok(done.load(Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// One session, which deletes nothing.
fn fetch(
    job: Job,
    node: &Node,
    user: usize,
    done: &AtomicU64,
    is_over: &impl Fn() -> bool,
) -> io::Result<()> {
    let mut line = Line::open(node.pop2, PATIENCE)?;
    let count = log_in(&mut line, &format!("u{user}"))?;
    if matches!(job, Job::Count) {
        line.say("QUIT")?;
        done.fetch_add(1, Relaxed);
        return Ok(());
    }
    let mut reply = line.say("READ 1")?;
    // Of what other rows have delivered meanwhile only some.
    for _ in 0..count.min(50) {
        line.retrieve(number(&reply, '=')?)?;
        done.fetch_add(1, Relaxed);
        if is_over() {
            return Ok(());
        }
        reply = line.say("ACKS")?;
    }
    line.say("QUIT").map(drop)
}

/// Delivers one message after the other.
fn take_in(
    node: &Node,
    octets: usize,
    turn: impl Fn() -> usize,
    done: &AtomicU64,
    is_over: &impl Fn() -> bool,
) -> io::Result<()> {
    let message = letter(octets);
    let mut line = Line::open(node.lmtp, PATIENCE)?;
    line.say("LHLO bench.example")?;
    while !is_over() {
        deliver(&mut line, turn(), &message)?;
        done.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// What a client waits for.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    pub(crate) count: Duration,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// One session of an account of which it is known how much it has.
pub(crate) fn wait(node: &Node, user: &str, size: usize) -> io::Result<Wait> {
    let mut line = Line::open(node.pop2, PATIENCE)?;
    let mut mark = Instant::now();
    let mut lap = || std::mem::replace(&mut mark, Instant::now()).elapsed();
    let found = log_in(&mut line, user)?;
    let mut wait = Wait { count: lap(), ..Wait::default() };
    if found != size {
        return Err(io::Error::other(format!("{found} messages were counted, and there are {size}")));
    }
    if size > 0 {
        number(&line.say("READ 1")?, '=')?;
        wait.first = lap();
        number(&line.say(&format!("READ {size}"))?, '=')?;
        wait.last = lap();
    }
    line.say("QUIT")?;
    Ok(wait)
}
