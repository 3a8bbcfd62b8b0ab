//! `doghouse mailbox`: mail as the operator sees it.

use std::io::{BufRead, IsTerminal};

use postbox::{FolderName, Mailbox as _, Marks, Postbox, Store, chain::Chain};
use serde::Serialize;

use super::output::{say, say_json};
use crate::{
    accounts::{Accounts, Names},
    cli::{ConfigFile, Mailbox, OneFolder, Users},
    config::Config,
    exit::{self, Failure, OrExit},
    house::{self, NoMail},
    transfer::{self, Tally},
};

mod progress;

use progress::Progress;

pub(super) async fn run(command: &Mailbox) -> Result<(), Failure> {
    match command {
        Mailbox::List(users) => list(users).await,
        Mailbox::Count(folder) => count(folder).await,
        Mailbox::Import { store, to } => import(store, to).await,
        Mailbox::Export { store, from } => export(store, from).await,
        Mailbox::Verify(users) => verify(users).await,
        Mailbox::Purge { folder, keep, yes } => purge(folder, *keep, *yes).await,
    }
}

/// What the configuration says of mail.
struct Site {
    config: Config,
    accounts: Accounts,
}

impl Site {
    fn load(file: &ConfigFile) -> Result<Self, Failure> {
        let config = Config::load(&file.path).or_exit(exit::CONFIG)?;
        let accounts = house::accounts(&config).or_exit(exit::CONFIG)?;
        Ok(Self { config, accounts })
    }

    /// The mail of a user, who may have been removed: the mail stays then.
    async fn mail_of(&self, user: &str) -> Result<Chain<Store>, Failure> {
        let nobody = || Failure::new(exit::NO_USER, format!("there is no user {user:?}, and no mail of one"));
        let is_user = self.contains(user).await?;
        let mail =
            house::postbox(&self.config, &self.accounts, user).await.map_err(|nowhere| match nowhere {
                NoMail::Accounts(error) => Failure::new(exit::UNAVAILABLE, error),
                nowhere if is_user => Failure::new(exit::CONFIG, format!("{user}: {nowhere}")),
                _ => nobody(),
            })?;
        if !is_user {
            let folders = mail.folders().await.or_exit(exit::IO)?;
            if folders.len() < 2 && mail.select(&FolderName::inbox()).await.or_exit(exit::IO)?.count() == 0 {
                return Err(nobody());
            }
        }
        Ok(mail)
    }

    /// Those who were named, or everybody.
    fn users(&self, arguments: &Users) -> Names {
        if arguments.users.is_empty() { self.accounts.names() } else { arguments.users.clone().into() }
    }

    async fn contains(&self, user: &str) -> Result<bool, Failure> {
        self.accounts.contains(user).await.or_exit(exit::UNAVAILABLE)
    }
}

/// A folder in a list.
#[derive(Debug, Serialize)]
struct Row {
    user: String,
    folder: String,
    messages: u32,
    /// As they are stored.
    octets: u64,
}

