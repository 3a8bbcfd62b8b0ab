//! The aliases file: `name: address, address`, as mail servers have it since the beginning.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

/// Other names for mailboxes of this server.
#[derive(Debug, Clone, Default)]
pub struct Aliases(HashMap<String, Vec<String>>);

/// What an alias stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// The name as the file has it, in lower case.
    pub(super) name: &'a str,
    /// Where it leads.
    pub(super) targets: &'a [String],
}

/// Why an aliases file is not taken. It shows itself in one line that names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub struct AliasesError {
    path: PathBuf,
    line: Option<usize>,
    what: String,
}

impl fmt::Display for AliasesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Aliases {
    /// Reads an aliases file. `domains` are those of this server, in lower case.
    pub fn load(path: &Path, domains: &[String]) -> Result<Self, AliasesError> {
        let text = std::fs::read_to_string(path).map_err(|error| AliasesError {
            path: path.to_owned(),
            line: None,
            what: format!("cannot read the aliases: {error}; correct delivery.aliases"),
        })?;
        Self::parse(&text, path, domains)
    }

    /// Reads the text of an aliases file: an entry a line, `#` begins a comment, and a line that begins with a
    /// blank goes on with the entry before it.
    pub fn parse(text: &str, path: &Path, domains: &[String]) -> Result<Self, AliasesError> {
        let mut aliases = HashMap::new();
        for (line, entry) in entries(text) {
            let refuse = |what: String| AliasesError { path: path.to_owned(), line: Some(line), what };
            let (name, targets) =
                entry.split_once(':').ok_or_else(|| refuse("write NAME: USER, USER".to_owned()))?;
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(refuse(format!("{name:?} is no name for an alias; write NAME: USER, USER")));
            }
            if let Some((_, domain)) = name.rsplit_once('@')
                && !domains.iter().any(|own| own.eq_ignore_ascii_case(domain))
            {
                return Err(refuse(format!("{domain:?} is not in delivery.domains")));
            }
            let targets: Vec<String> = targets
                .split(',')
                .map(str::trim)
                .filter(|target| !target.is_empty())
                .map(str::to_owned)
                .collect();
            if targets.is_empty() {
                return Err(refuse(format!("{name:?} leads nowhere; write NAME: USER, USER")));
            }
            for target in &targets {
                check(target, domains).map_err(refuse)?;
            }
            if aliases.insert(name.clone(), targets).is_some() {
                return Err(refuse(format!("{name:?} is there twice; write all its addresses in one entry")));
            }
        }
        Ok(Self(aliases))
    }

    /// The entry of a name, in a domain or in any.
    pub(super) fn of(&self, local: &str, domain: Option<&str>) -> Option<Entry<'_>> {
        if local == "*" { None } else { self.entry(local, domain) }
    }

    /// Where mail for nobody goes.
    pub(super) fn catch_all(&self, domain: Option<&str>) -> Option<Entry<'_>> {
        self.entry("*", domain)
    }

    fn entry(&self, local: &str, domain: Option<&str>) -> Option<Entry<'_>> {
        let local = local.to_ascii_lowercase();
        let in_domain = domain
            .and_then(|domain| self.0.get_key_value(&format!("{local}@{}", domain.to_ascii_lowercase())));
        let (name, targets) = in_domain.or_else(|| self.0.get_key_value(&local))?;
        Some(Entry { name, targets })
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// Each entry in one line, with the number of its first.
fn entries(text: &str) -> Vec<(usize, String)> {
    let mut entries: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        if line.trim().is_empty() {
            continue;
        }
        match entries.last_mut().filter(|_| line.starts_with([' ', '\t']) && !line.contains(':')) {
            Some((_, entry)) => entry.push_str(line),
            None => entries.push((number, line.trim().to_owned())),
        }
    }
    entries
}

/// An alias leads to a mailbox of this server and to nothing else.
fn check(target: &str, domains: &[String]) -> Result<(), String> {
    let other = target.starts_with(['|', '/', '"', ':', '~']) || target.contains(char::is_whitespace);
    if other {
        return Err(format!(
            "{target:?} is no mailbox of this server; programs, files and lists in files are not known here"
        ));
    }
    match target.rsplit_once('@') {
        Some((_, domain)) if !domains.iter().any(|own| own.eq_ignore_ascii_case(domain)) => {
            Err(format!("{target:?} is not in a domain of this server, which passes nothing on"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Aliases, String> {
        Aliases::parse(text, "aliases".as_ref(), &["bone.example".to_owned()])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn entries_comments_and_lines_that_go_on() {
        let aliases =
            parse("# ours\nPostmaster: fido # the boss\n\nall:fido,\n  smith,\n\trex@bone.example\n")
                .unwrap();
        assert_eq!(aliases.names(), ["all", "postmaster"]);
        assert_eq!(aliases.of("ALL", None).unwrap().targets, ["fido", "smith", "rex@bone.example"]);
        assert_eq!(aliases.of("postmaster", Some("bone.example")).unwrap().targets, ["fido"]);
        assert!(aliases.of("*", None).is_none());
    }

    #[test]
    fn what_leads_out_is_an_error_with_its_place() {
        for (text, expected) in [
            ("fido", "aliases:1: write NAME: USER"),
            ("\nx: |/bin/sh", "aliases:2: \"|/bin/sh\" is no mailbox of this server"),
            ("x: /var/mail/x", "no mailbox"),
            ("x: :include:/etc/list", "no mailbox"),
            ("x: fido@elsewhere.example", "passes nothing on"),
            ("x@elsewhere.example: fido", "\"elsewhere.example\" is not in delivery.domains"),
            ("x: ,", "leads nowhere"),
            ("x: fido\nX: smith", "aliases:2: \"x\" is there twice"),
            ("a b: fido", "is no name for an alias"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
