//! A whole session of the client, against a server that says anything.

use pop2::{
    MailboxName, Secret, User,
    client::{self, Error, Options, Reading},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A session goes on for at most so many choices.
const MOST: usize = 64;

/// Whatever a server says, the client ends, and hands out no more octets of a message than were promised. The
/// first octet says how many of those after it are choices of the user; the rest is what the server says.
pub fn client_session(octets: &[u8]) {
    let Some((&count, rest)) = octets.split_first() else { return };
    let (choices, said) = rest.split_at(usize::from(count).min(rest.len()).min(MOST));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(256);
        let (mut reader, mut writer) = tokio::io::split(far);
        let speak = async {
            let _ = writer.write_all(said).await;
            let _ = writer.shutdown().await;
        };
        let mut unheard = Vec::new();
        let (_, (), _) = tokio::join!(fetch(near, choices), speak, reader.read_to_end(&mut unheard));
    });
}

async fn fetch(stream: tokio::io::DuplexStream, choices: &[u8]) -> Result<(), Error> {
    let greeted = client::connect(stream, Options::default()).await?;
    let (Ok(user), Ok(folder)) = (User::new("fido"), MailboxName::new("old bones")) else { return Ok(()) };
    let mut mailbox = greeted.login(user, Secret::from("bone")).await?;
    for &choice in choices {
        mailbox = match choice {
            0 => mailbox.select(folder.clone()).await?,
            number => match mailbox.read(u32::from(number >> 2)).await? {
                Reading::Nothing(mailbox) => mailbox,
                Reading::Message(item) if choice & 3 == 3 => item.leave(),
                Reading::Message(item) => {
                    let mut transfer = item.retrieve().await?;
                    let (promised, mut taken) = (transfer.length(), 0);
                    while let Some(chunk) = transfer.chunk().await? {
                        taken += chunk.len() as u64;
                        assert!(!chunk.is_empty() && taken <= promised);
                    }
                    assert_eq!(taken, promised);
                    let received = transfer.finish()?;
                    match choice & 3 {
                        0 => received.keep().await?,
                        1 => received.delete().await?,
                        _ => match received.again().await? {
                            Reading::Message(item) => item.leave(),
                            Reading::Nothing(mailbox) => mailbox,
                        },
                    }
                }
            },
        };
    }
    mailbox.quit().await
}
