//! Cases before a login.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use pop2::{Greeting, MAX_LINE};
use tokio::time::sleep;

use super::{
    bench::{Bench, Session},
    finding::{Finding, NotTried, Tried, differs, keeps, silent},
    wire::Heard,
};

/// Long enough for two pieces to arrive as two, and for a server that objects to have done so.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn greeting(bench: &Bench) -> Tried {
    let mut line = bench.connect("").await?;
    let heard = line.hear().await;
    let Heard::Line(greeting) = &heard else { return Ok(differs(heard.to_string())) };
    // As shown, for a server may put the password here.
    let host = greeting.shown.split(' ').nth(2).unwrap_or_default();
    let finding = match Greeting::of(greeting.text().into()) {
        _ if !greeting.is(b'+') => differs(heard.to_string()),
        Greeting::Pop2 { .. } if !greeting.text().starts_with(b" POP2 ") => differs(heard.to_string()),
        Greeting::Pop2 { .. } if is_host(host) => keeps(format!("names itself {host}")),
        Greeting::Pop2 { .. } => differs(format!("names itself {host}, which is no name of a host")),
        Greeting::Pop3 => differs("greets as a POP3 server"),
        Greeting::Other => differs(heard.to_string()),
    };
    bench.leave(line).await;
    Ok(finding)
}

/// A `<host>` of the RFC, or one whose parts begin with a digit, as RFC 1123 has allowed since.
fn is_host(name: &str) -> bool {
    name.split('.').all(|part| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !part.is_empty() && part.chars().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    })
}

pub(super) async fn quit(bench: &Bench) -> Tried {
    Ok(quits(&mut bench.greeted().await?, "QUIT").await)
}

pub(super) async fn garbage(bench: &Bench) -> Tried {
    Ok(is_refused(&mut bench.greeted().await?, "WOOF").await)
}

pub(super) async fn read_first(bench: &Bench) -> Tried {
    Ok(is_refused(&mut bench.greeted().await?, "READ 1").await)
}

pub(super) async fn lower_case(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    line.send(b"quit\r\n").await;
    Ok(is_taken(&line.hear().await))
}

pub(super) async fn bare_lf(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    line.send(b"QUIT\n").await;
    Ok(is_taken(&line.hear().await))
}

pub(super) async fn telnet_options(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    // IAC DO SUPPRESS-GO-AHEAD (RFC 854 and 858).
    line.send(b"\xff\xfd\x03QUIT\r\n").await;
    Ok(is_taken(&line.hear().await))
}

/// TCP has no pieces, so nothing may depend on them.
pub(super) async fn two_segments(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    line.send(b"QUIT").await;
    sleep(PAUSE).await;
    line.send(b"\r\n").await;
    Ok(match line.hear().await {
        heard if heard.is(b'+') => keeps("takes it"),
        other => differs(other.to_string()),
    })
}

/// There is no command of 512 octets that must be taken before a login, so this one has blanks at its end.
pub(super) async fn line_of_512(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    line.say(&format!("{:<1$}", "QUIT", MAX_LINE - 2)).await;
    Ok(match line.hear().await {
        heard if heard.is(b'+') => keeps("takes it"),
        // It may be the blanks that it does not like.
        other => silent(format!("{other} to QUIT and blanks")),
    })
}

pub(super) async fn line_of_513(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    line.say(&format!("{:<1$}", "QUIT", MAX_LINE - 1)).await;
    Ok(match line.hear().await {
        heard if heard.is(b'+') => silent("takes more than 512 octets"),
        heard if heard.is(b'-') => closes(&mut line, &heard, "refuses it").await,
        Heard::Closed => silent("closes without a word"),
        other => differs(other.to_string()),
    })
}

/// Once only: servers slow down whoever guesses.
pub(super) async fn wrong_helo(bench: &Bench) -> Tried {
    let mut line = bench.greeted().await?;
    // At most 18 characters, for KA9Q NOS.
    let nobody = format!("nobody-{:08x}", RandomState::new().hash_one("a user") & 0xffff_ffff);
    Ok(is_refused(&mut line, &format!("HELO {nobody} woof")).await)
}

/// Looks at every line that was heard so far.
pub(super) fn reply_lines(bench: &Bench) -> Tried {
    let tally = bench.log.tally();
    if tally.lines == 0 {
        return Err(NotTried("no line was heard".to_owned()));
    }
    let faults: Vec<String> = [
        (tally.endless, "longer than 512 octets"),
        (tally.untidy, "without CR LF"),
        (tally.unprintable, "with octets that are not printable"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    Ok(if faults.is_empty() {
        keeps(format!("{} lines, the longest of {} octets", tally.lines, tally.longest))
    } else {
        differs(format!("of {} lines: {}", tally.lines, faults.join(", ")))
    })
}

/// QUIT is answered with `+`, and the server closes.
pub(super) async fn quits(line: &mut Session<'_>, command: &str) -> Finding {
    match line.ask(command).await {
        heard if heard.is(b'+') => closes(line, &heard, "says +").await,
        other => differs(other.to_string()),
    }
}

/// Action 1 of the table: `- error`, and close.
pub(super) async fn is_refused(line: &mut Session<'_>, command: &str) -> Finding {
    match line.ask(command).await {
        heard if heard.is(b'-') => closes(line, &heard, "refuses it").await,
        other => differs(other.to_string()),
    }
}

/// The server closes behind `answer`, as the RFC wants there; `briefly` is the answer in a word.
async fn closes(line: &mut Session<'_>, answer: &Heard, briefly: &str) -> Finding {
    match line.end().await {
        Heard::Closed => keeps(format!("{briefly} and closes")),
        Heard::Silent => differs(format!("{answer} and does not close")),
        more => differs(format!("{answer}, then {more}")),
    }
}

/// Whether a QUIT in a form that the RFC does not know is taken.
fn is_taken(answer: &Heard) -> Finding {
    if answer.is(b'+') { silent("takes it") } else { silent(answer.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_are_told_from_others() {
        for host in ["USC-ISIF.ARPA", "dog-house.example", "3com.example", "a"] {
            assert!(is_host(host), "{host}");
        }
        for other in ["", "dog_house", "-a", "a..b", "a.", "\\x1b[2J"] {
            assert!(!is_host(other), "{other}");
        }
    }
}
