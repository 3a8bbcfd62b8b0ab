//! Which accounts are meant: those of the configuration, or one that the command line describes.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use pop2::Quoting;
use serde::Serialize;

use crate::{
    Exit, Failure,
    args::{Accounts, Login, Way},
    config::{self, Config, Profile},
    connection::{Route, Security},
    consent::Consent,
    tls::Trust,
};

/// The accounts that a command is for.
pub fn chosen(config: &Config, accounts: &Accounts) -> Result<Vec<Profile>, Failure> {
    let Accounts { names, way, login } = accounts;
    if login.user.is_some() {
        let [name] = names.as_slice() else {
            return Err(Failure::new(Exit::Usage, "--user goes with one server; name it"));
        };
        return Ok(vec![described(name, way, login)?]);
    }
    let named = names.iter().map(|name| config.account(name)).collect::<Result<Vec<_>, _>>()?;
    let all = if names.is_empty() { config.accounts.values().cloned().collect() } else { named };
    if all.is_empty() {
        let text = "there are no accounts yet: `fido setup` makes one; or name a server, with --user";
        return Err(Failure::new(Exit::Usage, text));
    }
    all.into_iter().map(|profile| changed(profile, way, login)).collect()
}

/// Shows the accounts of the configuration.
pub fn show(config: &Config, json: bool) -> Result<(), Failure> {
    let rows: Vec<_> = config.accounts.values().map(Row::of).collect();
    let text = if json {
        serde_json::to_string(&rows).map_err(|error| Failure::new(Exit::Software, error.to_string()))? + "\n"
    } else if rows.is_empty() {
        "there are no accounts yet: `fido setup` makes one\n".to_owned()
    } else {
        rows.iter().map(ToString::to_string).collect()
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write to standard output: {error}")))
}

/// An account as it is shown.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    user: String,
    host: String,
    security: String,
    to: Option<String>,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, user, host, security, to } = self;
        writeln!(
            f,
            "{name}: {user} on {host}, {security}; mail goes to {}",
            to.as_deref().unwrap_or("nowhere yet")
        )
    }
}

impl<'a> Row<'a> {
    fn of(profile: &'a Profile) -> Self {
        let security = match &profile.route.security {
            Security::Plain => "in clear".to_owned(),
            Security::Tls(Trust::System) => "by TLS".to_owned(),
            Security::Tls(Trust::Authorities(path)) => format!("by TLS with {}", path.display()),
            Security::Tls(Trust::Pinned(fingerprint)) => format!("by TLS with {fingerprint}"),
        };
        Self {
            name: &profile.name,
            user: profile.user.to_string(),
            host: profile.route.host.to_string(),
            security,
            to: profile.to.as_ref().map(ToString::to_string),
        }
    }
}

/// An account by its name, or a server that may be talked with without one; then nobody logs in.
pub fn account_or_server(
    config: &Config,
    name: &str,
    way: &Way,
) -> Result<(Option<Profile>, Route), Failure> {
    match config.accounts.get(name) {
        Some(profile) => {
            let mut route = profile.route.clone();
            change_route(&mut route, way)?;
            Ok((Some(profile.clone()), route))
        }
        None => Ok((None, route(name, way)?)),
    }
}

/// The account that `--user` and the other options describe.
pub fn described(server: &str, way: &Way, login: &Login) -> Result<Profile, Failure> {
    let user = login.user.clone().ok_or_else(|| Failure::new(Exit::Usage, "--user is missing"))?;
    Ok(Profile {
        name: server.to_owned(),
        route: route(server, way)?,
        quoting: quoting(way),
        user,
        password: login.password.given().unwrap_or_default(),
        folders: Vec::new(),
        to: None,
        delete: false,
        smtp: None,
    })
}

fn quoting(way: &Way) -> Quoting {
    if way.raw { Quoting::Raw } else { Quoting::Rfc }
}

fn route(server: &str, way: &Way) -> Result<Route, Failure> {
    let host = server.parse().map_err(|error| Failure::new(Exit::Usage, format!("{server:?}: {error}")))?;
    let mut route =
        Route { host, security: Security::Plain, timeout: config::TIMEOUT, consent: Consent::Asked };
    change_route(&mut route, way)?;
    Ok(route)
}

fn changed(mut profile: Profile, way: &Way, login: &Login) -> Result<Profile, Failure> {
    change_route(&mut profile.route, way)?;
    if way.raw {
        profile.quoting = Quoting::Raw;
    }
    if let Some(source) = login.password.given() {
        profile.password = source;
    }
    Ok(profile)
}

fn change_route(route: &mut Route, way: &Way) -> Result<(), Failure> {
    if way.tls || way.ca.is_some() || way.pin.is_some() {
        route.security = config::security(way.tls, way.ca.clone(), way.pin)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    if way.plain {
        (route.security, route.consent) = (Security::Plain, Consent::Given);
    }
    if let Some(seconds) = way.timeout {
        route.timeout = Duration::from_secs(seconds);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::args::{Command, Fido};

    fn chosen_by(config: &str, line: &str) -> Result<Vec<Profile>, String> {
        let fido = Fido::try_parse_from(line.split(' ')).unwrap();
        let Some(Command::Check(check)) = fido.command else { panic!("{line}") };
        let config = Config::parse(config, Path::new("fido.toml")).unwrap();
        chosen(&config, &check.accounts).map_err(|failure| failure.to_string())
    }

    #[test]
    fn accounts_are_those_of_the_configuration_or_the_one_that_is_described() {
        let config =
            "[account.a]\nhost = 'x'\nuser = 'fido'\ntimeout = 5\n[account.b]\nhost = 'y'\nuser = 'fred'";
        let hosts = |line: &str| {
            let chosen = chosen_by(config, line)?;
            Ok(chosen.iter().map(|profile| profile.route.host.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(hosts("fido check"), Ok(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(hosts("fido check b"), Ok(vec!["y".to_owned()]));
        assert_eq!(hosts("fido check z:1109 --user smith"), Ok(vec!["z:1109".to_owned()]));
        for (line, error) in [
            ("fido check z", "\"z\" is no account"),
            ("fido check --user smith", "--user goes with one server"),
            ("fido check a b --user smith", "--user goes with one server"),
            ("fido check z: --user smith", "\"z:\": a port is a number"),
        ] {
            let said: String = hosts(line).unwrap_err();
            assert!(said.starts_with(error), "{said}");
        }
        assert!(chosen_by("", "fido check").unwrap_err().contains("`fido setup` makes one"));
        let changed = chosen_by(config, "fido check a --tls --timeout 7 --password-stdin").unwrap();
        assert_eq!(changed[0].route.timeout, Duration::from_secs(7));
        assert_eq!(changed[0].password, crate::password::Source::Stdin);
        assert_ne!(changed[0].route.security, Security::Plain);
    }
}
