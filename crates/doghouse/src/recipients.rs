//! Whose mail an address is: users, their folders, aliases and the catch-all.

use std::collections::BTreeSet;

use postbox::{FolderName, FolderNameError};

mod aliases;

use aliases::Entry;
pub use aliases::{Aliases, AliasesError};

/// How many aliases an address may pass.
const MOST: usize = 1_000;

/// One mailbox that a message goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The account.
    pub user: String,
    /// Its folder.
    pub folder: FolderName,
    /// Whether whoever wrote the address has named the folder, and not the operator.
    pub by_stranger: bool,
}

impl Target {
    fn inbox(user: String) -> Self {
        Self { user, folder: FolderName::inbox(), by_stranger: false }
    }
}

/// Why an address is nobody's here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The domain is not this server's.
    #[error("{0} is not a domain of this server, which passes nothing on")]
    Domain(String),
    /// Nobody has that name.
    #[error("there is no user {0:?}")]
    User(String),
    /// The folder behind the name cannot be one.
    #[error("there can be no folder {0:?}: {1}")]
    Folder(String, FolderNameError),
    /// Aliases lead round.
    #[error("the alias {0:?} leads only round to itself")]
    Round(String),
}

/// How addresses are read.
#[derive(Debug, Clone)]
pub struct Recipients {
    /// The domains of this server, in lower case.
    pub domains: Vec<String>,
    /// What stands between a user and a folder, such as `+`; `None` where folders are not named so.
    pub delimiter: Option<char>,
    /// Other names.
    pub aliases: Aliases,
}

impl Recipients {
    /// The mailboxes that an address stands for, at least one: `user`, `user@domain`, `user+folder`, an alias
    /// of such, or whatever the catch-all says. `is_user` tells whether an account exists.
    pub fn resolve(&self, address: &str, is_user: &dyn Fn(&str) -> bool) -> Result<Vec<Target>, Unknown> {
        let mut found = BTreeSet::new();
        self.follow(address, is_user, &mut BTreeSet::new(), &mut found)?;
        if found.is_empty() {
            return Err(Unknown::Round(address.to_owned()));
        }
        Ok(found.into_iter().collect())
    }

    fn follow(
        &self,
        address: &str,
        is_user: &dyn Fn(&str) -> bool,
        passed: &mut BTreeSet<String>,
        found: &mut BTreeSet<Target>,
    ) -> Result<(), Unknown> {
        let (local, domain) = self.split(address)?;
        let local = unquoted(local);
        if let Some(alias) = self.aliases.of(&local, domain) {
            return self.follow_all(alias, is_user, passed, found);
        }
        if let Some(user) = user(&local, is_user) {
            found.insert(Target::inbox(user));
            return Ok(());
        }
        let extended = self.delimiter.and_then(|delimiter| local.split_once(delimiter));
        if let Some((name, folder)) = extended.filter(|(name, _)| !name.is_empty()) {
            if let Some(alias) = self.aliases.of(name, domain) {
                return self.follow_all(alias, is_user, passed, found);
            }
            if let Some(user) = user(name, is_user) {
                // An address without an extension is what some programs write so.
                let folder = if folder.is_empty() { "INBOX" } else { folder };
                let folder =
                    FolderName::parse(folder).map_err(|error| Unknown::Folder(folder.to_owned(), error))?;
                // What an alias leads to, the operator has written.
                found.insert(Target { user, folder, by_stranger: passed.is_empty() });
                return Ok(());
            }
        }
        match self.aliases.catch_all(domain) {
            // It is for what comes from outside, not for what an alias gets wrong.
            Some(alias) if passed.is_empty() => self.follow_all(alias, is_user, passed, found),
            _ => Err(Unknown::User(local)),
        }
    }

    fn follow_all(
        &self,
        alias: Entry<'_>,
        is_user: &dyn Fn(&str) -> bool,
        passed: &mut BTreeSet<String>,
        found: &mut BTreeSet<Target>,
    ) -> Result<(), Unknown> {
        if passed.len() > MOST {
            return Err(Unknown::Round(alias.name.to_owned()));
        }
        if passed.insert(alias.name.to_owned()) {
            return alias.targets.iter().try_for_each(|target| self.follow(target, is_user, passed, found));
        }
        // `fred: fred, smith` keeps a copy: a name that leads to itself is the user.
        let name = alias.name.split('@').next().unwrap_or_default();
        found.extend(user(name, is_user).map(Target::inbox));
        Ok(())
    }

    /// The local part, and the domain, which is one of ours.
    fn split<'a>(&self, address: &'a str) -> Result<(&'a str, Option<&'a str>), Unknown> {
        match address.rsplit_once('@') {
            None => Ok((address, None)),
            Some((local, domain)) if self.is_local(domain) => Ok((local, Some(domain))),
            Some((_, domain)) => Err(Unknown::Domain(domain.to_owned())),
        }
    }

    /// Whether mail for the domain is for this server.
    #[must_use]
    pub fn is_local(&self, domain: &str) -> bool {
        self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain))
    }
}

