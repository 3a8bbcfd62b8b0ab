//! How mail comes in: `[delivery]`, `[[smtp]]` and `[[lmtp]]`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{Endpoint, Fault, is_host};
use postbox::Quota;

/// The largest message and the most recipients that may be configured.
const MOST_OCTETS: u64 = 1 << 40;
const MOST_RECIPIENTS: usize = 10_000;

/// Whose mail is taken, and how much of it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The domains of this server, in lower case.
    pub domains: Vec<String>,
    /// The aliases file.
    pub aliases: Option<PathBuf>,
    /// What stands between a user and a folder in an address.
    pub delimiter: Option<char>,
    /// Whether an address may have a folder made that is not there.
    pub make_folders: bool,
    /// The largest message, in octets.
    pub max_octets: u64,
    /// The most recipients of one message.
    pub max_recipients: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDelivery {
    domains: Option<Vec<Spanned<String>>>,
    aliases: Option<PathBuf>,
    recipient_delimiter: Spanned<String>,
    make_folders: bool,
    max_octets: Spanned<u64>,
    max_recipients: Spanned<usize>,
}

impl Default for RawDelivery {
    fn default() -> Self {
        Self {
            domains: None,
            aliases: None,
            recipient_delimiter: Spanned::new(0..0, "+".to_owned()),
            make_folders: false,
            max_octets: Spanned::new(0..0, 52_428_800),
            max_recipients: Spanned::new(0..0, 100),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawQuota {
    octets: Option<Spanned<u64>>,
    messages: Option<Spanned<u64>>,
}

impl RawQuota {
    pub(super) fn check(self) -> Result<Quota, Fault> {
        let positive = |value: Option<Spanned<u64>>| match value {
            Some(value) if *value.get_ref() == 0 => {
                let what = "a quota is at least 1; for none, leave the key out";
                Err((value.span().start, what.to_owned()))
            }
            value => Ok(value.map(Spanned::into_inner)),
        };
        Ok(Quota { octets: positive(self.octets)?, messages: positive(self.messages)? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSmtp {
    pub(super) address: SocketAddr,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLmtp {
    address: Option<SocketAddr>,
    socket: Option<PathBuf>,
    mode: Option<Spanned<String>>,
}

impl RawDelivery {
    pub(super) fn check(self, hostname: &str, folder: &Path) -> Result<Delivery, Fault> {
        let mut domains = Vec::new();
        for domain in self.domains.unwrap_or_else(|| vec![Spanned::new(0..0, hostname.to_owned())]) {
            if !is_host(domain.get_ref()) {
                let what = "a domain is letters, digits, - and ., such as \"dog-house.example\"";
                return Err((domain.span().start, what.to_owned()));
            }
            domains.push(domain.get_ref().to_ascii_lowercase());
        }
        let mut delimiter = self.recipient_delimiter.get_ref().chars();
        let delimiter = match (delimiter.next(), delimiter.next()) {
            (None, _) => None,
            (Some(c), None) if c.is_ascii_punctuation() && !matches!(c, '@' | '"' | '<' | '>' | '.') => {
                Some(c)
            }
            _ => {
                let what = "recipient_delimiter is one character such as \"+\", or \"\" for none";
                return Err((self.recipient_delimiter.span().start, what.to_owned()));
            }
        };
        if !(1..=MOST_OCTETS).contains(self.max_octets.get_ref()) {
            return Err((
                self.max_octets.span().start,
                "max_octets is at least 1, at most a terabyte".to_owned(),
            ));
        }
        if !(1..=MOST_RECIPIENTS).contains(self.max_recipients.get_ref()) {
            let what = format!("max_recipients is at least 1, at most {MOST_RECIPIENTS}");
            return Err((self.max_recipients.span().start, what));
        }
        Ok(Delivery {
            domains,
            aliases: self.aliases.map(|path| folder.join(path)),
            delimiter,
            make_folders: self.make_folders,
            max_octets: self.max_octets.into_inner(),
            max_recipients: self.max_recipients.into_inner(),
        })
    }
}

impl RawLmtp {
    /// `begin` is where the table begins.
    pub(super) fn check(self, begin: usize, folder: &Path) -> Result<Endpoint, Fault> {
        let endpoint = Endpoint::check(begin, self.address, self.socket, self.mode.as_ref(), folder)?;
        endpoint.ok_or_else(|| (begin, "an [[lmtp]] has an address, or a socket and perhaps mode".to_owned()))
    }
}
