//! `doghouse check`: everything that is wrong with a set-up, in one go.

use std::{
    fmt,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use postbox::{FolderName, Location, Mailbox, Postbox};

use crate::{
    accounts::{Accounts, Listed, Rows, read_devices},
    config::{AccountsIn, Config, Endpoint},
    daemon::{Gate, Service, StartError, acceptor, gates, open},
    exit::{self, Failure, OrExit, printable},
    house,
    recipients::Unknown,
    sandbox::{self, Grant},
    smtp::machine::Protocol,
};

mod database;

/// So many users in a database are not looked at one by one.
const MANY: u64 = 1_000;

/// What was found, to be said in the order of the configuration.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
    faults: usize,
}

impl Report {
    fn fault(&mut self, what: impl fmt::Display) {
        self.lines.push(printable(&format!("fault: {what}")));
        self.faults += 1;
    }

    fn warning(&mut self, what: impl fmt::Display) {
        self.lines.push(printable(&format!("warning: {what}")));
    }

    fn good(&mut self, what: impl fmt::Display) {
        self.lines.push(printable(&format!("ok: {what}")));
    }
}

pub(super) async fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path).or_exit(exit::CONFIG)?;
    let mut report = Report::default();
    report.good(format_args!("configuration {}; this is {}", path.display(), config.hostname));
    sockets(&config, &mut report);
    server_user(&config, path, &mut report);
    listeners(&config, &mut report);
    let is_away = match &config.database {
        Some(database) => !database::check(database, &mut report).await,
        None => false,
    };
    if is_away && matches!(config.accounts, AccountsIn::Database(_)) {
        report.warning("the users and their mail were not looked at: the users are in the database");
    } else if let Some((accounts, count)) = users(&config, &mut report).await {
        shut(&config, &accounts, &mut report);
        if is_away && config.mail.iter().any(Location::is_in_database) {
            report.warning("the users' mail was not looked at: it is in the database");
        } else {
            mail(&config, (&accounts, count), &mut report).await;
        }
        delivery(&config, &accounts, &mut report).await;
    }

    let mut output = io::stdout().lock();
    for line in &report.lines {
        writeln!(output, "{line}").or_exit(exit::IO)?;
    }
    match report.faults {
        0 => Ok(()),
        1 => Err(Failure::new(exit::CONFIG, "one fault found")),
        faults => Err(Failure::new(exit::CONFIG, format_args!("{faults} faults found"))),
    }
}

/// Tries to open the sockets, as whoever starts the server does.
fn sockets(config: &Config, report: &mut Report) {
    let root_starts_it = config.user.is_some() && !rustix::process::geteuid().is_root();
    for gate in gates(config) {
        let (endpoint, protocol) = (gate.endpoint.clone(), gate.protocol());
        match open(&endpoint) {
            Ok(_) => report.good(format_args!("can listen on {endpoint} for {protocol}")),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                report.warning(format_args!(
                    "something listens on {endpoint} already; fine if it is this server"
                ));
            }
            Err(source) if root_starts_it && source.kind() == io::ErrorKind::PermissionDenied => {
                report.warning(format_args!(
                    "{endpoint} was not tried; root opens it, or systemd's doghouse.socket: check as root"
                ));
            }
            Err(source) => report.fault(StartError::Listen { endpoint, key: gate.key(), source }),
        }
        if let Gate { service: Service::Mail(Protocol::Lmtp), endpoint: Endpoint::Tcp(address) } = gate
            && !address.ip().is_loopback()
        {
            report.warning(format_args!(
                "{address}: LMTP is for this machine's own MTA; whoever reaches it can leave mail for everybody"
            ));
        }
    }
}

/// Becomes whom the server becomes, since it is that user's access that counts for the rest.
fn server_user(config: &Config, path: &Path, report: &mut Report) {
    let is_root = rustix::process::geteuid().is_root();
    match &config.user {
        Some(user) if is_root => {
            if let Err(error) = sandbox::become_user(user, |_, _| Ok(())) {
                return report.fault(error);
            }
            report.good(format_args!(
                "the server becomes the user {user}; what follows is as that user sees it"
            ));
            if let Err(error) = Config::load(path) {
                report.fault(format_args!("{error}; at a reload that user reads it again"));
            }
        }
        Some(user) => report.good(format_args!("started as root, the server becomes the user {user}")),
        None if is_root => {
            report.warning("started as root, the server stays root; set user in the configuration");
        }
        None => {}
    }
}

fn listeners(config: &Config, report: &mut Report) {
    for listener in &config.listeners {
        let address = &listener.endpoint;
        if let Some(pair) = &listener.tls {
            match acceptor(pair) {
                Ok(_) => {
                    report.good(format_args!("{address} speaks TLS, with {}", pair.certificate.display()));
                }
                Err(error) => report.fault(error),
            }
        }
        let is_open = matches!(address, Endpoint::Tcp(address) if !address.ip().is_loopback());
        let in_clear = listener.tls.is_none() && listener.cleartext_from.is_empty();
        if is_open && in_clear && listener.proxy_from.is_empty() {
            report.warning(format_args!(
                "{address}: nobody but this machine can log in there; give it TLS, or list networks in its cleartext_from"
            ));
        }
        for network in listener.proxy_from.iter().filter(|network| network.prefix_len() == 0) {
            report.warning(format_args!(
                "{address}: proxy_from {network} lets anybody say where they come from"
            ));
        }
        for network in listener.cleartext_from.iter().filter(|network| network.prefix_len() == 0) {
            report.warning(format_args!(
                "{address}: cleartext_from {network} takes passwords in clear from anywhere"
            ));
        }
    }
}