/// The account of that name, which may be written in capitals.
fn user(name: &str, is_user: &dyn Fn(&str) -> bool) -> Option<String> {
    [name.to_owned(), name.to_ascii_lowercase()].into_iter().find(|name| is_user(name))
}

/// A local part without the quotes that it may be written in (RFC 5321, 4.1.2).
fn unquoted(local: &str) -> String {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return local.to_owned();
    };
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recipients(aliases: &str) -> Recipients {
        let domains = vec!["dog-house.example".to_owned(), "bone.example".to_owned()];
        let aliases = Aliases::parse(aliases, "aliases".as_ref(), &domains).unwrap();
        Recipients { domains, delimiter: Some('+'), aliases }
    }

    fn resolve(aliases: &str, address: &str) -> Result<Vec<String>, String> {
        let is_user = |name: &str| ["fido", "smith", "rex+old"].contains(&name);
        let targets =
            recipients(aliases).resolve(address, &is_user).map_err(|unknown| unknown.to_string())?;
        let show = |Target { user, folder, by_stranger }| {
            format!("{user}/{folder}{}", if by_stranger { "?" } else { "" })
        };
        Ok(targets.into_iter().map(show).collect())
    }

    #[test]
    fn users_are_found_in_every_form() {
        for (address, expected) in [
            ("fido", "fido/INBOX"),
            ("Fido", "fido/INBOX"),
            ("fido@dog-house.example", "fido/INBOX"),
            ("fido@BONE.Example", "fido/INBOX"),
            ("\"fido\"@bone.example", "fido/INBOX"),
            ("\"f\\ido\"@bone.example", "fido/INBOX"),
            ("fido+lists.rust@bone.example", "fido/lists.rust?"),
            ("fido+", "fido/INBOX?"),
            ("fido+inbox", "fido/INBOX?"),
            ("rex+old", "rex+old/INBOX"),
        ] {
            assert_eq!(resolve("", address), Ok(vec![expected.to_owned()]), "{address}");
        }
    }

    #[test]
    fn what_is_nobodys_is_refused() {
        for (address, why) in [
            ("rex", "there is no user"),
            ("", "there is no user"),
            ("+x", "there is no user"),
            ("fido@elsewhere.example", "passes nothing on"),
            ("fido@bone.example@elsewhere.example", "passes nothing on"),
            ("fido%elsewhere.example@bone.example", "there is no user"),
            ("elsewhere.example!fido@bone.example", "there is no user"),
            ("fido@[127.0.0.1]", "passes nothing on"),
            ("fido+../x", "there can be no folder"),
        ] {
            let error = resolve("", address).unwrap_err();
            assert!(error.contains(why), "{address}: {error}");
        }
    }

    #[test]
    fn aliases_and_the_catch_all_lead_on() {
        let aliases = "
            # ours
            postmaster: smith
            all: fido, smith, fido
            pack: all, fido+pack
            copy@bone.example: fido
            smith: smith, fido
            round: about
            about: round
            turn: turn+x, fido
            x@bone.example: x
            x: fido
            lost: nobody
            *@bone.example: fido+rest";
        for (address, expected) in [
            ("postmaster", &["fido/INBOX", "smith/INBOX"][..]),
            ("POSTMASTER@bone.example", &["fido/INBOX", "smith/INBOX"]),
            ("all", &["fido/INBOX", "smith/INBOX"]),
            ("pack", &["fido/INBOX", "fido/pack", "smith/INBOX"]),
            ("copy@bone.example", &["fido/INBOX"]),
            ("anybody@bone.example", &["fido/rest"]),
            ("all+x", &["fido/INBOX", "smith/INBOX"]),
            ("turn", &["fido/INBOX"]),
            ("x@bone.example", &["fido/INBOX"]),
        ] {
            let targets = resolve(aliases, address).unwrap();
            assert_eq!(targets, expected, "{address}");
        }
        for (address, why) in [
            ("copy@dog-house.example", "there is no user"),
            ("anybody@dog-house.example", "there is no user"),
            ("round", "round to itself"),
            ("lost@bone.example", "there is no user \"nobody\""),
        ] {
            let error = resolve(aliases, address).unwrap_err();
            assert!(error.contains(why), "{address}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_address_leads_elsewhere(address in "\\PC{0,12}(@(bone|x)\\.example)?") {
            if let Ok(targets) = resolve("", &address) {
                prop_assert!(targets.iter().all(|target| target.starts_with("fido/") || target.starts_with("smith/") || target.starts_with("rex+old/")));
            }
        }
    }
}
