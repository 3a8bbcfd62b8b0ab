//! `fido check`: how many messages there are.

use std::io::Write;

use pop2::MailboxName;

use crate::{Exit, Failure, args::Folders, session::Account};

/// Says for each folder how many messages it has.
pub async fn run(account: &Account, folders: &Folders) -> Result<(), Failure> {
    for folder in folders.of(account.profile()) {
        let mailbox = account.open(folder).await?;
        let count = mailbox.count();
        // Nothing is marked, so nothing depends on how this goes.
        let _ = mailbox.quit().await;
        writeln!(std::io::stdout(), "{}", line(count, folder))
            .map_err(|error| Failure::new(Exit::Io, format!("cannot write to standard output: {error}")))?;
    }
    Ok(())
}

/// So many messages, in words.
pub(crate) fn messages(count: u32) -> String {
    match count {
        0 => "no messages".to_owned(),
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}

fn line(count: u32, folder: Option<&MailboxName>) -> String {
    let messages = messages(count);
    match folder {
        None => format!("{messages} in the default mailbox"),
        Some(name) if count == 0 => format!("{messages} in {name}, or there is no such folder"),
        Some(name) => format!("{messages} in {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_in_words() {
        let folder = MailboxName::new("Old mail").unwrap();
        assert_eq!(line(0, None), "no messages in the default mailbox");
        assert_eq!(line(1, None), "1 message in the default mailbox");
        assert_eq!(line(13, Some(&folder)), "13 messages in Old mail");
        assert_eq!(line(0, Some(&folder)), "no messages in Old mail, or there is no such folder");
    }
}
