//! `doghouse deliver`: for an MTA, which tells by the exit code whether to keep the message and try again.
//!
//! Whatever is not the recipient's fault is temporary, also a wrong configuration: a message must not be
//! returned to its sender because somebody mistyped a path.

use std::io;

use postbox::{FolderName, Undelivered as Refused};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    cli::Deliver,
    config::Config,
    exit::{self, Failure, OrExit},
    house::{self, Doghouse, NoMail, Undelivered, Unresolved},
    recipients::Target,
    smtp::message::Incoming,
};

/// How much is read at a time, in octets.
const PIECE: usize = 64 * 1024;

pub(super) async fn run(arguments: &Deliver) -> Result<(), Failure> {
    let folder = match arguments.folder.as_deref() {
        // An address without an extension is what an MTA writes so.
        None | Some("") => None,
        Some(name) => FolderName::parse(name)
            .map_err(|error| Failure::new(exit::USAGE, format!("--folder {name:?}: {error}")))
            .map(Some)?,
    };
    let config = Config::load(&arguments.config.path).or_exit(exit::TEMPORARY)?;
    let accounts = house::accounts(&config).or_exit(exit::TEMPORARY)?;
    let recipients = house::recipients(&config).or_exit(exit::TEMPORARY)?;
    let house = Doghouse::new(config, accounts, recipients);
    let targets = house.recipients_of(&arguments.user).await.map_err(|unresolved| {
        let code = match unresolved {
            Unresolved::Unknown(_) => exit::NO_USER,
            Unresolved::Accounts(_) => exit::TEMPORARY,
        };
        Failure::new(code, unresolved)
    })?;
    if let ([target], None) = (targets.as_slice(), &arguments.id) {
        return deliver(&house, target, folder, tokio::io::stdin(), None).await;
    }
    // The message comes once, and all of it is looked at before it is delivered.
    let mut incoming = read(tokio::io::stdin()).await.or_exit(exit::TEMPORARY)?;
    let id = match &arguments.id {
        Some(id) => incoming.name(Some(id), "", &arguments.user).or_exit(exit::TEMPORARY)?,
        None => None,
    };
    for target in &targets {
        let message = incoming.behind(String::new()).or_exit(exit::TEMPORARY)?;
        deliver(&house, target, folder.clone(), message, id.as_deref()).await?;
    }
    Ok(())
}

async fn read(mut source: impl AsyncRead + Unpin) -> io::Result<Incoming> {
    let (mut incoming, mut piece) = (Incoming::new(), vec![0; PIECE]);
    loop {
        let count = source.read(&mut piece).await?;
        if count == 0 {
            return Ok(incoming);
        }
        incoming.write(piece.get(..count).unwrap_or_default())?;
    }
}

async fn deliver(
    house: &Doghouse,
    target: &Target,
    folder: Option<FolderName>,
    message: impl AsyncRead + Unpin + Send,
    id: Option<&str>,
) -> Result<(), Failure> {
    let mut target = target.clone();
    if let Some(folder) = folder {
        // Whoever has written the command line wants it.
        (target.folder, target.by_stranger) = (folder, false);
    }
    house.deliver(&target, message, id).await.map_err(|undelivered| {
        let code = match undelivered {
            Undelivered::Nowhere(NoMail::Nobody) => exit::NO_USER,
            // The one thing that no time and no operator is to change.
            Undelivered::Refused(Refused::TooLarge(_)) => exit::UNAVAILABLE,
            Undelivered::Nowhere(NoMail::NoPlace | NoMail::Accounts(_))
            | Undelivered::Refused(Refused::Full | Refused::Store(_)) => exit::TEMPORARY,
        };
        Failure::new(code, undelivered)
    })
}
