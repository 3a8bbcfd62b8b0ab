//! The command line. Help comes from these comments.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};
use pop2::{MailboxName, User};

use crate::{config::Profile, fetch::duration, password::Source, sink::Target, tls::Fingerprint};

/// Reads mail, and fetches it from a POP2 mailbox server (RFC 937).
///
/// Without a command, a full-screen reader shows the mail that is here; ? there lists its keys.
///
/// The exit code is 0, or one of sysexits: 64 usage, 68 no such host, 69 nothing answers there, 73 and 74 the
/// mail cannot be written here, 75 try again later, 76 the server does not speak POP2 or is not trusted, 77 the login
/// is refused, 78 the configuration is wrong.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Fido {
    /// The configuration file; ~/.config/fido/config.toml without this.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which mail is read.
    #[command(flatten)]
    pub reader: Reader,
    /// What to do; without this, mail is read.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// `fido` without a command
#[derive(Debug, Args)]
pub struct Reader {
    /// Read the mail of this account; the first one of the configuration without this.
    #[arg(long, value_name = "NAME", conflicts_with = "mail")]
    pub account: Option<String>,
    /// Read this Maildir, which needs no account.
    #[arg(long, value_name = "MAILDIR")]
    pub mail: Option<PathBuf>,
}

/// What fido does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say how many messages there are.
    Check(Check),
    /// Fetch new messages.
    ///
    /// POP2 does not tell which messages are new: fido remembers what it has fetched to a place. A message is acknowledged to the server only once it is safe where it goes. Messages travel with CR LF
    /// and are stored with LF.
    Fetch(Fetch),
    /// Make an account: asks, tries the connection, shows the certificate, and writes the configuration.
    ///
    /// Where standard input is no terminal the answers are its lines.
    Setup,
    /// Show the accounts of the configuration.
    Accounts {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Talk to the server by hand, with the wire shown.
    ///
    /// Lines are read from standard input and sent as they are, right or wrong, each after the answer to the
    /// one before. Where standard input is a terminal, HELO without a password asks for it.
    Talk(Talk),
    /// Say what the server does, case by case, without harm to the mailbox.
    ///
    /// Each case is held against RFC 937, which the server keeps or differs from, or which is silent. Nothing is
    /// marked for deletion; one small message is retrieved, which some servers then count as seen. One login of a user
    /// that cannot exist is tried: a server may slow down whoever guesses. The exit code is 0 whatever is found.
    Probe(Probe),
    /// Send a message from standard input.
    ///
    /// It is a whole message, header and body, for those whom its To, Cc and Bcc name; or, with --to or another of these
    /// options, the text alone. It lies in Drafts until the server has taken it, and in Sent afterwards. The exit code
    /// is 69 where the server refuses it for good, 75 where it may go later, 76 where the server is not trusted, 77
    /// where it refuses the login.
    Send(Send),
    /// Write a message, and send it: in $VISUAL, $EDITOR, or the editor that is built in.
    Write(Writing),
}

/// `fido check`
#[derive(Debug, Args)]
pub struct Check {
    /// Whose mail.
    #[command(flatten)]
    pub accounts: Accounts,
    /// Which folders.
    #[command(flatten)]
    pub folders: Folders,
}

/// `fido fetch`
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // they are flags
pub struct Fetch {
    /// Whose mail.
    #[command(flatten)]
    pub accounts: Accounts,
    /// Which folders.
    #[command(flatten)]
    pub folders: Folders,
    /// Keep the messages on the server (this is the default, unless the configuration says otherwise).
    #[arg(long, conflicts_with = "delete")]
    pub keep: bool,
    /// Delete each message on the server once it is safe here.
    #[arg(long)]
    pub delete: bool,
    /// Where the messages go, if not where the configuration says: maildir:PATH, mbox:PATH, mh:PATH, mtx:PATH, or - for
    /// standard output.
    ///
    /// What is named is made where it is not there; the folder that it is to be in must exist. An mbox is written
    /// in mboxrd form, under an fcntl lock and a dotlock. Standard output becomes an mbox stream. A
    /// message counts as safe once it is synced, or, where standard output is no plain file, once the program
    /// behind the pipe has taken it: use --delete there only if you trust that program.
    #[arg(long, value_name = "TARGET", value_parser = OsStringValueParser::new().try_map(|text| Target::parse(&text)))]
    pub to: Option<Target>,
    /// Give each message to this shell command on its standard input; it is safe once that ends with 0.
    #[arg(long, value_name = "CMD", conflicts_with = "to")]
    pub mda: Option<String>,
    /// Fetch all messages, whatever is here already.
    #[arg(long)]
    pub all: bool,
    /// Retrieve all messages, and store those that are not here: for a mailbox in which others put messages in the
    /// place of others.
    #[arg(long, conflicts_with = "all")]
    pub verify: bool,
    /// Look at the last messages of the mailbox only, so many.
    #[arg(long, value_name = "N")]
    pub newest: Option<u32>,
    /// Fetch at most so many messages this time, from each folder.
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// Leave messages with more octets than this on the server, and say so.
    #[arg(long, value_name = "OCTETS")]
    pub max_size: Option<u64>,
    /// End with 1 where there was no new message.
    #[arg(long)]
    pub exit_empty: bool,
    /// Go on, and fetch again after this time: 90s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "exit_empty")]
    pub every: Option<Duration>,
    /// Write JSON to standard output, an object for each account.
    #[arg(long)]
    pub json: bool,
}

