//! The command line. Help comes from these definitions, and so will the man page and completions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::{accounts::network, config::DEFAULT_PATH};

/// A mailbox server that speaks POP2 (RFC 937).
#[derive(Debug, Parser)]
#[command(name = "doghouse", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What doghouse can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve mail until told to stop (SIGTERM, SIGINT); SIGHUP reads configuration and users again
    Serve(ConfigFile),
    /// Say everything that is wrong with a set-up, and what to do about it
    Check(ConfigFile),
    /// Deliver a message from standard input into a user's mail; an MTA can use this
    Deliver(Deliver),
    /// Add, change, remove and list users
    #[command(subcommand)]
    User(User),
    /// Look at mail, move it in and out, check it and remove it
    #[command(subcommand)]
    Mailbox(Mailbox),
    /// Look after the database of several servers, and its object store
    #[command(subcommand)]
    Store(Store),
    /// Show the sessions of the running server
    Who(Admin),
    /// End sessions of the running server: their clients are told, and nothing of what they marked is deleted
    Kick {
        /// A session by its number, or all those of a user, or from an address
        #[arg(value_name = "SESSION|USER|ADDRESS")]
        whom: String,
        /// How to ask
        #[command(flatten)]
        admin: Admin,
    },
    /// Show what goes over the wire of sessions as it happens, without passwords and mail; end it with Ctrl-C
    Trace {
        /// A session by its number, or those of a user, or from an address; all of them without this
        #[arg(value_name = "SESSION|USER|ADDRESS")]
        whom: Option<String>,
        /// How to ask
        #[command(flatten)]
        admin: Admin,
    },
    /// Show how much the running server logs, or change it until it is started again
    LogLevel {
        /// error, warn, info, debug or trace, or parts of the program as in doghouse=debug,postbox=warn
        #[arg(value_name = "LEVEL")]
        level: Option<String>,
        /// How to ask
        #[command(flatten)]
        admin: Admin,
    },
    /// Show it all at work: a mailbox in a temporary folder, a server, and a client that fetches from it
    Demo(Demo),
}

/// How to ask a running server.
#[derive(Debug, Args)]
pub struct Admin {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// Which configuration, which says where its admin socket is
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = DEFAULT_PATH)]
    pub path: PathBuf,
}

/// `doghouse deliver`
#[derive(Debug, Args)]
pub struct Deliver {
    /// Whose mail it is: a user, an alias, or an address of either such as user+folder@domain
    #[arg(value_name = "USER")]
    pub user: String,
    /// The folder, which is made where it does not exist; the default mailbox without this, or where it is empty
    #[arg(short, long, value_name = "NAME")]
    pub folder: Option<String>,
    /// What the MTA calls this message in its queue: tried again under the same id, it is delivered once into a database
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Which configuration
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `doghouse user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a user
    Add {
        /// Give no password that anybody knows: only devices are to log in
        #[arg(long, conflicts_with = "password_stdin")]
        devices_only: bool,
        /// Who, and the password
        #[command(flatten)]
        user: SetPassword,
    },
    /// Give a user another password
    Passwd(SetPassword),
    /// Remove a user, and the passwords of the user's devices; the mail stays
    Remove {
        /// The user
        #[arg(value_name = "USER")]
        user: String,
        /// Which configuration
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the users
    List(ConfigFile),
    /// Passwords of devices: for POP2 alone, one a machine, from where it is
    #[command(subcommand)]
    Device(Device),
}

/// `doghouse user device`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Make a password for a device, and show it this once
    Add {
        /// Whose mail it is to fetch
        #[arg(value_name = "USER")]
        user: String,
        /// What to call it, in lists and in the log
        #[arg(short, long, value_name = "TEXT")]
        label: String,
        /// The networks that it may log in from; anywhere without this
        #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = a_network)]
        from: Vec<IpNet>,
        /// Let it read but delete nothing: ACKD keeps the message
        #[arg(long)]
        read_only: bool,
        /// Write JSON
        #[arg(long)]
        json: bool,
        /// Which configuration
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List devices, and when each was used last
    List {
        /// Whose; everybody's without this
        #[arg(value_name = "USER")]
        user: Option<String>,
        /// Write JSON
        #[arg(long)]
        json: bool,
        /// Which configuration
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Remove a device: its password is good for nothing from the next login on
    Remove {
        /// Whose it is
        #[arg(value_name = "USER")]
        user: String,
        /// What it is called
        #[arg(value_name = "LABEL")]
        label: String,
        /// Which configuration
        #[command(flatten)]
        config: ConfigFile,
    },
}

fn a_network(text: &str) -> Result<IpNet, &'static str> {
    network(text).ok_or("write a network or an address, such as 192.168.7.0/24 or fd00::1")
}

/// A user, and where the new password comes from.
#[derive(Debug, Args)]
pub struct SetPassword {
    /// The user
    #[arg(value_name = "USER")]
    pub user: String,
    /// Take the password from the first line of standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
    /// Which configuration
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `doghouse mailbox`
#[derive(Debug, Subcommand)]
pub enum Mailbox {
    /// List folders, with their messages and sizes
    List(Users),
    /// Say how many messages a folder has; the default mailbox without --folder
    Count(OneFolder),
    /// Copy mail from a store of any kind into a user's mail; what is there already is not copied again
    ///
    /// All folders of the store are copied into those of the same names; with --folder its default mailbox alone,
    /// into that folder.
    Import {
        /// Whose mail it is to be
        #[command(flatten)]
        to: OneFolder,
        /// Where the mail is: a kind (maildir, mbox, mh, mtx), a colon and a path
        #[arg(value_name = "KIND:PATH")]
        store: String,
    },
    /// Copy a user's mail into a store of any kind; what is there already is not copied again
    ///
    /// All folders are copied into those of the same names; with --folder that one alone, into the default mailbox
    /// of the store.
    Export {
        /// Whose mail it is
        #[command(flatten)]
        from: OneFolder,
        /// Where it is to go: a kind (maildir, mbox, mh, mtx), a colon and a path
        #[arg(value_name = "KIND:PATH")]
        store: String,
    },
    /// Read every message to its end, and say what is wrong
    Verify(Users),
    /// Delete the messages of a folder; of the default mailbox without --folder
    Purge {
        /// Whose mail, and which folder
        #[command(flatten)]
        folder: OneFolder,
        /// Keep so many of the newest
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep: u32,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// `doghouse store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Make the database's tables, or bring them up to this version
    ///
    /// A server never does so by itself. It may be done while servers are at work, and by several at once; doghouse check
    /// says what is missing.
    Migrate(ConfigFile),
    /// Remove from the object store what no message needs any more
    ///
    /// That is what deleted messages and broken deliveries have left. It may be done while servers are at work, best once a
    /// day.
    Sweep {
        /// Leave what is younger than so many hours
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(2..100_000))]
        older_than: u64,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Write JSON
        #[arg(long)]
        json: bool,
        /// Which configuration
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Some users' mail, or everybody's.
#[derive(Debug, Args)]
pub struct Users {
    /// Whose mail; everybody's without this
    #[arg(value_name = "USER")]
    pub users: Vec<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// Which configuration
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A user's folder.
#[derive(Debug, Args)]
pub struct OneFolder {
    /// The user
    #[arg(value_name = "USER")]
    pub user: String,
    /// The folder
    #[arg(short, long, value_name = "NAME")]
    pub folder: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// Which configuration
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `doghouse demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the fetch: with 0 where everything came as it is stored, else not
    #[arg(long)]
    pub once: bool,
}
