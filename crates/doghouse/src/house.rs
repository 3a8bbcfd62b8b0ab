//! What a session may ask the house for: whether a login is good, and that account's mail.

use std::{future::Future, net::IpAddr};

use pop2::Login;
use postbox::{Postbox, Store, chain::Chain};

use crate::{
    accounts::Accounts,
    config::{Config, Listener},
};

/// The one text for a wrong password, an unknown user and a locked account (`DECISIONS` 25).
const REFUSAL: &str = "login refused: no such user, or another password";

/// Who checks logins and opens mail.
pub trait House: Send + Sync {
    /// An account's mail.
    type Postbox: Postbox;

    /// Whether the login is good: then the account's mail, else what the client is told.
    fn admit(
        &self,
        login: &Login,
        client: IpAddr,
    ) -> impl Future<Output = Result<Self::Postbox, &'static str>> + Send;
}

/// The house that a configuration describes.
#[derive(Debug)]
pub struct Doghouse {
    accounts: Accounts,
    config: Config,
}

/// A doghouse behind one of its doors.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// The house.
    pub house: &'a Doghouse,
    /// The listener that the client came by.
    pub listener: &'a Listener,
}

impl Doghouse {
    /// Joins what was loaded.
    #[must_use]
    pub fn new(config: Config, accounts: Accounts) -> Self {
        Self { accounts, config }
    }

    /// The users.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// An account's mail, in the stores that the configuration names; `None` where the account's name cannot be
/// part of a path.
#[must_use]
pub fn postbox(config: &Config, user: &str) -> Option<Chain<Store>> {
    let mut stores = config.mail.iter().map(|location| location.postbox(user));
    Some(Chain::new(stores.next()??, stores.collect::<Option<_>>()?))
}

impl House for Door<'_> {
    type Postbox = Chain<Store>;

    async fn admit(&self, login: &Login, client: IpAddr) -> Result<Chain<Store>, &'static str> {
        if !self.listener.allows_cleartext(client) {
            return Err(
                "passwords in clear are not taken from your network; the operator can list it in cleartext_from",
            );
        }
        let passwords: Vec<_> = login.passwords().cloned().collect();
        let verified =
            self.house.accounts.check(login.user.as_str(), &passwords).await.map_err(|_| REFUSAL)?;
        postbox(&self.house.config, verified.user()).ok_or(REFUSAL)
    }
}