async fn list(arguments: &Users) -> Result<(), Failure> {
    let site = Site::load(&arguments.config)?;
    let (mut rows, mut users) = (Vec::new(), site.users(arguments));
    while let Some(user) = users.next().await.or_exit(exit::UNAVAILABLE)? {
        let mail = site.mail_of(&user).await?;
        for folder in mail.folders().await.or_exit(exit::IO)? {
            let mut mailbox = mail.select(&folder).await.or_exit(exit::IO)?;
            let (messages, octets) = (mailbox.count(), mailbox.size().await.or_exit(exit::IO)?);
            rows.push(Row { user: user.clone(), folder: folder.to_string(), messages, octets });
        }
    }
    if arguments.json {
        return say_json(&rows);
    }
    let width = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).len()).max().unwrap_or_default();
    let (users, folders) = (width(|row| &row.user).max(4), width(|row| &row.folder).max(6));
    let head = format!("{:users$}  {:folders$}  MESSAGES        OCTETS", "USER", "FOLDER");
    let lines = rows.iter().map(|Row { user, folder, messages, octets }| {
        format!("{user:users$}  {folder:folders$}  {messages:8}  {octets:12}")
    });
    say(&(std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n") + "\n"))
}

async fn count(arguments: &OneFolder) -> Result<(), Failure> {
    let site = Site::load(&arguments.config)?;
    let folder = folder(arguments)?.unwrap_or_else(FolderName::inbox);
    let mail = site.mail_of(&arguments.user).await?;
    let mut mailbox = mail.select(&folder).await.or_exit(exit::IO)?;
    let messages = mailbox.count();
    if arguments.json {
        let octets = mailbox.size().await.or_exit(exit::IO)?;
        return say_json(&Row { user: arguments.user.clone(), folder: folder.to_string(), messages, octets });
    }
    say(&format!("{messages}\n"))
}

/// What came of a folder.
#[derive(Debug, Serialize)]
struct Outcome {
    user: String,
    folder: String,
    #[serde(flatten)]
    tally: Tally,
}

async fn import(store: &str, to: &OneFolder) -> Result<(), Failure> {
    let site = Site::load(&to.config)?;
    if !site.contains(&to.user).await? {
        return Err(Failure::new(exit::NO_USER, format!("there is no user {:?}", to.user)));
    }
    let mail = site.mail_of(&to.user).await?;
    let source = other(store)?;
    let path = store.split_once(':').map_or(store, |(_, path)| path);
    std::fs::symlink_metadata(path).map_err(|error| {
        Failure::new(exit::IO, format!("cannot read {path}: {error}; name the place where the mail is"))
    })?;
    let pairs = match folder(to)? {
        Some(folder) => vec![(FolderName::inbox(), folder)],
        None => same(source.folders().await.or_exit(exit::IO)?),
    };
    copy(&source, &mail, pairs, to).await
}

async fn export(store: &str, from: &OneFolder) -> Result<(), Failure> {
    let site = Site::load(&from.config)?;
    let mail = site.mail_of(&from.user).await?;
    let pairs = match folder(from)? {
        Some(folder) => vec![(folder, FolderName::inbox())],
        None => same(mail.folders().await.or_exit(exit::IO)?),
    };
    copy(&mail, &other(store)?, pairs, from).await
}

fn other(store: &str) -> Result<Store, Failure> {
    Store::parse(store, "".as_ref()).or_exit(exit::USAGE)
}

fn same(folders: Vec<FolderName>) -> Vec<(FolderName, FolderName)> {
    folders.into_iter().map(|folder| (folder.clone(), folder)).collect()
}

async fn copy(
    from: &impl Postbox,
    to: &impl Postbox,
    pairs: Vec<(FolderName, FolderName)>,
    arguments: &OneFolder,
) -> Result<(), Failure> {
    let (mut outcomes, mut progress) = (Vec::new(), Progress::new());
    for (source, target) in pairs {
        let tally = transfer::copy((from, &source), (to, &target), progress.of(&target)).await;
        let tally = tally.map_err(|error| {
            Failure::new(exit::IO, format!("{error}; what was copied until then is there: run it again"))
        })?;
        let is_end = tally.interrupted;
        outcomes.push(Outcome { user: arguments.user.clone(), folder: target.to_string(), tally });
        if is_end {
            break;
        }
    }
    drop(progress);
    conclude(&outcomes, arguments.json, |folder, Tally { copied, there, octets, .. }| {
        format!("{folder}: {copied} messages copied, {octets} octets; {there} were there already\n")
    })
}

async fn verify(arguments: &Users) -> Result<(), Failure> {
    let site = Site::load(&arguments.config)?;
    let (mut outcomes, mut progress) = (Vec::new(), Progress::new());
    let mut users = site.users(arguments);
    'users: while let Some(user) = users.next().await.or_exit(exit::UNAVAILABLE)? {
        let mail = site.mail_of(&user).await?;
        for folder in mail.folders().await.or_exit(exit::IO)? {
            let verified = transfer::verify(&mail, &folder, progress.of(&folder)).await;
            let tally = verified
                .unwrap_or_else(|error| Tally { faults: vec![error.to_string()], ..Tally::default() });
            let is_end = tally.interrupted;
            outcomes.push(Outcome { user: user.clone(), folder: folder.to_string(), tally });
            if is_end {
                break 'users;
            }
        }
    }
    drop(progress);
    conclude(&outcomes, arguments.json, |folder, Tally { there, octets, .. }| {
        format!("{folder}: {there} messages read, {octets} octets\n")
    })
}

