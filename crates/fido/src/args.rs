//! The command line. Help comes from these comments.

use std::time::Duration;

use clap::{
    Args, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};
use pop2::{MailboxName, Quoting, User, workstation::Settings};

use crate::{host::Host, sink::Target};

/// Fetches mail from a POP2 mailbox server (RFC 937).
///
/// The exit code is 0, or one of sysexits: 64 usage, 68 no such host, 69 nothing answers there, 73 and 74 the
/// mail cannot be written here, 75 try again later, 76 the server does not speak POP2, 77 the login is refused.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Fido {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What fido does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say how many messages there are.
    Check(Check),
    /// Fetch all messages.
    ///
    /// A message is acknowledged to the server only once it is safe where it goes. Messages travel with CR LF
    /// and are stored with LF.
    Fetch(Fetch),
    /// Talk to the server by hand, with the wire shown.
    ///
    /// Lines are read from standard input and sent as they are, right or wrong, each after the answer to the
    /// one before. Where standard input is a terminal, HELO without a password asks for it.
    Talk(Talk),
}

/// `fido check`
#[derive(Debug, Args)]
pub struct Check {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Who logs in.
    #[command(flatten)]
    pub login: Login,
    /// Which folders.
    #[command(flatten)]
    pub folders: Folders,
}

/// `fido fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Who logs in.
    #[command(flatten)]
    pub login: Login,
    /// Which folders.
    #[command(flatten)]
    pub folders: Folders,
    /// Keep the messages on the server (this is the default).
    #[arg(long, conflicts_with = "delete")]
    pub keep: bool,
    /// Delete each message on the server once it is safe here.
    #[arg(long)]
    pub delete: bool,
    /// Where the messages go: maildir:PATH, mbox:PATH, mh:PATH, mtx:PATH, or - for standard output.
    ///
    /// What is named is made where it is not there; the folder that it is to be in must exist. An mbox is written
    /// in mboxrd form, under an fcntl lock and a dotlock. Standard output becomes an mbox stream. A
    /// message counts as safe once it is synced, or, where standard output is no plain file, once the program
    /// behind the pipe has taken it: use --delete there only if you trust that program.
    #[arg(long, value_name = "TARGET", value_parser = OsStringValueParser::new().try_map(|text| Target::parse(&text)))]
    pub to: Target,
}

/// `fido talk`
#[derive(Debug, Args)]
pub struct Talk {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Log in as this user first.
    #[arg(long, value_parser = User::new)]
    pub user: Option<User>,
    /// The password.
    #[command(flatten)]
    pub password: PasswordSource,
}

/// The server, and how to talk with it.
#[derive(Debug, Args)]
pub struct Server {
    /// The mailbox server: host or host:port, an IPv6 address with a port in brackets.
    pub host: Host,
    /// Send arguments without quoting, as KA9Q NOS and other old servers want them.
    #[arg(long)]
    pub raw: bool,
    /// How long the server may be silent, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// Show the dialogue on standard error, without passwords.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Who logs in.
#[derive(Debug, Args)]
pub struct Login {
    /// Who logs in.
    #[arg(long, value_parser = User::new)]
    pub user: User,
    /// The password.
    #[command(flatten)]
    pub password: PasswordSource,
}

/// Where the password comes from: it is asked for, unless one of these is given.
#[derive(Debug, Args)]
pub struct PasswordSource {
    /// Take the password from the first line that this shell command writes.
    #[arg(long, value_name = "CMD", requires = "user", conflicts_with = "password_stdin")]
    pub password_command: Option<String>,
    /// Take the password from the first line of standard input.
    #[arg(long, requires = "user")]
    pub password_stdin: bool,
}

/// Which folders.
#[derive(Debug, Args)]
pub struct Folders {
    /// A folder, instead of the default mailbox; may be given several times.
    #[arg(long = "folder", value_name = "NAME", value_parser = MailboxName::new)]
    pub names: Vec<MailboxName>,
}

impl Server {
    /// How arguments are written, and T1.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let quoting = if self.raw { Quoting::Raw } else { Quoting::Rfc };
        Settings { timeout: Duration::from_secs(self.timeout), quoting }
    }
}

impl Folders {
    /// The folders in order; `None` is the default mailbox.
    pub fn iter(&self) -> impl Iterator<Item = Option<&MailboxName>> {
        let default = self.names.is_empty().then_some(None);
        default.into_iter().chain(self.names.iter().map(Some))
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

    #[test]
    fn without_a_folder_it_is_the_default_mailbox() {
        let names = vec![MailboxName::new("a").unwrap(), MailboxName::new("b").unwrap()];
        assert_eq!(Folders { names: vec![] }.iter().collect::<Vec<_>>(), [None]);
        let folders = Folders { names };
        let shown: Vec<_> = folders.iter().map(|name| name.unwrap().as_str()).collect();
        assert_eq!(shown, ["a", "b"]);
    }
}
