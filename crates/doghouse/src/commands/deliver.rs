//! `doghouse deliver`: for an MTA, which tells by the exit code whether to keep the message and try again.
//!
//! Whatever is not the recipient's fault is temporary, also a wrong configuration: a message must not be
//! returned to its sender because somebody mistyped a path.

use postbox::{FolderName, Postbox};

use crate::{
    accounts::Accounts,
    cli::Deliver,
    config::Config,
    exit::{self, Failure, OrExit},
    house,
};

pub(super) async fn run(arguments: &Deliver) -> Result<(), Failure> {
    let folder = match arguments.folder.as_deref() {
        // An address without an extension is what an MTA writes so.
        None | Some("") => FolderName::inbox(),
        Some(name) => FolderName::parse(name)
            .map_err(|error| Failure::new(exit::USAGE, format!("--folder {name:?}: {error}")))?,
    };
    let config = Config::load(&arguments.config.path).or_exit(exit::TEMPORARY)?;
    let accounts = Accounts::load(&config.passwd_file, config.remember).or_exit(exit::TEMPORARY)?;
    let user = arguments.user.as_str();
    let postbox = Some(user)
        .filter(|user| accounts.contains(user))
        .and_then(|user| house::postbox(&config, user))
        .ok_or_else(|| Failure::new(exit::NO_USER, format!("there is no user {user:?}")))?;
    postbox.deliver(&folder, tokio::io::stdin()).await.or_exit(exit::TEMPORARY)
}
