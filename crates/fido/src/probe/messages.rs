//! Cases in the default mailbox. Nothing is ever marked for deletion: ACKD is not said.

use super::{
    before::{is_refused, quits},
    bench::{Bench, Message, Session, fetchable},
    finding::{NotTried, Tried, differs, keeps, silent},
    guess::BOTH_PROTOCOLS,
    wire::Heard,
};

pub(super) async fn helo(bench: &Bench) -> Tried {
    let mut line = bench.connect("").await?;
    let greeting = line.hear().await;
    let answer = bench.helo(&mut line).await?;
    bench.leave(line).await;
    if answer.count().is_some() && matches!(&greeting, Heard::Line(line) if line.shown.starts_with("+OK")) {
        bench.log.note(BOTH_PROTOCOLS);
    }
    Ok(match answer.count() {
        Some(count) => keeps(format!("counts {count}")),
        None => differs(answer.to_string()),
    })
}

pub(super) async fn quit_in_mbox(bench: &Bench) -> Tried {
    Ok(quits(&mut bench.logged_in().await?, "QUIT").await)
}

pub(super) async fn quit_in_item(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    measure(&mut line, "READ").await?;
    Ok(quits(&mut line, "QUIT").await)
}

pub(super) async fn quit_in_next(bench: &Bench) -> Tried {
    let message = bench.smallest().await?;
    let mut line = bench.logged_in().await?;
    fetch(&mut line, message).await?;
    Ok(is_refused(&mut line, "QUIT").await)
}

pub(super) async fn garbage(bench: &Bench) -> Tried {
    Ok(is_refused(&mut bench.logged_in().await?, "WOOF").await)
}

pub(super) async fn acks_first(bench: &Bench) -> Tried {
    Ok(is_refused(&mut bench.logged_in().await?, "ACKS").await)
}

pub(super) async fn retr_first(bench: &Bench) -> Tried {
    Ok(is_refused(&mut bench.logged_in().await?, "RETR").await)
}

/// After HELO the current message is the first.
pub(super) async fn read(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let current = measure(&mut line, "READ").await?;
    let first = measure(&mut line, "READ 1").await?;
    bench.leave(line).await;
    Ok(match (current, first) {
        (0, _) => differs("says that message 1 has no octets"),
        _ if current == first => keeps(format!("gives {current} octets, with and without the number 1")),
        _ => differs(format!("gives {current} octets, but {first} with the number 1")),
    })
}

pub(super) async fn read_past(bench: &Bench) -> Tried {
    is_nothing(bench, &format!("READ {}", u64::from(bench.count.get()) + 1)).await
}

pub(super) async fn read_0(bench: &Bench) -> Tried {
    is_nothing(bench, "READ 0").await
}

pub(super) async fn read_too_large(bench: &Bench) -> Tried {
    is_nothing(bench, "READ 99999999999999999999").await
}

/// "If there is no message to be read, the count of zero is returned."
async fn is_nothing(bench: &Bench, command: &str) -> Tried {
    let mut line = bench.logged_in().await?;
    let answer = line.ask(command).await;
    if answer.length() != Some(0) {
        return Ok(differs(answer.to_string()));
    }
    Ok(match line.ask("QUIT").await {
        bye if bye.is(b'+') => keeps("says =0 and goes on"),
        other => differs(format!("says =0, and then to QUIT it {other}")),
    })
}

/// The definition of READ has `=0`, Example 3 has it close.
pub(super) async fn read_empty(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let answer = line.ask("READ").await;
    if answer.length() == Some(0) {
        bench.leave(line).await;
        return Ok(silent("says =0, as in READ's definition"));
    }
    Ok(match answer {
        Heard::Closed => silent("closes, as in Example 3"),
        other => differs(other.to_string()),
    })
}

/// A client takes what comes after RETR for mail, so nothing may come.
pub(super) async fn retr_nothing(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let past = format!("READ {}", u64::from(bench.count.get()) + 1);
    if measure(&mut line, &past).await? > 0 {
        return Err(NotTried("a message came in meanwhile".to_owned()));
    }
    Ok(match line.ask("RETR").await {
        Heard::Closed => keeps("closes without a word"),
        other => differs(other.to_string()),
    })
}

/// The octets that RETR brings are those that READ has counted.
pub(super) async fn length(bench: &Bench) -> Tried {
    let message = bench.smallest().await?;
    let mut line = bench.logged_in().await?;
    let octets = match fetch(&mut line, message).await {
        Ok(octets) => octets,
        Err(Short::Of(came, heard)) => {
            return Ok(differs(format!("of {} octets {came} came, then it {heard}", message.length)));
        }
        Err(Short::Other(why)) => return Err(why),
    };
    bench.bare_ends.set(Some(bare_ends(&octets)));
    Ok(match line.ask("NACK").await {
        heard if heard.length().is_some() => {
            bench.leave(line).await;
            keeps(format!("{} octets, as many as promised", message.length))
        }
        other => differs(format!("after {} octets and NACK, it {other}", message.length)),
    })
}

/// Looks at the message of the case before.
pub(super) fn line_ends(bench: &Bench) -> Tried {
    match bench.bare_ends.get() {
        None => Err(NotTried("no message was fetched".to_owned())),
        Some(0) => Ok(keeps("every line of the message ends in CR LF")),
        Some(bare) => Ok(differs(format!("{bare} lines of the message end in LF without CR"))),
    }
}

