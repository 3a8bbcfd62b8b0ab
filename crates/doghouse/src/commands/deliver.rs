//! `doghouse deliver`: for an MTA, which tells by the exit code whether to keep the message and try again.
//!
//! Whatever is not the recipient's fault is temporary, also a wrong configuration: a message must not be
//! returned to its sender because somebody mistyped a path.

use postbox::FolderName;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    accounts::Accounts,
    cli::Deliver,
    config::Config,
    exit::{self, Failure, OrExit},
    house::{self, Doghouse},
    quota::Undelivered,
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
    let accounts = Accounts::load(&config.passwd_file, config.remember).or_exit(exit::TEMPORARY)?;
    let recipients = house::recipients(&config).or_exit(exit::TEMPORARY)?;
    let house = Doghouse::new(config, accounts, recipients);
    let targets = house.recipients_of(&arguments.user).or_exit(exit::NO_USER)?;
    if let [target] = targets.as_slice() {
        let folder = folder.as_ref().unwrap_or(&target.folder);
        return deliver(&house, &target.user, folder, tokio::io::stdin()).await;
    }
    // An alias of several: the message comes once.
    let mut message = Vec::new();
    tokio::io::stdin().read_to_end(&mut message).await.or_exit(exit::TEMPORARY)?;
    for target in &targets {
        let folder = folder.as_ref().unwrap_or(&target.folder);
        deliver(&house, &target.user, folder, message.as_slice()).await?;
    }
    Ok(())
}

async fn deliver(
    house: &Doghouse,
    user: &str,
    folder: &FolderName,
    message: impl AsyncRead + Unpin + Send,
) -> Result<(), Failure> {
    let postbox = house::postbox(house.config(), user)
        .ok_or_else(|| Failure::new(exit::NO_USER, format!("there is no user {user:?}")))?;
    house.config().quota.deliver(&postbox, folder, message).await.map_err(|undelivered| {
        // The one thing that no time and no operator is to change.
        let is_final = matches!(undelivered, Undelivered::TooLarge(_));
        Failure::new(if is_final { exit::UNAVAILABLE } else { exit::TEMPORARY }, undelivered)
    })
}