/// Says what came of it; a failure where not all is well.
fn conclude(outcomes: &[Outcome], json: bool, line: impl Fn(&str, &Tally) -> String) -> Result<(), Failure> {
    if json {
        say_json(outcomes)?;
    } else {
        let lines =
            outcomes.iter().map(|Outcome { user, folder, tally }| line(&format!("{user} {folder}"), tally));
        say(&lines.collect::<String>())?;
    }
    let faults: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.tally.faults).collect();
    for fault in &faults {
        eprintln!("fault: {}", exit::printable(fault));
    }
    if outcomes.iter().any(|outcome| outcome.tally.interrupted) {
        return Err(Failure::new(exit::TEMPORARY, "interrupted; run it again to go on"));
    }
    match faults.len() {
        0 => Ok(()),
        1 => Err(Failure::new(exit::DATA, "1 fault")),
        count => Err(Failure::new(exit::DATA, format!("{count} faults"))),
    }
}

async fn purge(arguments: &OneFolder, keep: u32, yes: bool) -> Result<(), Failure> {
    let site = Site::load(&arguments.config)?;
    let folder = folder(arguments)?.unwrap_or_else(FolderName::inbox);
    let mail = site.mail_of(&arguments.user).await?;
    let mailbox = mail.select(&folder).await.or_exit(exit::IO)?;
    let gone = mailbox.count().saturating_sub(keep);
    if gone > 0 && !yes {
        ask(&format!("Delete {gone} of {} messages in {} {folder}?", mailbox.count(), arguments.user))?;
    }
    let marks: Marks = (1..=gone).filter_map(std::num::NonZeroU32::new).collect();
    let released = mailbox.release(&marks).await;
    for fault in &released.faults {
        eprintln!("fault: {}", exit::printable(&fault.to_string()));
    }
    let deleted = marks.len() - released.kept.min(marks.len());
    if arguments.json {
        let (user, folder) = (arguments.user.clone(), folder.to_string());
        say_json(&Purged { user, folder, deleted, kept: released.kept })?;
    } else {
        say(&format!("{} {folder}: {deleted} messages deleted\n", arguments.user))?;
    }
    match released.kept {
        0 => Ok(()),
        kept => {
            Err(Failure::new(exit::IO, format!("{kept} messages could not be deleted and are still there")))
        }
    }
}

/// What a purge did.
#[derive(Debug, Serialize)]
struct Purged {
    user: String,
    folder: String,
    deleted: usize,
    /// Messages that could not be deleted.
    kept: usize,
}

/// Asks whoever sits there; where nobody does, nothing is deleted.
fn ask(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(exit::USAGE, format!("{question} Say so with --yes")));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).or_exit(exit::IO)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(exit::USAGE, "nothing was deleted"))
}

fn folder(arguments: &OneFolder) -> Result<Option<FolderName>, Failure> {
    let Some(name) = &arguments.folder else { return Ok(None) };
    let folder = FolderName::parse(name);
    folder.map(Some).map_err(|error| Failure::new(exit::USAGE, format!("--folder {name:?}: {error}")))
}
