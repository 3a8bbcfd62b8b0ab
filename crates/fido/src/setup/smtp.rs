//! The second half of `fido setup`: by which server an account sends.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use pop2::{Secret, User};

use super::{certificate, line, maybe_line, read_password, until_good, written};
use crate::{
    Failure,
    compose::{
        address,
        smtp::{self, Offer, Session},
    },
    config::{Config, Smtp, TIMEOUT},
    host::Host,
    message::Mailbox,
    tls::{self, Trust},
};

/// The ports that are tried where none is given: with STARTTLS, with TLS, and between servers.
const PORTS: [u16; 3] = [587, 465, 25];

/// Asks by which server the account `name` sends, tries it without sending anything, and gives the table of the
/// configuration; `None` where nobody wants to send.
pub(super) async fn table(name: &str) -> Result<Option<String>, Failure> {
    loop {
        let Some(given) = server()? else { return Ok(None) };
        match asked(name, &given).await {
            // Whoever sits there may have a better answer.
            Err(failure) if io::stdin().is_terminal() => eprintln!("  {failure}"),
            asked => return asked.map(Some),
        }
    }
}

fn server() -> Result<Option<String>, Failure> {
    let answer = maybe_line("Server to send mail by (host or host:port; empty: none): ")?;
    Ok(answer.filter(|answer| !answer.is_empty()))
}

async fn asked(name: &str, given: &str) -> Result<String, Failure> {
    let (host, offer) = found(given).await?;
    let mut table = toml::Table::new();
    table.insert("host".to_owned(), host.to_string().into());
    let security = match &offer {
        Offer::StartTls(_) => "starttls",
        Offer::Tls(_) => "tls",
        Offer::Plain => "plain",
    };
    table.insert("security".to_owned(), security.into());
    match offer {
        Offer::Plain => eprintln!("{host} speaks SMTP in clear, without TLS."),
        Offer::StartTls(shown) | Offer::Tls(shown) => {
            let again = async {
                let tcp = host.connect(TIMEOUT).await?;
                let tcp = if security == "tls" { tcp } else { smtp::start_tls(tcp, &host, TIMEOUT).await? };
                tls::hide(tcp, &host, &Trust::System, TIMEOUT).await.map(|_| ())
            };
            let what = format!("{host} speaks SMTP by TLS");
            if let Trust::Pinned(fingerprint) = certificate::trusted(&what, &host, &shown, again).await? {
                table.insert("pin".to_owned(), fingerprint.to_string().into());
            }
        }
    }
    let user = until_good("User there (empty: it wants no login): ", None, |text| {
        (!text.is_empty()).then(|| User::new(text)).transpose()
    })?;
    let password = user.as_ref().map(|user| read_password(user, &host)).transpose()?;
    if let Some(user) = &user {
        table.insert("user".to_owned(), user.to_string().into());
    }
    let question = "Your address (as in Fido <fido@dog-house.example>): ";
    let from = until_good(question, None, |text| match address::list(text)?.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err("this is one address".to_owned()),
    })?;
    table.insert("from".to_owned(), shown(&from).into());

    attempt(name, &table, user.as_ref().zip(password.as_ref())).await?;
    let done = if user.is_some() { "Logged in" } else { "It answers" };
    eprintln!("{done}. Nothing was sent.");
    if user.is_some() {
        let command = line("Command that gives the password (empty: ask each time): ")?;
        if !command.is_empty() {
            table.insert("password-command".to_owned(), command.into());
        }
    }
    written(&format!("account.{name}.smtp"), &table)
}

fn shown(from: &Mailbox) -> String {
    address::text(std::slice::from_ref(from))
}

/// Tries what is going to be written, read as it will be read.
async fn attempt(name: &str, table: &toml::Table, login: Option<(&User, &Secret)>) -> Result<(), Failure> {
    let mailbox = format!("[account.{name}]\nhost = \"x\"\nuser = \"x\"\n");
    let text = mailbox + &written(&format!("account.{name}.smtp"), table)?;
    let profile = Config::parse(&text, Path::new("setup"))?.account(name)?;
    let smtp: &Smtp = crate::compose::sending(&profile)?;
    Session::open(smtp, login).await?.quit().await;
    Ok(())
}

/// The server, and what it offers.
async fn found(given: &str) -> Result<(Host, Offer), Failure> {
    let mut refused = None;
    for port in PORTS {
        let host =
            Host::parse(given, port).map_err(|why| Failure::new(crate::Exit::Usage, why.to_string()))?;
        match smtp::look(&host, TIMEOUT).await {
            Ok(offer) => return Ok((host, offer)),
            // The first is where mail of people goes; its reason is the one to tell.
            Err(failure) => {
                let is_the_only_one = Host::parse(given, 1).is_ok_and(|other| other == host);
                if is_the_only_one {
                    return Err(failure);
                }
                refused.get_or_insert(failure);
            }
        }
    }
    Err(refused.unwrap_or_else(|| Failure::new(crate::Exit::Usage, "no port to try")))
}
