//! What a session may ask the house for: whether a login is good, and that account's mail.

use std::{future::Future, io::ErrorKind, path::PathBuf};

use pop2::Login;
use postbox::{Error, FolderName, Postbox, Store, Terms, USER, chain::Chain};
use tokio::{io::AsyncRead, time::Instant};

use crate::{
    accounts::{self, Accounts, Fields, Found, Lookup, Refused},
    config::{AccountsIn, Config, Listener},
    guard::{Counted, Guard, Patience},
    peer::Peer,
    recipients::{Aliases, AliasesError, Recipients, Target, Unknown},
    smtp::reply::Reply,
};

/// Why a login is not taken; it shows itself as the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A wrong password, an unknown user and a locked account, for which there is one text (`DECISIONS` 25).
    #[error("login refused: no such user, or another password")]
    Password,
    /// The password crossed the network in clear, and was not looked at (`DECISIONS` 28).
    #[error(
        "passwords in clear are not taken from your network; use TLS, or have the operator list it in cleartext_from"
    )]
    Cleartext,
    /// Too many have failed; this one was not looked at.
    #[error("too many failed logins; try again later")]
    Throttled,
    /// The account has all the sessions that it may.
    #[error("too many sessions of this account; end one, or try again later")]
    Sessions,
    /// It is not known where the account's mail is.
    #[error("your mailbox cannot be opened now; try again later")]
    Mail,
    /// The account cannot be looked up, so that the login is neither right nor wrong.
    #[error("your login cannot be checked now; try again later")]
    Accounts,
}

impl Refusal {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Password, Self::Cleartext, Self::Throttled, Self::Sessions, Self::Mail, Self::Accounts];

    /// In a word, for those who count.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Cleartext => "cleartext",
            Self::Throttled => "throttled",
            Self::Sessions => "sessions",
            Self::Mail => "mail",
            Self::Accounts => "accounts",
        }
    }
}

/// Who checks logins and opens mail.
pub trait House: Send + Sync {
    /// An account's mail.
    type Postbox: Postbox;

    /// Whether the login is good: then the account's mail, else what the client is told. It takes no longer than
    /// `until`, but for what a password's hash takes.
    fn admit(
        &self,
        login: &Login,
        client: Peer,
        until: Instant,
    ) -> impl Future<Output = Result<Admitted<Self::Postbox>, Refusal>> + Send;

    /// Mail that an account has under a name of the operator's choice, such as a path: its default mailbox is
    /// what the name means (`DECISIONS` 23).
    fn mapped(&self, account: &Admitted<Self::Postbox>, name: &str) -> Option<Self::Postbox>;
}

/// An account that has been logged in to. There is no way to mail but from here.
#[derive(Debug)]
pub struct Admitted<P> {
    /// Its user's name.
    pub user: String,
    /// Its mail.
    pub postbox: P,
    /// Its home, if it has one.
    pub home: Option<PathBuf>,
    /// The device whose password it was.
    pub device: Option<String>,
    /// Whether what is marked is kept all the same.
    pub read_only: bool,
    /// Its place among the sessions of the account, where they are counted.
    pub place: Option<Counted<String>>,
}

/// Who takes mail in.
pub trait PostOffice: Send + Sync {
    /// The mailboxes that an address stands for, which have room for a message of `size` octets (0 where that is
    /// not known), or what the client is told.
    fn resolve(&self, address: &str, size: u64) -> impl Future<Output = Result<Vec<Target>, Reply>> + Send;

    /// Delivers a message; it is durable when this returns. `id` is what the sender knows the delivery by if it tries
    /// again, where that is known.
    fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        target: &Target,
        message: R,
        id: Option<&str>,
    ) -> impl Future<Output = Result<(), Reply>> + Send;
}

/// The house that a configuration describes.
#[derive(Debug)]
pub struct Doghouse {
    accounts: Accounts,
    recipients: Recipients,
    config: Config,
}

/// A doghouse behind one of its doors.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// The house.
    pub house: &'a Doghouse,
    /// The listener that the client came by.
    pub listener: &'a Listener,
    /// Whether what the client says is hidden on its way.
    pub hidden: bool,
    /// Who else is there, and has been.
    pub guard: &'a Guard,
}

impl Doghouse {
    /// Joins what was loaded.
    #[must_use]
    pub fn new(config: Config, accounts: Accounts, recipients: Recipients) -> Self {
        Self { accounts, recipients, config }
    }

    /// The mailboxes that an address stands for.
    pub async fn recipients_of(&self, address: &str) -> Result<Vec<Target>, Unresolved> {
        self.resolve(address).await.map(|(targets, _)| targets)
    }

