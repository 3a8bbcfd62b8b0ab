//! Cases of FOLD.

use pop2::MAX_LINE;

use super::{
    bench::{Bench, Session},
    finding::{NotTried, Tried, differs, keeps, silent},
    guess::OLD_FOLDER_STAYS,
    messages::measure,
};

/// Unlike before a login, here is a command that may be as long as a line.
pub(super) async fn line_of_512(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let name = "x".repeat(MAX_LINE - "FOLD \r\n".len());
    let answer = line.ask(&format!("FOLD {name}")).await;
    Ok(if answer.count().is_some() {
        bench.leave(line).await;
        keeps("takes it")
    } else {
        differs(answer.to_string())
    })
}

/// "If the mailbox is empty or does not exist, the number of messages reported is zero."
pub(super) async fn nowhere(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let answer = bench.fold_nowhere(&mut line).await?;
    let Some(count) = answer.count() else { return Ok(differs(answer.to_string())) };
    bench.leave(line).await;
    Ok(match count {
        0 => keeps("counts 0"),
        _ if count == bench.count.get() => {
            bench.log.note(OLD_FOLDER_STAYS);
            differs(format!("counts {count}, as in the folder before: that stays open"))
        }
        _ => differs(format!("counts {count}")),
    })
}

/// The RFC has no name for the default mailbox.
pub(super) async fn back(bench: &Bench) -> Tried {
    let mut line = nowhere_at_all(bench).await?;
    let answer = line.ask("FOLD INBOX").await;
    Ok(match answer.count() {
        Some(count) => {
            bench.leave(line).await;
            let same = if count == bench.count.get() { "the default mailbox" } else { "another folder" };
            silent(format!("counts {count}: it is {same}"))
        }
        None => silent(answer.to_string()),
    })
}

/// The current message is "set to one when a new folder is selected".
pub(super) async fn starts_at_one(bench: &Bench) -> Tried {
    let mut line = bench.logged_in().await?;
    let first = measure(&mut line, "READ 1").await?;
    let second = measure(&mut line, "READ 2").await?;
    if first == second {
        return Err(NotTried("the first two messages have the same length".to_owned()));
    }
    let answer = line.ask("FOLD INBOX").await;
    if answer.count() != Some(bench.count.get()) {
        return Err(NotTried(format!("to FOLD INBOX, it {answer}")));
    }
    let current = measure(&mut line, "READ").await?;
    bench.leave(line).await;
    Ok(match current {
        _ if current == first => keeps("starts again at message 1"),
        _ if current == second => differs("stays at message 2"),
        _ => differs(format!("gives {current} octets, where message 1 has {first}")),
    })
}

/// A quoted character stands for itself, also where it need not be quoted.
pub(super) async fn quoted(bench: &Bench) -> Tried {
    let mut line = nowhere_at_all(bench).await?;
    let plain = line.ask("FOLD INBOX").await.count().unwrap_or_default();
    if plain == 0 {
        return Err(NotTried("no messages in INBOX, so nothing would show".to_owned()));
    }
    bench.fold_nowhere(&mut line).await?;
    let answer = line.ask(r"FOLD \I\N\B\O\X").await;
    Ok(match answer.count() {
        Some(count) => {
            bench.leave(line).await;
            if count == plain {
                keeps(format!("counts {count} with and without"))
            } else {
                differs(format!("counts {count}, but {plain} without"))
            }
        }
        None => differs(answer.to_string()),
    })
}

pub(super) async fn named(bench: &Bench) -> Tried {
    let name = bench.folder.as_ref().ok_or_else(|| NotTried("it needs --folder".to_owned()))?;
    let mut line = bench.logged_in().await?;
    let answer = bench.fold(&mut line, name).await?;
    Ok(match answer.count() {
        Some(count) => {
            bench.leave(line).await;
            keeps(format!("counts {count} in {name}"))
        }
        None => differs(answer.to_string()),
    })
}

/// A session in a folder that does not exist, with a server that says so: else no count would tell anything.
async fn nowhere_at_all(bench: &Bench) -> Result<Session<'_>, NotTried> {
    let mut line = bench.logged_in().await?;
    match bench.fold_nowhere(&mut line).await?.count() {
        Some(0) => Ok(line),
        _ => Err(NotTried("FOLD to nowhere does not count 0, so nothing would show".to_owned())),
    }
}