pub(super) async fn nack(bench: &Bench) -> Tried {
    let message = bench.smallest().await?;
    let mut line = bench.logged_in().await?;
    let first = fetch(&mut line, message).await?;
    let answer = line.ask("NACK").await;
    if answer.length() != u64::try_from(message.length).ok() {
        return Ok(differs(answer.to_string()));
    }
    let second = retrieve(&mut line, message.length).await?;
    // Before it leaves: QUIT would be out of place here.
    let acknowledged = line.ask("NACK").await;
    if acknowledged.length().is_some() {
        bench.leave(line).await;
    }
    Ok(if first == second {
        keeps("gives the same octets again")
    } else {
        differs("gives other octets the second time")
    })
}

/// ACKS goes on to the next message, and so does the READ after it.
pub(super) async fn acks(bench: &Bench) -> Tried {
    let message = bench.smallest().await?;
    let mut line = bench.logged_in().await?;
    let next = if message.number < bench.count.get() {
        measure(&mut line, &format!("READ {}", message.number + 1)).await?
    } else {
        0
    };
    fetch(&mut line, message).await?;
    let answer = line.ask("ACKS").await;
    if answer.length() != Some(next) {
        return Ok(differs(format!("it {answer}, where the next message has {next} octets")));
    }
    let read = line.ask("READ").await;
    if read.length().is_some() {
        bench.leave(line).await;
    }
    Ok(if read.length() == Some(next) {
        keeps(format!("goes on to the next message, ={next}"))
    } else {
        differs(format!("gives ={next}, but to the READ after it, it {read}"))
    })
}

pub(super) async fn after_the_last(bench: &Bench) -> Tried {
    let last = bench.count.get();
    let mut line = bench.logged_in().await?;
    let length = measure(&mut line, &format!("READ {last}")).await?;
    if length == 0 {
        return Err(NotTried("the last message has no octets".to_owned()));
    }
    fetch(&mut line, Message { number: last, length: fetchable(length)? }).await?;
    let answer = line.ask("ACKS").await;
    if answer.length() != Some(0) {
        return Ok(differs(format!("to ACKS of the last message, it {answer}")));
    }
    let read = line.ask("READ").await;
    if read.length().is_some() {
        bench.leave(line).await;
    }
    Ok(silent(format!("says =0; to READ after it, it {read}")))
}

pub(super) async fn sent_ahead(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    line.send(b"READ\r\nQUIT\r\n").await;
    let (read, quit) = (line.hear().await, line.hear().await);
    Ok(if read.length().is_some() && quit.is(b'+') {
        silent("answers in order")
    } else {
        silent(format!("{read}, then {quit}"))
    })
}

pub(super) async fn second_session(bench: &Bench) -> Tried {
    let first = bench.logged_in().await?;
    let mut second = bench.connect("2").await?;
    let greeting = second.hear().await;
    if !greeting.is(b'+') {
        bench.leave(first).await;
        return Ok(silent(format!("to the second connection, it {greeting}")));
    }
    let answer = bench.helo(&mut second).await?;
    bench.leave(first).await;
    let does = match answer {
        Heard::Silent => match second.hear().await {
            Heard::Silent => "answers neither before nor after the first ends".to_owned(),
            late => format!("waits for the first to end, then {late}"),
        },
        answer if answer.count().is_some() => "opens both".to_owned(),
        other => format!("to the second login, it {other}"),
    };
    bench.leave(second).await;
    Ok(silent(does))
}

/// Why a message did not come.
enum Short {
    /// So many of its octets came, then this.
    Of(usize, Heard),
    /// It was not even asked for.
    Other(NotTried),
}

impl From<NotTried> for Short {
    fn from(why: NotTried) -> Self {
        Self::Other(why)
    }
}

impl From<Short> for NotTried {
    fn from(short: Short) -> Self {
        match short {
            Short::Of(came, heard) => Self(format!("{came} octets of the message came, then it {heard}")),
            Short::Other(why) => why,
        }
    }
}

/// Reads and retrieves a message whose length is known.
async fn fetch(line: &mut Session<'_>, message: Message) -> Result<Vec<u8>, Short> {
    let length = measure(line, &format!("READ {}", message.number)).await?;
    if u64::try_from(message.length) != Ok(length) {
        return Err(NotTried(format!("READ gives {length} octets now, {} before", message.length)).into());
    }
    retrieve(line, message.length).await
}

async fn retrieve(line: &mut Session<'_>, length: usize) -> Result<Vec<u8>, Short> {
    line.say("RETR").await;
    line.message(length).await.map_err(|(came, heard)| Short::Of(came, heard))
}

/// The length that a READ gives, in octets.
pub(super) async fn measure(line: &mut Session<'_>, read: &str) -> Result<u64, NotTried> {
    let answer = line.ask(read).await;
    answer.length().ok_or_else(|| NotTried(format!("to {read}, it {answer}")))
}

/// LFs without a CR before them.
fn bare_ends(octets: &[u8]) -> usize {
    let before = std::iter::once(&0).chain(octets);
    before.zip(octets).filter(|pair| matches!(pair, (before, b'\n') if **before != b'\r')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_feeds_are_counted() {
        for (octets, count) in [(&b""[..], 0), (b"a\r\n\r\nb", 0), (b"\na\n\r\n\n", 3)] {
            assert_eq!(bare_ends(octets), count, "{octets:?}");
        }
    }
}