    /// The same, and what was found of their accounts.
    async fn resolve(&self, address: &str) -> Result<(Vec<Target>, Found), Unresolved> {
        let (targets, found) =
            self.accounts.answer(|is_user| self.recipients.resolve(address, is_user)).await?;
        Ok((targets?, found))
    }

    /// Delivers a message; it is durable when this returns. With the same `id` it is delivered once, into a store that
    /// keeps account of that. A folder that a stranger has named and that is not
    /// there is not made, unless the operator wants that: the message is for the default mailbox then.
    pub async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        target: &Target,
        message: R,
        id: Option<&str>,
    ) -> Result<(), Undelivered> {
        let postbox = postbox(&self.config, &self.accounts, &target.user).await?;
        let inbox = FolderName::inbox();
        let may_make = !target.by_stranger || self.config.delivery.make_folders;
        let is_there = may_make || postbox.folders().await?.contains(&target.folder);
        let folder = if is_there { &target.folder } else { &inbox };
        let terms = Terms { quota: self.config.quota, id };
        Ok(postbox.deliver_within(folder, message, terms).await?)
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

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// There is no mailbox to put it in.
    #[error(transparent)]
    Nowhere(#[from] NoMail),
    /// The mailbox does not take it.
    #[error(transparent)]
    Refused(#[from] postbox::Undelivered),
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Why it cannot be told whose mail an address is.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// It is nobody's here.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Accounts cannot be looked up.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
}

/// Why it cannot be told where an account's mail is.
#[derive(Debug, thiserror::Error)]
pub enum NoMail {
    /// There is no such account.
    #[error("there is no such mailbox")]
    Nobody,
    /// The accounts have something of this one that is not understood, or no home where one is needed.
    #[error(
        "the account does not say where its mail is: it needs a home, and fields that are understood; see doghouse check"
    )]
    NoPlace,
    /// The account cannot be looked up.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
}

/// An account's mail: where the users file says, else in the stores that the configuration names.
pub async fn postbox(config: &Config, accounts: &Accounts, user: &str) -> Result<Chain<Store>, NoMail> {
    found(config, user, accounts.look_up(user).await?)
}

/// The same, of an account that was looked up.
fn found(config: &Config, user: &str, lookup: Lookup) -> Result<Chain<Store>, NoMail> {
    match lookup {
        Lookup::Fields(fields) => open(config, user, &fields),
        Lookup::Unclear => Err(NoMail::NoPlace),
        // Whose mail may be there still.
        Lookup::Nobody => open(config, user, &Fields::default()),
    }
}

fn open(config: &Config, user: &str, fields: &Fields) -> Result<Chain<Store>, NoMail> {
    let home = fields.home.as_deref();
    let places = fields.mail.as_ref().map_or(config.mail.as_slice(), std::slice::from_ref);
    let mut stores = places.iter().map(|location| location.postbox(user, home));
    let first = stores.next().flatten().ok_or(NoMail::NoPlace)?;
    Ok(Chain::new(first, stores.collect::<Option<_>>().ok_or(NoMail::NoPlace)?))
}

/// The users of a configuration. This reads its files; it does not ask its database.
pub fn accounts(config: &Config) -> Result<Accounts, accounts::Error> {
    match &config.accounts {
        AccountsIn::Files => Accounts::load(&config.passwd_file, &config.devices_file, config.remember),
        AccountsIn::Database(database) => Accounts::in_database(database.clone(), config.remember),
    }
}

/// How a configuration has addresses read. This reads its aliases file.
pub fn recipients(config: &Config) -> Result<Recipients, AliasesError> {
    let delivery = &config.delivery;
    let aliases = match &delivery.aliases {
        Some(path) => Aliases::load(path, &delivery.domains)?,
        None => Aliases::default(),
    };
    Ok(Recipients { domains: delivery.domains.clone(), delimiter: delivery.delimiter, aliases })
}