/// What the server may do once it serves.
fn shut(config: &Config, accounts: &Accounts, report: &mut Report) {
    if config.sandbox {
        let grant = Grant::of(config, accounts);
        let calls = sandbox::calls(grant.calls_others());
        report.good(format_args!("the sandbox: {grant}; starts no program, uses {calls} system calls"));
    } else {
        report.warning("the server does not shut itself off from what it does not need; set sandbox = true");
    }
}

/// Where mail that comes in goes.
async fn delivery(config: &Config, accounts: &Accounts, report: &mut Report) {
    let recipients = match house::recipients(config) {
        Ok(recipients) => recipients,
        Err(error) => return report.fault(error),
    };
    let names = recipients.aliases.names().into_iter().filter(|name| !name.starts_with('*'));
    let names: Vec<&str> = names.chain(["postmaster"]).collect();
    // All at once, so that a database is asked a few times only.
    let resolve = |is_user: &dyn Fn(&str) -> bool| -> Vec<Option<Unknown>> {
        names.iter().map(|name| recipients.resolve(name, is_user).err()).collect()
    };
    let mut unknown = match accounts.answer(resolve).await {
        Ok((unknown, _)) => unknown,
        Err(error) => return report.fault(error),
    };
    let no_postmaster = unknown.pop().flatten().is_some();
    for (name, unknown) in names.iter().zip(unknown) {
        if let Some(unknown) = unknown {
            report.warning(format_args!("the alias {name} leads to nobody: {unknown}"));
        }
    }
    let domains = recipients.domains.join(", ");
    report.good(format_args!("mail is taken for {domains}; aliases: {}", recipients.aliases.names().len()));
    if !config.smtp.is_empty() && no_postmaster {
        report.warning("nobody is postmaster, to whom mail must be taken; make an alias (RFC 5321, 4.5.1)");
    }
}

/// Who may log in, and how many they are.
async fn users(config: &Config, report: &mut Report) -> Option<(Accounts, u64)> {
    let accounts = match house::accounts(config) {
        Ok(accounts) => accounts,
        Err(error) => {
            report.fault(StartError::from(error));
            return None;
        }
    };
    let count = match accounts.count().await {
        Ok(count) => count,
        Err(error) => {
            report.fault(error);
            return None;
        }
    };
    let place = match &config.accounts {
        AccountsIn::Files => {
            users_file(config, &accounts, report).await;
            config.passwd_file.display().to_string()
        }
        AccountsIn::Database(database) => {
            if count <= MANY {
                users_rows(&Rows::new(database.clone()), report).await;
            }
            database.place().to_owned()
        }
    };
    match count {
        0 => report.warning(format_args!("{place} has no users; doghouse user add USER makes one")),
        count => report.good(format_args!("users in {place}: {count}")),
    }
    Some((accounts, count))
}

async fn users_file(config: &Config, accounts: &Accounts, report: &mut Report) {
    let path = config.passwd_file.display();
    for warning in accounts.warnings() {
        report.warning(format_args!("{path}: {warning}"));
    }
    for path in [&config.passwd_file, &config.devices_file] {
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o007 != 0 {
            let path = path.display();
            report
                .warning(format_args!("{path} can be used by everybody on this machine; chmod o-rwx {path}"));
        }
    }
    let devices = read_devices(&config.devices_file).unwrap_or_default();
    for device in devices.iter() {
        if accounts.contains(&device.user).await.is_ok_and(|is_user| !is_user) {
            let (label, user) = (&device.label, &device.user);
            report.warning(format_args!("the device {label:?} is of {user:?}, who is no user"));
        }
    }
}

/// In a database a device is always a user's.
async fn users_rows(rows: &Rows, report: &mut Report) {
    let mut after = String::new();
    loop {
        let page = match rows.page(&after).await {
            Ok(page) => page,
            Err(error) => return report.fault(error),
        };
        let Some(last) = page.last() else { return };
        after.clone_from(&last.name);
        for Listed { name, fault } in page {
            if let Some(fault) = fault {
                report.warning(format_args!("user {name} cannot log in: {fault}"));
            }
        }
    }
}

/// Opens every account's default mailbox, as a login would.
async fn mail(config: &Config, (accounts, count): (&Accounts, u64), report: &mut Report) {
    for base in config.mail.iter().filter_map(Location::base).filter(|base| !base.is_dir()) {
        let in_root = base.ancestors().find(|above| above.is_dir()) == Some(Path::new("/"));
        let remedy = if in_root && config.sandbox {
            "make it, since the sandbox grants no folder in /"
        } else {
            "the first delivery makes it"
        };
        report.warning(format_args!("there is no folder {} yet; {remedy}", base.display()));
    }
    if matches!(config.accounts, AccountsIn::Database(_)) && count > MANY {
        return report.warning(format_args!(
            "there are more than {MANY} users: their fields and mailboxes were not looked at; doghouse user list and doghouse mailbox verify do so"
        ));
    }
    let mut messages: u64 = 0;
    let mut whole = true;
    let mut users = accounts.names();
    loop {
        let user = match users.next().await {
            Ok(Some(user)) => user,
            Ok(None) => break,
            Err(error) => return report.fault(error),
        };
        let opened = match house::postbox(config, accounts, &user).await {
            Ok(postbox) => postbox.select(&FolderName::inbox()).await.map_err(|fault| fault.to_string()),
            Err(nowhere) => Err(nowhere.to_string()),
        };
        match opened {
            Ok(mailbox) => messages += u64::from(mailbox.count()),
            Err(fault) => {
                whole = false;
                report.fault(format_args!("user {user}: {fault}"));
            }
        }
    }
    if whole {
        report.good(format_args!("messages in the users' default mailboxes: {messages}"));
    }
}
