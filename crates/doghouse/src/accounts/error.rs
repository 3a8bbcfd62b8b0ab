//! What can go wrong with accounts.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::passwd_file::{Faults, NameFault};

/// Why accounts were not read or not changed.
///
/// The text is whole in itself: it names the place and the remedy, and holds no password and no hash.
#[derive(Debug, Error)]
pub enum Error {
    /// Lines of the file are not what they have to be; nothing of the file was taken.
    #[error("{}: {faults}", path.display())]
    Syntax {
        /// The users file.
        path: PathBuf,
        /// Every such line.
        faults: Faults,
    },
    /// The system refused something.
    #[error("cannot {what} {}: {cause}", path.display())]
    Io {
        /// What was to be done, as a verb.
        what: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
    /// The name given for a new user cannot be one.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// There is a user of this name already.
    #[error("there is a user {0} already; change the password instead")]
    Exists(String),
    /// There is no user of this name.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The devices file is not what it has to be; nothing of it was taken.
    #[error("{}: {what}", path.display())]
    Devices {
        /// The devices file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// The user has a device of that label.
    #[error("there is a device {0:?} already; remove it first, or choose another label")]
    DeviceExists(String),
    /// The user has no such device.
    #[error("there is no device {0:?}; doghouse user device list shows what there is")]
    NoDevice(String),
    /// The label given for a new device cannot be one.
    #[error("a label has 1 to 64 characters, with no blank at its ends and no control character")]
    Label,
    /// The devices cannot be written as TOML.
    #[error("cannot write the devices: {0}")]
    Unwritable(toml::ser::Error),
    /// The new password is empty.
    #[error("a password cannot be empty")]
    EmptyPassword,
    /// The new password could never arrive over POP2 (RFC 937, formal syntax: seven bits, and no line end).
    #[error("a password is made of ASCII characters, without NUL and line ends: POP2 carries no other")]
    UnsendablePassword,
    /// The new password could not be hashed.
    #[error("cannot hash the password: {0}")]
    Hash(argon2::password_hash::Error),
    /// The system gave no random octets for the key of this process.
    #[error("the system gives no random octets: {0}")]
    Random(getrandom::Error),
    /// The database of the accounts has failed.
    #[error(transparent)]
    Database(#[from] postbox::Error),
    /// The database of the accounts has not answered in time, or had not a moment ago.
    #[error("the accounts cannot be looked up now: {0}")]
    NoAnswer(String),
}
