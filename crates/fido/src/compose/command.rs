//! `fido send` and `fido write`.

use std::{
    fmt,
    io::{self, BufRead, Read, Write},
};

use super::{
    Draft, Kept, Letter, Outbox,
    edit::{self, edit},
    raw::Raw,
    refused, screen, sending,
};
use crate::{
    Exit, Failure,
    args::{Heading, Send, Writing},
    config::{Config, Profile},
    message::one_line,
};

/// Octets of a message that is read from standard input.
const MAX_INPUT: u64 = 256 * 1024 * 1024;

impl Heading {
    fn is_given(&self) -> bool {
        !(self.to.is_empty() && self.cc.is_empty() && self.bcc.is_empty() && self.attach.is_empty())
            || self.subject.is_some()
    }

    fn put(&self, draft: &mut Draft) -> Result<(), Failure> {
        for (field, given) in
            [(&mut draft.to, &self.to), (&mut draft.cc, &self.cc), (&mut draft.bcc, &self.bcc)]
        {
            if !given.is_empty() {
                *field = given.join(", ");
            }
        }
        if let Some(subject) = &self.subject {
            draft.subject.clone_from(subject);
        }
        self.attach.iter().try_for_each(|path| {
            // The draft may be sent from another folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            draft.attach(&path)
        })
    }
}

/// Reads a message from standard input and sends it.
pub async fn send(config: &Config, send: &Send) -> Result<(), Failure> {
    let profile = chosen(config, send.heading.account.as_deref())?;
    let outbox = Outbox::open(&profile)?;
    let mut input = Vec::new();
    let read = io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut input);
    read.map_err(|error| Failure::new(Exit::Io, format!("cannot read the message: {error}")))?;
    if input.len() as u64 > MAX_INPUT {
        return Err(Failure::new(Exit::Usage, "the message has more than 256 MiB"));
    }
    let letter = if send.heading.is_given() {
        let body = String::from_utf8(input).map_err(|_| {
            Failure::new(Exit::Usage, "the text on standard input is not UTF-8; convert it (iconv)")
        })?;
        let mut draft = Draft { body, ..Draft::new(&profile)? };
        send.heading.put(&mut draft)?;
        Letter::Draft(draft)
    } else {
        Letter::Raw(Raw::new(&input, sending(&profile)?.from.clone()))
    };
    let taken = dispatch(&outbox, &letter, None).await?;
    eprintln!("fido: {}", Done::Sent(taken));
    Ok(())
}

/// Sends a letter, and tells to whom.
async fn dispatch(outbox: &Outbox, letter: &Letter, kept: Option<&Kept>) -> Result<Vec<String>, Failure> {
    // It is kept before anything can fail, the password's command too.
    let kept = outbox.save(letter, kept)?;
    if let Letter::Draft(draft) = letter
        && let Some(warning) = draft.warning()
    {
        eprintln!("fido: {warning}");
    }
    let password = outbox
        .password()
        .map_err(|failure| failure.and(&format!("the message is in {}", outbox.drafts())))?;
    let delivered = outbox.send(letter, Some(&kept), password.as_ref()).await?;
    refused(&delivered, outbox)?;
    Ok(delivered.taken)
}

/// Has a message written in an editor, and asks what to do with it.
pub async fn write(config: &Config, write: &Writing) -> Result<(), Failure> {
    let profile = chosen(config, write.heading.account.as_deref())?;
    let outbox = Outbox::open(&profile)?;
    let (kept, mut draft) = match write.resume.then(|| outbox.newest()).transpose()?.flatten() {
        Some((kept, draft)) => (Some(kept), draft),
        None if write.resume => {
            return Err(Failure::new(Exit::Usage, format!("there is no draft in {}", outbox.drafts())));
        }
        None => (None, Draft::new(&profile)?),
    };
    write.heading.put(&mut draft)?;
    // Once the editor on the screen has waited for signals, they would not end this program any more.
    screen::watch_signals(true)?;
    let done = finish(&outbox, draft, kept).await?;
    eprintln!("fido: {done}");
    Ok(())
}

/// What has become of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was sent to these addresses.
    Sent(Vec<String>),
    /// It is in this folder.
    Kept(String),
    /// It is gone, as its writer wanted.
    ThrownAway,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(to) => write!(f, "sent to {}", to.join(", ")),
            Self::Kept(folder) => write!(f, "the draft is in {folder}"),
            Self::ThrownAway => f.write_str("thrown away"),
        }
    }
}

/// Has a draft edited, and asks on the terminal what to do with it.
pub async fn finish(outbox: &Outbox, mut draft: Draft, mut kept: Option<Kept>) -> Result<Done, Failure> {
    let mut editor = edit::chosen(outbox.editor());
    loop {
        let (edited, saved) = edit(&mut *editor, outbox, &draft, kept.as_ref())?;
        draft = edited;
        eprintln!("{}", summary(&draft));
        match answer("[s]end, [e]dit again, [k]eep as a draft, or [t]hrow away? ").as_deref() {
            Some("s" | "send") => {
                return dispatch(outbox, &Letter::Draft(draft), Some(&saved)).await.map(Done::Sent);
            }
            Some("t" | "throw away") => {
                outbox.discard(&saved)?;
                return Ok(Done::ThrownAway);
            }
            Some("e" | "edit") => kept = Some(saved),
            _ => return Ok(Done::Kept(outbox.drafts().clone())),
        }
    }
}

/// A draft in a line, for whoever decides what to do with it.
fn summary(draft: &Draft) -> String {
    let fields = [&draft.to, &draft.cc, &draft.bcc].map(|field| field.trim());
    let to: Vec<&str> = fields.into_iter().filter(|field| !field.is_empty()).collect();
    let to = if to.is_empty() { "nobody yet".to_owned() } else { to.join(", ") };
    let subject = if draft.subject.is_empty() { "(no subject)" } else { &draft.subject };
    let files = match draft.attachments.len() + usize::from(draft.forwarded.is_some()) {
        0 => String::new(),
        1 => ", with 1 attachment".to_owned(),
        many => format!(", with {many} attachments"),
    };
    one_line(&format!("To {to}: {subject}{files}"))
}

/// What a person answers; `None` where there are no more answers.
pub(super) fn answer(question: &str) -> Option<String> {
    eprint!("{question}");
    // Where the question cannot be shown, there is still the answer.
    let _ = io::stderr().flush();
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(answer.trim().to_lowercase()),
    }
}

/// The account that sends: the one that is named, or the only one that can.
fn chosen(config: &Config, name: Option<&str>) -> Result<Profile, Failure> {
    if let Some(name) = name {
        return config.account(name);
    }
    let mut can = config.accounts.values().filter(|profile| profile.smtp.is_some());
    match (can.next(), can.next()) {
        (Some(profile), None) => Ok(profile.clone()),
        (None, _) => {
            let text = "no account can send: the configuration has no [account.NAME.smtp]; write one, with host and from";
            Err(Failure::new(Exit::Config, text))
        }
        _ => Err(Failure::new(Exit::Usage, "several accounts can send; name one with --account")),
    }
}
