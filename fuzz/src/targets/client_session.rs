//! A whole session of the client, against a server that says anything.

use std::sync::{Arc, Mutex, PoisonError};

use pop2::{
    Command, LineBuffer, MailboxName, Quoting, Secret, User,
    client::{self, Error, Options, Reading, Trace, Transfer},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::{
    choices::{self, Choices},
    is_one_line,
    lines::cut,
};

/// The most octets of a message that are handed out at once.
const CHUNK: usize = 64 * 1024;

/// Whatever a server says, the client ends, hands out the octets of a message as they came and no more of them
/// than were promised, and says only commands.
///
/// The first line says how many octets are on their way at most, as a power of two; whether the server closes (0)
/// or stays in silence (1); whether arguments are quoted (0) or raw (1); and what the user does, a letter each.
/// With a mailbox selected: `F` FOLD, `Q` QUIT, `X` breaks off, a digit READ of that message. With a message
/// measured: `L` leaves it, `X` breaks off, anything else RETR. Of a message on its way: `E` ends it too early,
/// anything else takes it. With a message taken: `K` ACKS, `N` NACK, `X` breaks off, anything else ACKD.
pub fn client_session(input: &[u8]) {
    let (mut choices, said) = Choices::split(input);
    let capacity = 1 << (choices.number() % 13);
    let stays = choices.number() % 2 == 1;
    let quoting = if choices.number() % 2 == 1 { Quoting::Raw } else { Quoting::Rfc };
    let ledger = Ledger(Arc::new(Mutex::new(said.to_vec())));
    let (outcome, heard) = choices::run(async {
        let (near, far) = tokio::io::duplex(capacity);
        tokio::join!(fetch(near, quoting, choices, &ledger), serve(far, said, stays))
    });
    if let Err(error) = outcome {
        assert!(is_one_line(&error.to_string()), "{error:?}");
        let ours = matches!(error, Error::Argument(_) | Error::OutOfPlace(_) | Error::Unfinished(_));
        assert!(!ours, "blames the user: {error}");
    }
    check_commands(&heard);
}

/// The server's part; gives what it heard.
async fn serve(stream: DuplexStream, said: &[u8], stays: bool) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        // Either fails where the client has gone.
        let _ = writer.write_all(said).await;
        if !stays {
            let _ = writer.shutdown().await;
        }
    };
    let mut heard = Vec::new();
    let ((), read) = tokio::join!(writing, reader.read_to_end(&mut heard));
    assert!(read.is_ok());
    heard
}

async fn fetch(
    stream: DuplexStream,
    quoting: Quoting,
    mut choices: Choices<'_>,
    ledger: &Ledger,
) -> Result<(), Error> {
    let mut options = Options { trace: Some(ledger.watcher()), ..Options::default() };
    options.settings.quoting = quoting;
    let greeted = client::connect(stream, options).await?;
    let (Ok(user), Ok(folder)) = (User::new("fido"), MailboxName::new("old bones")) else {
        panic!("these are names");
    };
    let mut mailbox = greeted.login(user, Secret::from("bone")).await?;
    while !choices.is_empty() {
        let mut reading = match choices.letter() {
            b'F' => {
                mailbox = mailbox.select(folder.clone()).await?;
                continue;
            }
            b'Q' => return mailbox.quit().await,
            b'X' => return Ok(()),
            number => mailbox.read(number.wrapping_sub(b'0').into()).await?,
        };
        mailbox = loop {
            let item = match reading {
                Reading::Nothing(mailbox) => break mailbox,
                Reading::Message(item) => item,
            };
            assert!(item.length() > 0);
            let transfer = match choices.letter() {
                b'L' => break item.leave(),
                b'X' => return Ok(()),
                _ => item.retrieve().await?,
            };
            if choices.letter() == b'E' {
                let missing = transfer.length();
                let early = transfer.finish();
                assert!(matches!(early, Err(Error::Unfinished(octets)) if octets == missing), "{early:?}");
                return Ok(());
            }
            let received = take(transfer, ledger).await?;
            reading = match choices.letter() {
                b'K' => break received.keep().await?,
                b'N' => received.again().await?,
                b'X' => return Ok(()),
                _ => break received.delete().await?,
            };
        };
    }
    mailbox.quit().await
}

/// Takes a whole message.
async fn take(
    mut transfer: Transfer<DuplexStream>,
    ledger: &Ledger,
) -> Result<client::Received<DuplexStream>, Error> {
    let (promised, mut taken) = (transfer.length(), 0);
    while let Some(chunk) = transfer.chunk().await? {
        assert!((1..=CHUNK).contains(&chunk.len()), "a chunk of {} octets", chunk.len());
        taken += chunk.len() as u64;
        assert!(taken <= promised, "more octets than promised");
        ledger.account_for(chunk);
    }
    assert_eq!(taken, promised, "not as many octets as promised");
    transfer.finish()
}

/// What the server says and nobody has accounted for: every octet is heard once and in order.
#[derive(Debug, Clone)]
struct Ledger(Arc<Mutex<Vec<u8>>>);

impl Ledger {
    fn account_for(&self, octets: &[u8]) {
        let mut unheard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(unheard.starts_with(octets), "never said: {:?}", octets.escape_ascii().to_string());
        unheard.drain(..octets.len());
    }

    fn watcher(&self) -> client::Watcher {
        let ledger = self.clone();
        Box::new(move |trace| match trace {
            Trace::Said(command) => assert!(is_one_line(&command.to_string())),
            Trace::Heard(line) => {
                assert!(line.as_bytes().is_empty() || is_one_line(&line.to_string()));
                ledger.account_for(line.as_bytes());
                let crlf = ledger.0.lock().is_ok_and(|unheard| unheard.starts_with(b"\r\n"));
                ledger.account_for(if crlf { b"\r\n" } else { b"\n" });
            }
            Trace::Message(octets) => assert!(octets > 0),
        })
    }
}

/// What the client says is commands, and after QUIT nothing. It may break off within one.
fn check_commands(said: &[u8]) {
    let (lines, too_long) = cut(LineBuffer::for_commands(), [said]);
    assert!(!too_long, "says too much in a line");
    for (left, line) in (0..lines.len()).rev().zip(&lines) {
        let command = Command::parse(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(left == 0 || !matches!(command, Command::Quit), "says something after QUIT");
    }
}
