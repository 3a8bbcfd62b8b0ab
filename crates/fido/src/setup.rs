//! `fido setup`: an account is asked for, tried, and written down.

mod certificate;
mod smtp;

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use pop2::{Quoting, Secret, User};
use zeroize::Zeroizing;

use crate::{
    Exit, Failure, check,
    config::{Config, Profile, TIMEOUT},
    connection::{Route, Security},
    consent::{self, Consent},
    host::Host,
    password::Source,
    paths,
    session::Account,
    sink::Target,
    tls::{self, Trust},
};

/// Asks, tries, and writes.
pub async fn run(config: &Config) -> Result<(), Failure> {
    if config.path.as_os_str().is_empty() {
        let text = "it is not known where the configuration is to be: HOME is not set; use --config";
        return Err(Failure::new(Exit::Usage, text));
    }
    let host: Host = until_good("Mailbox server (host or host:port): ", None, str::parse)?;
    let (security, consent) = security_of(&host).await?;
    let user = until_good("User there: ", None, User::new)?;
    let password = read_password(&user, &host)?;
    let route = Route { host: host.clone(), security, timeout: TIMEOUT, consent };
    let profile = Profile {
        name: host.to_string(),
        route,
        quoting: Quoting::Rfc,
        user: user.clone(),
        password: Source::Person,
        folders: Vec::new(),
        to: None,
        delete: false,
        smtp: None,
    };
    let account = Account::with_password(profile, password.clone(), false);
    let mailbox = account.open(None).await?;
    let count = mailbox.count();
    // Nothing is marked, so nothing depends on how this goes.
    let _ = mailbox.quit().await;
    eprintln!("Logged in: {} in the default mailbox.", check::messages(count));

    let taken = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match config.accounts.contains_key(name) {
            _ if name.is_empty() || !name.chars().all(plain) => {
                Err("a name is made of letters, digits, - and _".to_owned())
            }
            true => Err(format!("there is an account {name} already")),
            false => Ok(name.to_owned()),
        }
    };
    let label = host.name().split('.').next().filter(|_| host.name().parse::<IpAddr>().is_err());
    let proposed = label.unwrap_or("home").to_owned();
    let name = until_good("What to call this account", Some(&proposed), taken)?;
    let command = line("Command that gives the password (empty: ask each time): ")?;
    let keyring = command.is_empty() && keep_in_keyring(&user, &host, &password)?;
    let place = format!("maildir:{}", folder_of(&name));
    let to = until_good("Where mail goes (maildir:, mbox: or mh: and a path)", Some(&place), |text| {
        let expanded = expand(text);
        Target::parse(expanded.as_ref()).map(|_| text.to_owned())
    })?;
    let delete = consent::ask("Delete messages on the server once they are safe here? [y/N] ")?;
    let profile = account.profile();
    let table = table(&name, profile, &command, keyring, &to, delete)?;
    write(&config.path, &table)?;
    if let Some(folder) = to.strip_prefix("maildir:").map(expand)
        && let Some(above) = Path::new(&folder).parent()
    {
        // Mail is put into a folder that is there.
        fs::create_dir_all(above).map_err(|error| cannot("make", above, &error))?;
    }
    let sending = smtp::table(&name).await.and_then(|table| match table {
        Some(table) => write(&config.path, &table).map(|()| true),
        None => Ok(false),
    });
    let can_send = sending.map_err(|failure| {
        let rest = format!(
            "the account {name} is written all the same, and cannot send until it has [account.{name}.smtp]"
        );
        failure.and(&rest)
    })?;
    let also = if can_send { ", `fido write` sends some" } else { "" };
    eprintln!("Written to {}. `fido fetch {name}` fetches the mail{also}.", config.path.display());
    Ok(())
}

fn folder_of(name: &str) -> String {
    match (paths::data(), paths::home()) {
        (Some(data), Some(home)) => {
            let folder = data.join(name);
            let below = folder.strip_prefix(&home).map(|rest| format!("~/{}", rest.display()));
            below.unwrap_or_else(|_| folder.display().to_string())
        }
        _ => name.to_owned(),
    }
}

/// `~/` at the beginning, or behind a kind of store, is the home.
fn expand(text: &str) -> String {
    match paths::home() {
        Some(home) if text.starts_with("~/") => text.replacen('~', &home.display().to_string(), 1),
        Some(home) => text.replacen(":~/", &format!(":{}/", home.display()), 1),
        None => text.to_owned(),
    }
}