/// `fido talk`
#[derive(Debug, Args)]
pub struct Talk {
    /// An account of the configuration, or a server: host or host:port, an IPv6 address with a port in brackets.
    #[arg(value_name = "ACCOUNT|HOST")]
    pub name: String,
    /// How to come to the server.
    #[command(flatten)]
    pub way: Way,
    /// Who logs in first.
    #[command(flatten)]
    pub login: Login,
}

/// `fido probe`
#[derive(Debug, Args)]
pub struct Probe {
    /// An account of the configuration, or a server: host or host:port, an IPv6 address with a port in brackets.
    #[arg(value_name = "ACCOUNT|HOST")]
    pub name: String,
    /// How to come to the server.
    #[command(flatten)]
    pub way: Way,
    /// Who logs in, to see what there is to see after a login.
    #[command(flatten)]
    pub login: Login,
    /// A folder to select.
    #[arg(long, value_name = "NAME", value_parser = MailboxName::new)]
    pub folder: Option<MailboxName>,
    /// Write the report as JSON, with the dialogue of every case.
    #[arg(long)]
    pub json: bool,
}

/// `fido send`
#[derive(Debug, Args)]
pub struct Send {
    /// Whose mail it is, and what its header says.
    #[command(flatten)]
    pub heading: Heading,
}

/// `fido write`
#[derive(Debug, Args)]
pub struct Writing {
    /// Whose mail it is, and what its header begins with.
    #[command(flatten)]
    pub heading: Heading,
    /// Go on with the newest draft.
    #[arg(long, conflicts_with_all = ["to", "cc", "bcc", "subject"])]
    pub resume: bool,
}

/// The account, and the fields of a header.
#[derive(Debug, Args)]
pub struct Heading {
    /// The account that sends; not needed where only one can.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// For whom: an address, or several with commas between; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// For whom else.
    #[arg(long, value_name = "ADDRESS")]
    pub cc: Vec<String>,
    /// For whom else, without the others being told.
    #[arg(long, value_name = "ADDRESS")]
    pub bcc: Vec<String>,
    /// What it is about.
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// A file that goes with it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
}

/// Whose mail.
#[derive(Debug, Args)]
pub struct Accounts {
    /// Accounts of the configuration, all of them without this; or, with --user, a server: host or host:port, an IPv6
    /// address with a port in brackets.
    #[arg(value_name = "ACCOUNT|HOST")]
    pub names: Vec<String>,
    /// How to come to the server.
    #[command(flatten)]
    pub way: Way,
    /// Who logs in.
    #[command(flatten)]
    pub login: Login,
}

/// How to come to a server, and how to talk with it; before what the configuration says.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // they are flags
pub struct Way {
    /// Speak TLS, with a server that an authority of this system has certified.
    #[arg(long, conflicts_with = "plain")]
    pub tls: bool,
    /// Speak TLS, with a server that one of the authorities in this file has certified.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plain", "pin"])]
    pub ca: Option<PathBuf>,
    /// Speak TLS, with the server whose certificate has this SHA-256 fingerprint; `fido setup` shows it.
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "plain")]
    pub pin: Option<Fingerprint>,
    /// Speak without TLS, and do not ask whether the password may cross the network in clear.
    #[arg(long)]
    pub plain: bool,
    /// Send arguments without quoting, as KA9Q NOS and other old servers want them.
    #[arg(long)]
    pub raw: bool,
    /// How long the server may be silent, in seconds; 60 without this.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: Option<u64>,
    /// Show the dialogue on standard error, without passwords.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Who logs in.
#[derive(Debug, Args)]
pub struct Login {
    /// Who logs in, on a server that is no account.
    #[arg(long, value_parser = User::new)]
    pub user: Option<User>,
    /// The password.
    #[command(flatten)]
    pub password: PasswordSource,
}

/// Where the password comes from: it is asked for, unless one of these is given.
#[derive(Debug, Args)]
pub struct PasswordSource {
    /// Take the password from the first line that this shell command writes.
    #[arg(long, value_name = "CMD", conflicts_with = "password_stdin")]
    pub password_command: Option<String>,
    /// Take the password from the first line of standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

/// Which folders.
#[derive(Debug, Args)]
pub struct Folders {
    /// A folder, instead of the default mailbox; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = MailboxName::new)]
    pub folder: Vec<MailboxName>,
}

impl PasswordSource {
    /// What was said of it, if anything was.
    #[must_use]
    pub fn given(&self) -> Option<Source> {
        match &self.password_command {
            Some(command) => Some(Source::Command(command.clone())),
            None => self.password_stdin.then_some(Source::Stdin),
        }
    }
}

impl Folders {
    /// The folders of an account in order; `None` is the default mailbox.
    pub fn of<'a>(&'a self, account: &'a Profile) -> impl Iterator<Item = Option<&'a MailboxName>> {
        let default = self.folder.is_empty().then_some(None);
        let names = if self.folder.is_empty() { &account.folders } else { &self.folder };
        default.into_iter().chain(names.iter().map(Some))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Fido::command().debug_assert();
    }
}