impl PostOffice for Doghouse {
    async fn resolve(&self, address: &str, size: u64) -> Result<Vec<Target>, Reply> {
        let (targets, accounts) =
            Self::resolve(self, address).await.map_err(|unresolved| match unresolved {
                Unresolved::Unknown(unknown) => match unknown {
                    Unknown::Domain(_) => Reply::new(550, "5.7.1", unknown),
                    Unknown::User(_) | Unknown::Folder(..) => Reply::new(550, "5.1.1", unknown),
                    // The operator's mistake, which may be mended before the sender gives up.
                    Unknown::Round(_) => Reply::new(451, "4.2.4", unknown),
                },
                Unresolved::Accounts(error) => not_looked_up(&error),
            })?;
        for target in &targets {
            let room = match found(&self.config, &target.user, accounts.look_up(&target.user)) {
                Ok(postbox) => self.config.quota.room(&postbox, size).await.map_err(Undelivered::from),
                Err(nowhere) => Err(nowhere.into()),
            };
            room.map_err(|undelivered| explain(target, &undelivered))?;
        }
        Ok(targets)
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        target: &Target,
        message: R,
        id: Option<&str>,
    ) -> Result<(), Reply> {
        let delivered = Self::deliver(self, target, message, id).await;
        delivered.map_err(|undelivered| explain(target, &undelivered))
    }
}

/// What a client is told that would deliver to an account that cannot be looked up, and the log.
fn not_looked_up(error: &accounts::Error) -> Reply {
    tracing::error!(%error, "cannot look up an account");
    Reply::new(451, "4.3.0", "the recipient cannot be looked up now; try again later")
}

/// What a client is told that would deliver, and the log.
fn explain(target: &Target, undelivered: &Undelivered) -> Reply {
    let (user, folder) = (&target.user, &target.folder);
    match undelivered {
        Undelivered::Nowhere(NoMail::Nobody) => Reply::new(550, "5.1.1", undelivered),
        Undelivered::Nowhere(NoMail::NoPlace) => {
            tracing::error!(?user, "it is not known where an account's mail is; see doghouse check");
            Reply::new(451, "4.3.5", "the message cannot be delivered now; try again later")
        }
        Undelivered::Nowhere(NoMail::Accounts(error)) => not_looked_up(error),
        Undelivered::Refused(postbox::Undelivered::Full) => {
            tracing::warn!(?user, "mailbox full");
            Reply::new(452, "4.2.2", undelivered)
        }
        Undelivered::Refused(postbox::Undelivered::TooLarge(_)) => Reply::new(552, "5.2.3", undelivered),
        Undelivered::Refused(postbox::Undelivered::Store(error)) => {
            // Whatever is wrong here is the operator's to mend: nothing goes back to its sender for it.
            tracing::error!(?user, %folder, %error, "cannot deliver");
            match error {
                Error::Io { source, .. }
                    if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
                {
                    Reply::new(452, "4.3.1", "there is no room for the message now; try again later")
                }
                Error::Reserved { .. } => Reply::new(550, "5.1.1", "there can be no folder of that name"),
                _ => Reply::new(451, "4.3.0", "the message cannot be delivered now; try again later"),
            }
        }
    }
}

impl House for Door<'_> {
    type Postbox = Chain<Store>;

    async fn admit(
        &self,
        login: &Login,
        client: Peer,
        until: Instant,
    ) -> Result<Admitted<Chain<Store>>, Refusal> {
        if !self.hidden && !self.listener.allows_cleartext(client) {
            return Err(Refusal::Cleartext);
        }
        let (user, limits) = (login.user.as_str(), &self.house.config.limits);
        let patience = Patience { free: limits.login_failures, longest: limits.login_delay };
        let passwords: Vec<_> = login.passwords().cloned().collect();
        let check = self.house.accounts.check(user, &passwords, client, until);
        let checked = self.guard.logins.check((user, client.block()), patience, until, check).await;
        let verified = checked.map_err(|_too_many| Refusal::Throttled)?.map_err(|refused| match refused {
            Refused::Wrong => Refusal::Password,
            Refused::Unchecked => Refusal::Accounts,
        })?;
        let user = verified.user().to_owned();
        let place = self.guard.accounts.take(&user, limits.sessions_per_account);
        let place = place.ok_or(Refusal::Sessions)?;
        let (device, read_only) = (verified.device().map(str::to_owned), verified.read_only());
        let fields = verified.into_fields();
        let postbox = open(&self.house.config, &user, &fields).map_err(|error| {
            tracing::error!(?user, %error, "cannot open the mail of an account");
            Refusal::Mail
        })?;
        if let Some(device) = &device {
            self.guard.last_use.note(&user, device, client);
        }
        Ok(Admitted { user, postbox, home: fields.home, device, read_only, place: Some(place) })
    }

    fn mapped(
        &self,
        Admitted { user, home, .. }: &Admitted<Chain<Store>>,
        name: &str,
    ) -> Option<Chain<Store>> {
        let folders = &self.house.config.folders;
        let (_, location) = folders.iter().find(|(own, _)| own.replace(USER, user) == name)?;
        Some(Chain::new(location.postbox(user, home.as_deref())?, Vec::new()))
    }
}
