//! `[account.NAME.smtp]`: how the mail of an account is sent.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pop2::User;
use serde::Deserialize;

use super::{TIMEOUT, maybe_parsed, parsed_user};
use crate::{
    compose::address,
    consent::Consent,
    host::Host,
    local::Name,
    message::Mailbox,
    password::Source,
    paths,
    tls::{Fingerprint, Trust},
};

/// Who can read what passes to the server that mail is sent by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hiding {
    /// Whoever listens.
    Plain,
    /// The server alone, once STARTTLS was said (RFC 3207); nothing of worth is said before.
    StartTls(Trust),
    /// The server alone, from the first octet on (RFC 8314).
    Tls(Trust),
}

/// What mail is written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Editor {
    /// The one that is part of fido.
    BuiltIn,
    /// This shell command, with a file behind it.
    Command(String),
}

/// How the mail of an account is sent.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// The server.
    pub host: Host,
    /// Who can read what passes.
    pub hiding: Hiding,
    /// Whether a password may go in clear.
    pub consent: Consent,
    /// Who logs in and where the password comes from; nobody logs in without.
    pub login: Option<(User, Source)>,
    /// Whom the mail is from.
    pub from: Mailbox,
    /// What it is written with, whatever the environment says.
    pub editor: Option<Editor>,
    /// A file whose text ends what is written.
    pub signature: Option<PathBuf>,
    /// The folder of drafts.
    pub drafts: Name,
    /// The folder of what was sent.
    pub sent: Name,
    /// How long the server may take for each answer.
    pub timeout: Duration,
    /// How long it may take once it has the whole message: longer, because whoever gives up then does not know whether
    /// the message goes (RFC 5321 section 4.5.3.2.6 says ten minutes).
    pub last_timeout: Duration,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawSecurity {
    Tls,
    #[default]
    StartTls,
    Plain,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSmtp {
    host: String,
    #[serde(default)]
    security: RawSecurity,
    ca: Option<PathBuf>,
    #[serde(default, deserialize_with = "maybe_parsed")]
    pin: Option<Fingerprint>,
    #[serde(default)]
    plain: bool,
    #[serde(default, deserialize_with = "maybe_user")]
    user: Option<User>,
    password_command: Option<String>,
    from: String,
    editor: Option<String>,
    signature: Option<PathBuf>,
    drafts: Option<String>,
    sent: Option<String>,
    timeout: Option<u64>,
}

fn maybe_user<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<User>, D::Error> {
    parsed_user(from).map(Some)
}

impl RawSmtp {
    pub(super) fn smtp(self, folder: &Path) -> Result<Smtp, String> {
        let trust = match (self.ca, self.pin) {
            (Some(_), Some(_)) => {
                return Err("smtp: a certificate is trusted by ca or by pin, not both".to_owned());
            }
            (Some(ca), None) => Trust::Authorities(folder.join(ca)),
            (None, Some(pin)) => Trust::Pinned(pin),
            (None, None) => Trust::System,
        };
        let (hiding, port) = match self.security {
            RawSecurity::Plain if trust != Trust::System => {
                return Err("smtp: ca and pin want security = \"starttls\" or \"tls\"".to_owned());
            }
            RawSecurity::Plain => (Hiding::Plain, 25),
            RawSecurity::StartTls => (Hiding::StartTls(trust), 587),
            RawSecurity::Tls => (Hiding::Tls(trust), 465),
        };
        let host = Host::parse(&self.host, port).map_err(|error| format!("smtp.host: {error}"))?;
        let [from] =
            address::list(&self.from).map_err(|error| format!("smtp.from: {error}"))?.try_into().map_err(
                |_| "smtp.from: this is one address, as in \"Fido <fido@dog-house.example>\"".to_owned(),
            )?;
        if self.editor.as_ref().is_some_and(|editor| editor.trim().is_empty()) {
            return Err("smtp: editor is \"built-in\" or a command".to_owned());
        }
        if self.user.is_none() && self.password_command.is_some() {
            return Err("smtp: password-command wants a user".to_owned());
        }
        let source = self.password_command.map_or(Source::Person, Source::Command);
        let name = |given: Option<String>, usual: &str| {
            Name::parse(given.as_deref().unwrap_or(usual)).map_err(|error| format!("smtp: {error}"))
        };
        let home = |path: PathBuf| match (path.strip_prefix("~"), paths::home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => folder.join(path),
        };
        let timeout = self.timeout.map(Duration::from_secs);
        Ok(Smtp {
            host,
            hiding,
            consent: if self.plain { Consent::Given } else { Consent::Asked },
            login: self.user.map(|user| (user, source)),
            from,
            editor: self.editor.map(|editor| match editor.trim() {
                "built-in" => Editor::BuiltIn,
                _ => Editor::Command(editor),
            }),
            signature: self.signature.map(home),
            drafts: name(self.drafts, "Drafts")?,
            sent: name(self.sent, "Sent")?,
            timeout: timeout.unwrap_or(TIMEOUT),
            last_timeout: timeout.unwrap_or(10 * TIMEOUT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn smtp(text: &str) -> Result<Smtp, String> {
        let text = format!("[account.a]\nhost = 'x'\nuser = 'x'\n[account.a.smtp]\n{text}");
        let config = Config::parse(&text, Path::new("/etc/fido.toml")).map_err(|error| error.to_string())?;
        Ok(config.account("a").unwrap().smtp.unwrap())
    }

    #[test]
    fn sending_is_configured_with_usual_ports_and_folders() {
        let usual = smtp("host = 'mail.example'\nfrom = 'Fido <fido@dog.example>'").unwrap();
        assert_eq!(usual.host.to_string(), "mail.example:587");
        assert_eq!(usual.hiding, Hiding::StartTls(Trust::System));
        assert_eq!((usual.drafts.to_string(), usual.sent.to_string()), ("Drafts".into(), "Sent".into()));
        assert!(usual.login.is_none());
        let tls = smtp("host = 'm'\nsecurity = 'tls'\nca = 'ca.pem'\nuser = 'fido'\nfrom = 'f@d'").unwrap();
        assert_eq!(tls.host.to_string(), "m:465");
        assert_eq!(tls.hiding, Hiding::Tls(Trust::Authorities("/etc/ca.pem".into())));
        assert_eq!(tls.login.unwrap().1, Source::Person);
    }

    #[test]
    fn what_is_wrong_with_sending_is_said() {
        for (text, why) in [
            ("host = 'm'", "missing field `from`"),
            ("host = 'm'\nfrom = 'fido'", "smtp.from: \"fido\""),
            ("host = 'm'\nfrom = 'a@b, c@d'", "this is one address"),
            ("host = 'a b'\nfrom = 'a@b'", "smtp.host: a host is"),
            ("host = 'm'\nfrom = 'a@b'\nsecurity = 'ssl'", "unknown variant `ssl`"),
            ("host = 'm'\nfrom = 'a@b'\nsecurity = 'plain'\nca = 'x'", "ca and pin want"),
            ("host = 'm'\nfrom = 'a@b'\ndrafts = '../x'", "no folder can be called"),
            ("host = 'm'\nfrom = 'a@b'\neditor = ''", "editor is"),
            ("host = 'm'\nfrom = 'a@b'\npassword-command = 'x'", "wants a user"),
        ] {
            let error = smtp(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
