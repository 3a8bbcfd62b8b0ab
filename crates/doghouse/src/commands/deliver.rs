//! `doghouse deliver`: for an MTA, which tells by the exit code whether to keep the message and try again.
//!
//! Whatever is not the recipient's fault is temporary, also a wrong configuration: a message must not be
//! returned to its sender because somebody mistyped a path.

use postbox::{FolderName, Undelivered as Refused};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    cli::Deliver,
    config::Config,
    exit::{self, Failure, OrExit},
    house::{self, Doghouse, NoMail, Undelivered},
    recipients::Target,
};

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
    let targets = house.recipients_of(&arguments.user).or_exit(exit::NO_USER)?;
    if let [target] = targets.as_slice() {
        return deliver(&house, target, folder, tokio::io::stdin()).await;
    }
    // An alias of several: the message comes once.
    let mut message = Vec::new();
    tokio::io::stdin().read_to_end(&mut message).await.or_exit(exit::TEMPORARY)?;
    for target in &targets {
        deliver(&house, target, folder.clone(), message.as_slice()).await?;
    }
    Ok(())
}

async fn deliver(
    house: &Doghouse,
    target: &Target,
    folder: Option<FolderName>,
    message: impl AsyncRead + Unpin + Send,
) -> Result<(), Failure> {
    let mut target = target.clone();
    if let Some(folder) = folder {
        // Whoever has written the command line wants it.
        (target.folder, target.by_stranger) = (folder, false);
    }
    house.deliver(&target, message).await.map_err(|undelivered| {
        let code = match undelivered {
            Undelivered::Nowhere(NoMail::Nobody) => exit::NO_USER,
            // The one thing that no time and no operator is to change.
            Undelivered::Refused(Refused::TooLarge(_)) => exit::UNAVAILABLE,
            Undelivered::Nowhere(NoMail::NoPlace)
            | Undelivered::Refused(Refused::Full | Refused::Store(_)) => exit::TEMPORARY,
        };
        Failure::new(code, undelivered)
    })
}
