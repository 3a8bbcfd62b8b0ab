//! Fields of the users file behind the password, as Dovecot knows them: the home, the account's own place for mail,
//! and from where a login may come.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str;

use ipnet::IpNet;
use postbox::{HOME, Location, USER};

use super::scheme::Locked;
use crate::peer::Peer;

/// What is known of an account beside its password.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The home, a path from the root.
    pub home: Option<PathBuf>,
    /// Where its mail is, if not where everybody's is.
    pub mail: Option<Location>,
    /// From where alone it may be logged in to.
    pub networks: Option<Networks>,
    /// Nobody may log in to it.
    pub(super) no_login: bool,
}

/// From where a login may come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    list: Vec<IpNet>,
    /// Also from this machine's sockets in the file system.
    local: bool,
}

impl Networks {
    /// Reads networks and addresses with commas between them; `local` stands for sockets in the file system.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut networks = Self::default();
        for word in text.split(',').map(str::trim) {
            match word {
                "local" => networks.local = true,
                word => networks.list.push(network(word)?),
            }
        }
        Some(networks)
    }

    /// Whether a client may log in.
    #[must_use]
    pub fn contains(&self, client: Peer) -> bool {
        client.is_in(&self.list) || (self.local && client == Peer::Local)
    }
}

/// A network, or an address as one of its own.
pub(crate) fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

impl Fields {
    /// Reads the fields behind the password: `uid:gid:gecos:home:shell:extra_fields`. What is not understood and
    /// keeps nobody out is let be.
    pub(super) fn parse(rest: &[u8]) -> Result<Self, Locked> {
        let rest = str::from_utf8(rest).map_err(|_| Locked::Fields)?;
        let mut split = rest.splitn(6, ':');
        let home = split.nth(3).and_then(home);
        Self { home, ..Self::default() }.with(split.nth(1).unwrap_or_default())
    }

    /// Reads the extra fields alone.
    pub(super) fn of_extra(extra: &str) -> Result<Self, Locked> {
        Self::default().with(extra)
    }

    fn with(mut self, extra: &str) -> Result<Self, Locked> {
        let mut mail = None;
        for field in extra.split(|c: char| c.is_ascii_whitespace()) {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            match key {
                "nologin" => self.no_login = true,
                "allow_nets" => self.networks = Some(Networks::parse(value).ok_or(Locked::Networks)?),
                "allow_real_nets" => return Err(Locked::RealNetworks),
                "userdb_home" | "home" => self.home = home(value),
                "userdb_mail" | "mail" => mail = Some(value),
                _ => {}
            }
        }
        if let Some(mail) = mail {
            self.mail = Some(location(mail).ok_or(Locked::Mail)?);
        }
        Ok(self)
    }
}

fn home(text: &str) -> Option<PathBuf> {
    Path::new(text).is_absolute().then(|| text.into())
}

/// A place as Dovecot writes it, such as `maildir:~/Maildir` or `mbox:/var/mail/%u`, without options behind it. A
/// relative path begins at the home.
fn location(text: &str) -> Option<Location> {
    let (kind, path) = text.split_once(':')?;
    let path = path.replace("%{user}", USER).replace("%{home}", HOME).replace("%{username}", USER);
    let path = path.replace("%u", USER).replace("%n", USER).replace("%h", HOME);
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{HOME}{rest}"),
        // Another's home.
        Some(_) => return None,
        None if path.starts_with(['/', '{']) => path,
        None => format!("{HOME}/{path}"),
    };
    if path.contains([':', '%', '~']) {
        return None;
    }
    Location::of_one(&format!("{kind}:{path}"), Path::new("/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(rest: &str) -> Result<Fields, Locked> {
        Fields::parse(rest.as_bytes())
    }

    fn place(rest: &str) -> String {
        let store = |fields: Fields| {
            let mail = fields.mail?;
            mail.postbox("fido", fields.home.as_deref()).map(|store| format!("{store:?}"))
        };
        fields(rest).map(store).unwrap().unwrap_or_default()
    }

    #[test]
    fn home_and_mail_are_dovecots() {
        assert_eq!(fields("1000:1000::/home/fido:/bin/sh").unwrap().home, Some("/home/fido".into()));
        assert_eq!(
            fields("1000:1000::/home/fido::userdb_home=/srv/fido").unwrap().home,
            Some("/srv/fido".into())
        );
        for rest in ["", ":", "1000", "::::", ":::fido:", ":::::x y=z userdb_quota_rule=*:storage=1G"] {
            let fields = fields(rest).unwrap();
            assert!(fields.home.is_none() && fields.mail.is_none() && fields.networks.is_none(), "{rest:?}");
        }
        for (mail, base, part) in [
            ("maildir:~/Maildir", "/home/fido", "Maildir"),
            ("maildir:%h/Maildir", "/home/fido", "Maildir"),
            ("maildir:Maildir", "/home/fido", "Maildir"),
            ("mbox:/var/mail/%u", "/var/mail", "fido"),
            ("mh:/srv/mail/pack", "/srv/mail", "pack"),
        ] {
            let shown = place(&format!(":::/home/fido::userdb_mail={mail}"));
            let expected = format!("Place {{ base: \"{base}\", parts: [\"{part}\"] }}");
            assert!(shown.contains(&expected), "{mail}: {shown}");
        }
        assert_eq!(place("::::: userdb_mail=maildir:~/Maildir"), "", "who has no home");
    }

    #[test]
    fn what_is_not_understood_of_a_place_locks_the_account() {
        for mail in [
            "",
            "maildir",
            "dbox:~/mail",
            "maildir:~/Maildir:LAYOUT=fs",
            "maildir:~smith/Maildir",
            "maildir:/srv/%d/%u",
            "maildir:~/../smith/Maildir",
        ] {
            let extra = format!(":::/home/fido::userdb_mail={mail}");
            assert_eq!(fields(&extra).unwrap_err(), Locked::Mail, "{mail}");
        }
    }

    #[test]
    fn networks_hold_what_is_in_them() {
        let networks = fields(":::::allow_nets=192.0.2.0/24,2001:db8::1").unwrap().networks.unwrap();
        let at = |address: &str| Peer::at(address.parse().unwrap());
        assert!(networks.contains(at("192.0.2.9")) && networks.contains(at("2001:db8::1")));
        assert!(networks.contains(at("::ffff:192.0.2.9")));
        assert!(!networks.contains(at("192.0.3.9")) && !networks.contains(at("127.0.0.1")));
        assert!(!networks.contains(Peer::Local));
        assert!(fields(":::::allow_nets=local").unwrap().networks.unwrap().contains(Peer::Local));
        for list in ["", "192.0.2.0/24,,", "woof", "192.0.2.0/33", "192.0.2.0/24 10.0.0.0/8,"] {
            let locked = fields(&format!(":::::allow_nets={list}")).is_err();
            assert_eq!(locked, !list.starts_with("192.0.2.0/24 "), "{list:?}");
        }
    }
}
