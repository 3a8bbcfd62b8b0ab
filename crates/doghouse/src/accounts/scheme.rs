//! Password schemes: how the users file stores a password, and how one is checked against it.
//!
//! The names are Dovecot's (`{SCHEME}` before the hash), the hashes are those of crypt(3) and of the PHC string
//! format, so that a file written for other programs works here and the other way round.

use std::fmt;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use blake2::{Blake2s256, Digest as _};
use pop2::Secret;
use sha_crypt::{PasswordVerifier as _, ShaCrypt};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

// A hash above one of these limits would hold a core for many seconds at every attempt to log in.

/// The most memory that the check of an Argon2 hash may take, in KiB: 1 GiB.
const ARGON2_MEMORY_LIMIT: u32 = 1 << 20;
/// The most memory times passes of an Argon2 hash, in KiB: 16 passes over 1 GiB.
const ARGON2_WORK_LIMIT: u64 = 16 << 20;
/// The most rounds of a SHA-crypt hash; its specification would allow 999,999,999.
const SHA_CRYPT_ROUNDS_LIMIT: u32 = 10_000_000;
/// The highest cost of a bcrypt hash, which is the binary logarithm of its rounds.
const BCRYPT_COST_LIMIT: u32 = 16;

/// Why an account cannot log in whatever the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Locked {
    /// The password field is empty or begins with `!` or `*`, or the account has the field `nologin`.
    #[error("it is locked on purpose")]
    OnPurpose,
    /// What stands in braces is none of the schemes that are known here.
    #[error(
        "its password scheme is none of PLAIN, CLEARTEXT, ARGON2ID, SHA512-CRYPT, SHA256-CRYPT, BLF-CRYPT, \
         CRYPT; set a new password"
    )]
    UnknownScheme,
    /// A hash of CRYPT, or without a scheme, begins with none of the marks that are known here.
    #[error("its hash begins with none of $argon2id$, $2a$, $2b$, $2y$, $5$, $6$; set a new password")]
    UnknownHash,
    /// The hash is not what its scheme writes.
    #[error("its {0} hash is damaged; set a new password")]
    Malformed(&'static str),
    /// Checking the hash would take too much time or memory.
    #[error("its {0} hash costs more than is allowed ({1}); set a new password")]
    TooCostly(&'static str, &'static str),
    /// The password is stored as it is, and is empty.
    #[error("its password is empty; set one")]
    EmptyPassword,
    /// Dovecot's field `allow_nets` holds something that is no network.
    #[error(
        "its field allow_nets is not understood; write networks with commas between, as in 192.168.7.0/24,::1"
    )]
    Networks,
    /// The account has Dovecot's field `allow_real_nets`, which is not obeyed here.
    #[error("its field allow_real_nets is not obeyed here; use allow_nets in its place")]
    RealNetworks,
    /// Dovecot's field `mail` holds a place that is not understood here.
    #[error(
        "its field userdb_mail is not understood; write a place such as maildir:~/Maildir, without options"
    )]
    Mail,
    /// The fields behind the password are not UTF-8.
    #[error("the fields behind its password are not in UTF-8; correct them")]
    Fields,
}

/// A stored password that a given one can be checked against.
///
/// `Debug` shows the scheme alone.
pub(super) enum Hash {
    /// `{PLAIN}`: the BLAKE2s digest of the password, so that neither its length nor the password itself is
    /// there for the comparison.
    Plain([u8; 32]),
    /// `{ARGON2ID}`: the function with its costs, the salt and the result.
    Argon2id(Box<Argon2<'static>>, Box<[u8]>, Box<[u8]>),
    /// `{SHA256-CRYPT}` or `{SHA512-CRYPT}`, as written.
    ShaCrypt(Box<str>),
    /// `{BLF-CRYPT}`, as written.
    Bcrypt(Box<str>),
}

impl Hash {
    /// Reads the password field of a line of the users file.
    pub(super) fn parse(field: &[u8]) -> Result<Self, Locked> {
        match field {
            [] | [b'!' | b'*', ..] => Err(Locked::OnPurpose),
            [b'{', rest @ ..] => {
                let mut halves = rest.splitn(2, |&octet| octet == b'}');
                match (halves.next(), halves.next()) {
                    (Some(scheme), Some(hash)) => Self::of_scheme(scheme, hash),
                    _ => Err(Locked::UnknownScheme),
                }
            }
            hash => Self::crypt(ascii(hash).ok_or(Locked::UnknownHash)?),
        }
    }

    fn of_scheme(scheme: &[u8], hash: &[u8]) -> Result<Self, Locked> {
        // No hash holds anything but ASCII, and the empty text is a damaged hash in every scheme.
        let text = ascii(hash).unwrap_or_default();
        match scheme.to_ascii_uppercase().as_slice() {
            b"PLAIN" | b"CLEARTEXT" => Self::plain(hash),
            b"ARGON2ID" => Self::argon2id(text),
            b"SHA512-CRYPT" => Self::sha_crypt("SHA512-CRYPT", text, "$6$", 86),
            b"SHA256-CRYPT" => Self::sha_crypt("SHA256-CRYPT", text, "$5$", 43),
            b"BLF-CRYPT" => Self::bcrypt(text),
            b"CRYPT" => Self::crypt(text),
            _ => Err(Locked::UnknownScheme),
        }
    }

    fn crypt(hash: &str) -> Result<Self, Locked> {
        match hash.split('$').nth(1) {
            Some("argon2id") => Self::argon2id(hash),
            Some("2a" | "2b" | "2y") => Self::bcrypt(hash),
            Some("5") => Self::sha_crypt("SHA256-CRYPT", hash, "$5$", 43),
            Some("6") => Self::sha_crypt("SHA512-CRYPT", hash, "$6$", 86),
            _ => Err(Locked::UnknownHash),
        }
    }

