//! Where mail lies until it is sent, and afterwards: the folders Drafts and Sent of the local copy.

use std::{fs, io::Read, os::unix::fs::DirBuilderExt, path::PathBuf};

use pop2::Secret;

use super::{
    Draft, Ready,
    raw::Raw,
    sending,
    smtp::{Delivered, Session, refusals},
};
use crate::{
    Exit, Failure,
    config::{Editor, Profile, Smtp},
    local::{Flags, Local, Name},
    password, paths,
    sink::Target,
};

/// What is sent: a draft, or a message that came whole.
#[derive(Debug, Clone)]
pub enum Letter {
    /// Written here.
    Draft(Draft),
    /// As it came.
    Raw(Raw),
}

impl Letter {
    /// The message that keeps it in Drafts.
    pub fn to_message(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Draft(draft) => draft.to_message(),
            Self::Raw(raw) => raw.to_message(),
        }
    }

    /// The message that is sent.
    pub fn build(&self) -> Result<Ready, Failure> {
        match self {
            Self::Draft(draft) => draft.build(),
            Self::Raw(raw) => raw.build(),
        }
    }

    /// The same for these addresses alone.
    fn only(&self, addresses: &[String]) -> Self {
        match self {
            Self::Draft(draft) => Self::Draft(Draft {
                to: addresses.join(", "),
                cc: String::new(),
                bcc: String::new(),
                ..draft.clone()
            }),
            Self::Raw(raw) => Self::Raw(raw.only(addresses)),
        }
    }
}

/// A draft that lies in Drafts: the part of its name that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept(Box<[u8]>);

impl Kept {
    /// The draft with this unique name, as [`local::Entry::unique`](crate::local::Entry::unique) has it.
    #[must_use]
    pub fn named(unique: &[u8]) -> Self {
        Self(unique.into())
    }
}

/// Drafts and Sent of an account, and its way out.
#[derive(Debug, Clone)]
pub struct Outbox {
    local: Local,
    smtp: Smtp,
}