/// Finds out how the server speaks, and whether that is to be trusted.
async fn security_of(host: &Host) -> Result<(Security, Consent), Failure> {
    let stream = host.connect(TIMEOUT).await?;
    let peer = stream.peer_addr();
    let Some(shown) = tls::look(stream, host, TIMEOUT).await? else {
        eprintln!("{host} speaks in clear, without TLS.");
        if let Ok(peer) = peer {
            Consent::Asked.to_clear_text(host, peer)?;
        }
        return Ok((Security::Plain, Consent::Asked));
    };
    let again = async {
        let stream = host.connect(TIMEOUT).await?;
        tls::hide(stream, host, &Trust::System, TIMEOUT).await.map(|_| ())
    };
    let trust = certificate::trusted(&format!("{host} speaks TLS"), host, &shown, again).await?;
    Ok((Security::Tls(trust), Consent::Asked))
}

/// The account as a table of the configuration.
fn table(
    name: &str,
    profile: &Profile,
    command: &str,
    keyring: bool,
    to: &str,
    delete: bool,
) -> Result<String, Failure> {
    let mut account = toml::Table::new();
    let mut put = |key: &str, value: toml::Value| account.insert(key.to_owned(), value);
    put("host", profile.route.host.to_string().into());
    match &profile.route.security {
        Security::Plain => None,
        Security::Tls(Trust::Pinned(fingerprint)) => put("pin", fingerprint.to_string().into()),
        Security::Tls(_) => put("tls", true.into()),
    };
    put("user", profile.user.to_string().into());
    if !command.is_empty() {
        put("password-command", command.into());
    }
    if keyring {
        put("keyring", true.into());
    }
    put("to", to.into());
    if delete {
        put("delete", true.into());
    }
    written(&format!("account.{name}"), &account)
}

/// A table as it stands in the file.
fn written(name: &str, table: &toml::Table) -> Result<String, Failure> {
    let text = toml::to_string(table);
    let text =
        text.map_err(|error| Failure::new(Exit::Software, format!("cannot write that down: {error}")))?;
    Ok(format!("[{name}]\n{text}"))
}

/// Adds a table to the end of the file, which others may have written by hand.
fn write(path: &Path, table: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| cannot("make", folder, &error))?;
    }
    let before = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| cannot("read", path, &error))?,
    };
    let gap = if before.is_empty() {
        ""
    } else if before.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    let added = format!("{gap}{table}");
    // What is written is read again first: a file that cannot be read would take all accounts away.
    Config::parse(&format!("{before}{added}"), path)?;
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(added.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| cannot("write", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CannotCreate, format!("cannot {what} {}: {error}", path.display()))
}

/// Asks until the answer is good; an empty one is the one that is proposed.
fn until_good<T, E: std::fmt::Display>(
    question: &str,
    proposed: Option<&str>,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Failure> {
    loop {
        let answer = match proposed {
            Some(proposed) => line(&format!("{question} [{proposed}]: "))?,
            None => line(question)?,
        };
        let answer = if answer.is_empty() { proposed.unwrap_or_default() } else { &answer };
        match read(answer) {
            Ok(read) => return Ok(read),
            Err(why) if io::stdin().is_terminal() => eprintln!("  {why}"),
            // Nobody would answer otherwise the next time.
            Err(why) => return Err(Failure::new(Exit::Usage, format!("{answer:?}: {why}"))),
        }
    }
}

/// A line of an answer, without its end.
fn line(question: &str) -> Result<String, Failure> {
    let answer = maybe_line(question)?;
    answer
        .ok_or_else(|| Failure::new(Exit::Usage, "there are no more answers; what was asked is not written"))
}

/// The same, where there may be no more.
fn maybe_line(question: &str) -> Result<Option<String>, Failure> {
    let mut answer = String::new();
    eprint!("{question}");
    match io::stdin().read_line(&mut answer) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(answer.trim().to_owned())),
        Err(error) => Err(Failure::new(Exit::Io, format!("cannot read the answer: {error}"))),
    }
}

/// Puts the password into the keyring, where there is one and that is wanted.
#[cfg(feature = "keyring")]
fn keep_in_keyring(user: &User, host: &Host, password: &Secret) -> Result<bool, Failure> {
    if !consent::ask("Keep the password in the keyring? [y/N] ")? {
        return Ok(false);
    }
    let kept = String::from_utf8(password.expose().to_vec()).map(Zeroizing::new);
    match kept.ok().map(|password| crate::keyring::set(user, host, &password)) {
        Some(Ok(())) => return Ok(true),
        Some(Err(failure)) => eprintln!("  {failure}"),
        None => eprintln!("  a keyring keeps text, and that password is none"),
    }
    Ok(false)
}

#[cfg(not(feature = "keyring"))]
#[allow(clippy::unnecessary_wraps)] // as with the keyring
fn keep_in_keyring(_: &User, _: &Host, _: &Secret) -> Result<bool, Failure> {
    Ok(false)
}

fn read_password(user: &User, host: &Host) -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        return crate::password::ask(user, host);
    }
    let answer = Zeroizing::new(line(&format!("Password of {user} on {host}: "))?);
    Ok(Secret::from(answer.as_str()))
}