    fn plain(password: &[u8]) -> Result<Self, Locked> {
        if password.is_empty() {
            return Err(Locked::EmptyPassword);
        }
        Ok(Self::Plain(Blake2s256::digest(password).into()))
    }

    fn argon2id(text: &str) -> Result<Self, Locked> {
        const NAME: &str = "ARGON2ID";
        let damaged = || Locked::Malformed(NAME);
        let hash = PasswordHash::new(text).map_err(|_| damaged())?;
        if hash.algorithm != argon2::ARGON2ID_IDENT {
            return Err(damaged());
        }
        let params = Params::try_from(&hash).map_err(|_| damaged())?;
        if params.m_cost() > ARGON2_MEMORY_LIMIT {
            return Err(Locked::TooCostly(NAME, "m=1048576, 1 GiB"));
        }
        if u64::from(params.m_cost()) * u64::from(params.t_cost()) > ARGON2_WORK_LIMIT {
            return Err(Locked::TooCostly(NAME, "m times t of 16777216"));
        }
        // The reference implementation takes a hash without a version for one of the first version.
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| damaged())?;
        let (salt, output) = (hash.salt.ok_or_else(damaged)?, hash.hash.ok_or_else(damaged)?);
        let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
        Ok(Self::Argon2id(Box::new(argon2), salt.as_ref().into(), output.as_ref().into()))
    }

    /// `digits` is how many characters the result has at the end.
    fn sha_crypt(name: &'static str, text: &str, mark: &str, digits: usize) -> Result<Self, Locked> {
        let damaged = || Locked::Malformed(name);
        let mut rest = text.strip_prefix(mark).ok_or_else(damaged)?;
        if let Some(costs) = rest.strip_prefix("rounds=") {
            let (rounds, after) = costs.split_once('$').ok_or_else(damaged)?;
            let rounds: u32 = rounds.parse().map_err(|_| damaged())?;
            // crypt(3) computes with, and writes, at least this many.
            if rounds < sha_crypt::Params::ROUNDS_MIN {
                return Err(damaged());
            }
            if rounds > SHA_CRYPT_ROUNDS_LIMIT {
                return Err(Locked::TooCostly(name, "rounds=10000000"));
            }
            rest = after;
        }
        let (salt, result) = rest.split_once('$').ok_or_else(damaged)?;
        let base64 = |text: &str| text.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'.' || o == b'/');
        if !(1..=16).contains(&salt.len()) || result.len() != digits || !base64(salt) || !base64(result) {
            return Err(damaged());
        }
        Ok(Self::ShaCrypt(text.into()))
    }

    fn bcrypt(text: &str) -> Result<Self, Locked> {
        const NAME: &str = "BLF-CRYPT";
        let parts: bcrypt::HashParts = text.parse().map_err(|_| Locked::Malformed(NAME))?;
        // $2x$ marks the results of a bug that old hashes were made with; the crate computes them as $2y$.
        if text.starts_with("$2x$") || parts.get_cost() < 4 {
            return Err(Locked::Malformed(NAME));
        }
        if parts.get_cost() > BCRYPT_COST_LIMIT {
            return Err(Locked::TooCostly(NAME, "a cost of 16"));
        }
        Ok(Self::Bcrypt(text.into()))
    }

    /// A hash that costs what those cost that [`stored`] makes, and that no password is known for.
    pub(super) fn of_nobody() -> Self {
        let argon2 = Box::new(Argon2::default());
        Self::Argon2id(argon2, Box::from(*b"nobody's own salt"), Box::from([0; Params::DEFAULT_OUTPUT_LEN]))
    }

    /// Whether the password is the one that is stored. Takes the time and the memory that the scheme is made to
    /// take, so it belongs on a thread that may block.
    pub(super) fn verify(&self, password: &Secret) -> bool {
        let password = password.expose();
        match self {
            Self::Plain(digest) => Blake2s256::digest(password).ct_eq(digest).into(),
            Self::Argon2id(argon2, salt, output) => {
                let mut computed = vec![0; output.len()];
                match argon2.hash_password_into(password, salt, &mut computed) {
                    Ok(()) => computed.ct_eq(output).into(),
                    Err(error) => {
                        tracing::error!(%error, "an Argon2 hash cannot be computed");
                        false
                    }
                }
            }
            Self::ShaCrypt(text) => ShaCrypt::default().verify_password(password, &**text).is_ok(),
            // As crypt(3) has it, octets after the 72nd do not count. It also ends a password at a NUL, and bcrypt
            // repeats a short one with a NUL between: with one inside, two passwords would be the same.
            Self::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false) && !password.contains(&0),
        }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(..)",
            Self::Argon2id(..) => "Argon2id(..)",
            Self::ShaCrypt(_) => "ShaCrypt(..)",
            Self::Bcrypt(_) => "Bcrypt(..)",
        })
    }
}

/// The password field for a new password: `{ARGON2ID}` with the costs that OWASP recommends (19456 KiB of memory,
/// 2 passes, 1 lane), which are the crate's own.
pub(super) fn stored(password: &Secret) -> Result<Zeroizing<Vec<u8>>, argon2::password_hash::Error> {
    let hash = Argon2::default().hash_password(password.expose())?;
    Ok(Zeroizing::new(format!("{{ARGON2ID}}{hash}").into_bytes()))
}

fn ascii(octets: &[u8]) -> Option<&str> {
    str::from_utf8(octets).ok().filter(|text| text.is_ascii())
}