impl Outbox {
    /// That of an account that can send: in the Maildir where its mail goes, else in one of fido's own. What is not
    /// there yet is made.
    pub fn open(profile: &Profile) -> Result<Self, Failure> {
        let smtp = sending(profile)?.clone();
        let path = place(profile)?;
        for part in ["tmp", "new", "cur"] {
            let part = path.join(part);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&part);
            made.map_err(|error| {
                let text = format!("cannot make {} for drafts: {error}", part.display());
                Failure::new(Exit::CannotCreate, text)
            })?;
        }
        let local = Local::open(path)?;
        local.make_folder(&smtp.drafts)?;
        local.make_folder(&smtp.sent)?;
        Ok(Self { local, smtp })
    }

    /// Keeps a letter in Drafts; the older form of it is removed once the new one is on the disk.
    pub fn save(&self, letter: &Letter, older: Option<&Kept>) -> Result<Kept, Failure> {
        self.keep(&letter.to_message()?, older)
    }

    fn keep(&self, message: &[u8], older: Option<&Kept>) -> Result<Kept, Failure> {
        let kept = self.put(&self.smtp.drafts, message, Flags::DRAFT)?;
        if let Some(older) = older {
            self.discard(older)?;
        }
        Ok(kept)
    }

    /// Takes a draft out of Drafts. One that is gone already is no error.
    pub fn discard(&self, kept: &Kept) -> Result<(), Failure> {
        let mut folder = self.local.folder(&self.smtp.drafts, |_, _| {})?;
        match folder.position(&kept.0) {
            Some(at) => folder.remove(&[at]).fault.map_or(Ok(()), |fault| Err(fault.into())),
            None => Ok(()),
        }
    }

    /// The draft that was put into Drafts last, and where it lies; `None` where there is none.
    pub fn newest(&self) -> Result<Option<(Kept, Draft)>, Failure> {
        let mut folder = self.local.folder(&self.smtp.drafts, |_, _| {})?;
        let Some(at) = folder.entries().len().checked_sub(1) else { return Ok(None) };
        let kept = folder.entries().get(at).map(|entry| Kept::named(entry.unique()));
        let (Some(kept), Some(mut file)) = (kept, folder.open_message(at)?) else { return Ok(None) };
        let mut message = Vec::new();
        file.read_to_end(&mut message)
            .map_err(|error| Failure::new(Exit::Io, format!("cannot read the draft: {error}")))?;
        Ok(Some((kept, Draft::from_message(&message, &self.smtp.from)?)))
    }

    /// The editor that is configured.
    #[must_use]
    pub fn editor(&self) -> Option<&Editor> {
        self.smtp.editor.as_ref()
    }

    /// The password, if one is needed: from its command, or from whoever sits at the terminal.
    pub fn password(&self) -> Result<Option<Secret>, Failure> {
        let login = self.smtp.login.as_ref();
        login.map(|(user, source)| password::get(source, user, &self.smtp.host)).transpose()
    }

    /// Sends a letter. It is put into Drafts first, in place of `older`, and is there until it is in Sent, as it
    /// was sent. What the server has refused for some addresses stays in Drafts for those.
    ///
    /// # Errors
    /// With what went wrong; where the letter then lies, the failure says.
    pub async fn send(
        &self,
        letter: &Letter,
        older: Option<&Kept>,
        password: Option<&Secret>,
    ) -> Result<Delivered, Failure> {
        let kept = self.save(letter, older)?;
        let stays = |failure: Failure| failure.and(&format!("the message is in {}", self.drafts()));
        let ready = letter.build().map_err(stays)?;
        let delivered = self.hand_over(&ready, password).await.map_err(stays)?;
        let stored = if delivered.refused.is_empty() {
            Ok(())
        } else {
            let left: Vec<String> = delivered.refused.iter().map(|one| one.address.clone()).collect();
            self.save(&letter.only(&left), None).map(|_| ())
        };
        let stored = stored.and_then(|()| self.put(&self.smtp.sent, &ready.octets, Flags::SEEN));
        stored.and_then(|_| self.discard(&kept)).map_err(|failure| {
            stays(failure.and("the message was sent all the same: do not send it again"))
        })?;
        Ok(delivered)
    }

    async fn hand_over(&self, ready: &Ready, password: Option<&Secret>) -> Result<Delivered, Failure> {
        let login = self.smtp.login.as_ref().map(|(user, _)| user).zip(password);
        let mut session = Session::open(&self.smtp, login).await?;
        let delivered = session.send(ready).await;
        session.quit().await;
        delivered
    }

    /// Where drafts are, for messages to people.
    #[must_use]
    pub fn drafts(&self) -> String {
        format!("the folder {} of {}", self.smtp.drafts, self.local.path().display())
    }

    fn put(&self, name: &Name, message: &[u8], flags: Flags) -> Result<Kept, Failure> {
        let mut folder = self.local.folder(name, |_, _| {})?;
        let at = folder.add(message, flags)?;
        let entry = folder.entries().get(at).map(|entry| Kept::named(entry.unique()));
        entry.ok_or_else(|| Failure::new(Exit::Software, "a message that was stored is not there"))
    }
}

/// What a person is told of addresses that were refused, and how `fido` ends then.
pub fn refused(delivered: &Delivered, outbox: &Outbox) -> Result<(), Failure> {
    if delivered.refused.is_empty() {
        return Ok(());
    }
    let is_permanent = delivered.refused.iter().any(|one| one.is_permanent);
    let text = format!(
        "sent to {}, but refused for {}; a draft for the refused ones is in {}",
        delivered.taken.join(", "),
        refusals(&delivered.refused),
        outbox.drafts()
    );
    Err(Failure::new(if is_permanent { Exit::Unavailable } else { Exit::Temporary }, text))
}

fn place(profile: &Profile) -> Result<PathBuf, Failure> {
    if let Some(Target::Store { kind, path }) = &profile.to
        && kind == "maildir"
    {
        return Ok(path.clone());
    }
    paths::data().map(|data| data.join(&profile.name)).ok_or_else(|| {
        let text =
            format!("there is no place for drafts: give the account {} to = \"maildir:...\"", profile.name);
        Failure::new(Exit::Config, text)
    })
}
