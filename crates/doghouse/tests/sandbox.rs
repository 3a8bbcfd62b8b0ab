//! What a process that serves may still do, tried from within and looked at from without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
};

use common::{Daemon, House};
use doghouse::{
    config::Config,
    house,
    sandbox::{self, Grant, Shut},
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, Protocol, SocketType},
    process::{Pid, Signal, kill_process, test_kill_process},
};

/// Where the process finds itself that shuts itself off.
const INSIDE: &str = "DOGHOUSE_TEST_INSIDE";

/// Runs one of these tests again, in a process of its own.
fn inside(test: &str, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

fn open_socket(family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket(family, kind, protocol)?)
}

/// Sends octets with the call itself (RFC 7413), which is no `connect`.
fn fast_open(to: SocketAddr) -> io::Result<()> {
    let socket = open_socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let flags = rustix::net::SendFlags::from_bits_retain(0x2000_0000);
    rustix::net::sendto(socket, b"woof", flags, &to)?;
    Ok(())
}

fn kind(outcome: io::Result<impl Sized>) -> Option<io::ErrorKind> {
    outcome.err().map(|error| error.kind())
}

#[test]
fn a_process_that_is_shut_off_reaches_nothing_but_its_own() {
    const DENIED: Option<io::ErrorKind> = Some(io::ErrorKind::PermissionDenied);
    let Some(path) = std::env::var_os(INSIDE) else {
        let house = House::new();
        let secret = elsewhere();
        fs::write(secret.path().join("secret"), "bone").unwrap();
        symlink(secret.path().join("secret"), house.path().join("link")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _program = UnixListener::bind(house.path().join("program")).unwrap();
        fs::write(house.path().join("port"), listener.local_addr().unwrap().to_string()).unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        fs::write(house.path().join("ended"), ended.id().to_string()).unwrap();
        fs::write(house.path().join("secret"), secret.path().join("secret").to_str().unwrap()).unwrap();
        let said = inside("a_process_that_is_shut_off_reaches_nothing_but_its_own", house.path());
        assert!(said.contains("all of it was tried") || said.contains("skipped"), "{said}");
        return;
    };
    let at = |name: &str| Path::new(&path).join(name);
    let config = Config::load(&at("doghouse.toml")).unwrap();
    let grant = Grant::of(&config, &house::accounts(&config).unwrap());
    let (secret, port) = (fs::read_to_string(at("secret")).unwrap(), fs::read_to_string(at("port")).unwrap());
    let runs = std::env::current_exe().unwrap();
    let parent = rustix::process::getppid().unwrap();
    match sandbox::enter(&grant).unwrap() {
        Shut::All | Shut::Part => {}
        Shut::CallsOnly => {
            println!("skipped: this kernel has no Landlock");
            return;
        }
    }
    assert_eq!(kind(fs::read(at("users"))), None, "its own files it reads");
    assert_eq!(kind(fs::write(at("mail"), "")), None, "and writes");
    assert_eq!(kind(fs::read("/proc/self/net/tcp")), None, "and it sees whether a slow client takes octets");
    let ended = Pid::from_raw(fs::read_to_string(at("ended")).unwrap().parse().unwrap()).unwrap();
    assert_eq!(test_kill_process(ended), Err(Errno::SRCH), "and whether the maker of a lock is gone");
    for (what, outcome) in [
        ("end another process", kind(kill_process(parent, Signal::TERM).map_err(io::Error::from))),
        ("read others' files", kind(fs::read(&secret))),
        ("by a link", kind(fs::read(at("link")))),
        ("list others' folders", kind(fs::read_dir("/etc"))),
        ("write where it only reads", kind(fs::write("/proc/self/comm", "x"))),
        ("make something elsewhere", kind(fs::create_dir(secret.clone() + ".d"))),
        ("make a link out of others' files", kind(fs::hard_link(&secret, at("mine")))),
        ("call another machine", kind(TcpStream::connect(&*port))),
        ("call another program of this machine", kind(UnixStream::connect(at("program")))),
        ("call it with the first octets", kind(fast_open(port.parse().unwrap()))),
        ("start a program", kind(Command::new(runs).spawn())),
        ("open a socket of another kind", kind(open_socket(AddressFamily::NETLINK, SocketType::RAW, None))),
        (
            "send datagrams to another machine",
            kind(open_socket(AddressFamily::INET, SocketType::DGRAM, None)),
        ),
        ("the same by IPv6", kind(open_socket(AddressFamily::INET6, SocketType::DGRAM, None))),
        (
            "call it by MPTCP",
            kind(open_socket(AddressFamily::INET, SocketType::STREAM, Some(rustix::net::ipproto::MPTCP))),
        ),
        ("look into another process", kind(fs::read("/proc/1/environ"))),
        ("become another", kind(rustix::process::chroot("/").map_err(io::Error::from))),
    ] {
        // That is how Landlock refuses a link into another folder.
        let denied = outcome == DENIED || outcome == Some(io::ErrorKind::CrossesDevices);
        assert!(denied, "it can {what}: {outcome:?}");
    }
    assert_eq!(kind(TcpListener::bind("127.0.0.1:0")), None, "a reload may open another door");
    std::thread::spawn(|| ()).join().unwrap();
    println!("all of it was tried");
}

#[test]
fn a_process_that_has_a_database_calls_its_port_and_no_other() {
    const DENIED: Option<io::ErrorKind> = Some(io::ErrorKind::PermissionDenied);
    let test = "a_process_that_has_a_database_calls_its_port_and_no_other";
    let Some(path) = std::env::var_os(INSIDE) else {
        let (database, other) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = database.local_addr().unwrap().port();
        let house = House::with_config(&format!(
            "[database]\nconnect = 'host=127.0.0.1 port={port}'\nobjects = 'file:objects'\n"
        ));
        fs::create_dir(house.path().join("objects")).unwrap();
        let ports = format!("{port} {}", other.local_addr().unwrap().port());
        fs::write(house.path().join("ports"), ports).unwrap();
        let said = inside(test, house.path());
        assert!(said.contains("all of it was tried") || said.contains("skipped"), "{said}");
        return;
    };
    let at = |name: &str| Path::new(&path).join(name);
    let config = Config::load(&at("doghouse.toml")).unwrap();
    let ports = fs::read_to_string(at("ports")).unwrap();
    let (database, other) = ports.split_once(' ').unwrap();
    let runs = std::env::current_exe().unwrap();
    if sandbox::enter(&Grant::of_configuration(&config)).unwrap() != Shut::All {
        println!("skipped: this kernel's Landlock knows no ports");
        return;
    }
    let call = |port: &str| kind(TcpStream::connect(format!("127.0.0.1:{port}")));
    assert_eq!(call(database), None, "the database it calls");
    assert_eq!(kind(fs::write(at("objects/x"), "")), None, "and objects it writes");
    assert!(("localhost", 0).to_socket_addrs().is_ok(), "and it looks up names");
    let address = format!("127.0.0.1:{other}").parse().unwrap();
    for (what, outcome) in [
        ("call another port", call(other)),
        ("call it with the first octets", kind(fast_open(address))),
        (
            "call it by MPTCP",
            kind(open_socket(AddressFamily::INET, SocketType::STREAM, Some(rustix::net::ipproto::MPTCP))),
        ),
        ("start a program", kind(Command::new(runs).spawn())),
        ("write where it only reads", kind(fs::write("/proc/self/comm", "x"))),
    ] {
        assert_eq!(outcome, DENIED, "it can {what}");
    }
    println!("all of it was tried");
}

/// What the kernel then refuses to others is the kernel's: here it is asked whether it will.
#[test]
fn no_other_process_of_the_same_user_looks_into_the_memory() {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
    let test = "no_other_process_of_the_same_user_looks_into_the_memory";
    if std::env::var_os(INSIDE).is_none() {
        assert!(inside(test, Path::new("/")).contains("it was asked"));
        return;
    }
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
    sandbox::keep_memory_private().unwrap();
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(getrlimit(Resource::Core).maximum, Some(0), "nor is a core file written");
    println!("it was asked");
}

#[test]
fn what_a_configuration_needs_is_granted_and_nothing_beside_it() {
    let folder = elsewhere();
    let root = folder.path().canonicalize().unwrap();
    let at = |name: &str| root.join(name);
    for name in ["etc", "mail", "run", "tls", "other", "homes", "homes/fido", "homes/rex"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("tls/key.pem"), "").unwrap();
    symlink(at("tls/key.pem"), at("etc/key.pem")).unwrap();
    let config = |text: &str| {
        let text = text.replace("ROOT", root.to_str().unwrap());
        Config::parse(&text, &at("etc/doghouse.toml")).unwrap()
    };
    // What lies beneath the test's own folder.
    let granted = |config: &Config, users: &str| {
        let users = users.replace("ROOT", root.to_str().unwrap());
        fs::write(at("etc/users"), users).unwrap();
        let grant = Grant::of(config, &house::accounts(config).unwrap());
        assert_eq!(grant.lacks(&grant), None, "{grant}");
        assert!(!grant.writes().iter().any(|place| place == "/"), "{grant}");
        let names = |places: &[PathBuf]| {
            let own = places.iter().filter_map(|place| place.strip_prefix(&root).ok());
            own.map(|place| place.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let shown = (names(grant.reads()), names(grant.writes()));
        (grant, shown.0, shown.1)
    };
    let text = "accounts.last_use_file = 'ROOT/run/last-use'\n[mail]\ndefault = ['maildir:ROOT/mail/later/{user}']\n\
                [[listener]]\nsocket = 'ROOT/run/pop2.sock'\n[[listener]]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    let homes = "fido:{PLAIN}bone:::fido:ROOT/homes/fido::\n";
    let (grant, reads, writes) = granted(&config(text), homes);
    assert_eq!((reads.as_str(), writes.as_str()), ("etc tls", "mail run"), "no mail lies in homes");

    for (old, new) in [
        ("maildir:ROOT/mail", "maildir:ROOT/other"),
        ("ROOT/run/pop2.sock", "ROOT/other/pop2.sock"),
        ("ROOT/run/last-use", "ROOT/other/last-use"),
        ("cert.pem", "ROOT/other/cert.pem"),
        // It may be read, which is not enough.
        ("ROOT/run/last-use", "ROOT/etc/last-use"),
    ] {
        let place = if new.contains("etc") { at("etc") } else { at("other") };
        let wanted = Grant::of_configuration(&config(&text.replace(old, new)));
        assert_eq!(grant.lacks(&wanted), Some(place.display().to_string()), "{new}");
    }

    let in_homes = text.replace("maildir:ROOT/mail/later/{user}", "maildir:{home}/Maildir");
    let (wanted, _, writes) = granted(&config(&in_homes), homes);
    assert_eq!(
        (writes.as_str(), grant.lacks(&wanted)),
        ("homes run", Some(at("homes").display().to_string()))
    );
    let mapped = format!("{text}[mail.folders]\nx = 'mbox:{{home}}/x'\n");
    assert_eq!(granted(&config(&mapped), homes).2, "homes mail run");
    let own = "rex:{PLAIN}x:::rex:ROOT/homes/rex::mail=mbox:~/x\n";
    assert_eq!(granted(&config(text), own).2, "homes mail run");
    assert_eq!(granted(&config(text), "rex:{PLAIN}x::::::mail=mbox:ROOT/other/x\n").2, "mail other run");
    // Nobody's home is reason enough to grant everything.
    let odd = "a:{PLAIN}x:::a:/nonexistent::\nb:{PLAIN}x:::b:/usr::\nc:{PLAIN}x:::c:/::\n";
    let (grant, _, writes) = granted(&config(&in_homes), odd);
    assert!(writes == "run" && grant.writes().contains(&"/usr".into()), "{grant}");
}

/// A folder that is not among the temporary ones, which are granted.
fn elsewhere() -> tempfile::TempDir {
    let is_temporary = |place: &Path| place.starts_with("/tmp") || place.starts_with(std::env::temp_dir());
    let place =
        [env!("CARGO_TARGET_TMPDIR"), "/var/tmp"].into_iter().find(|place| !is_temporary(place.as_ref()));
    tempfile::Builder::new().tempdir_in(place.unwrap()).unwrap()
}

/// A line of /proc/PID/status.
fn status(daemon: &Daemon, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in\n{text}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_server_has_no_privileges_once_it_serves() {
    let house = House::new();
    let daemon = house.serve();
    assert_eq!(status(&daemon, "NoNewPrivs"), "1");
    assert_eq!(status(&daemon, "Seccomp"), "2");
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    daemon.wait_for_log("the sandbox is shut");

    let open = House::with_config("");
    let config = fs::read_to_string(open.config()).unwrap();
    fs::write(open.config(), format!("sandbox = false\n{config}")).unwrap();
    assert_eq!(status(&open.serve(), "Seccomp"), "0", "where the operator wants none there is none");
}

/// Another user's number and group, where this is root.
fn nobody() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let id = |which: &str| {
        let output = Command::new("id").args([which, "nobody"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    Some((id("-u"), id("-g")))
}

#[test]
fn root_opens_the_doors_and_another_user_serves() {
    let Some((user, group)) = nobody() else { return };
    let house = House::with_config("[admin]\nsocket = 'run/admin.sock'\n");
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("user = 'nobody'\n{config}")).unwrap();
    house.put("fido", "1700000000.a", b"woof\n");
    fs::create_dir(house.path().join("run")).unwrap();
    for entry in [
        "",
        "users",
        "doghouse.toml",
        "run",
        "mail",
        "mail/fido",
        "mail/fido/new",
        "mail/fido/new/1700000000.a",
    ] {
        chown(house.path().join(entry), Some(user), Some(group)).unwrap();
    }
    let daemon = house.serve();
    assert_eq!(status(&daemon, "Uid"), format!("{user} {user} {user} {user}"));
    assert_eq!(status(&daemon, "Gid"), format!("{group} {group} {group} {group}"));
    for capabilities in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(&daemon, capabilities), "0000000000000000", "{capabilities}");
    }
    let owner =
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(house.path().join("run/admin.sock")).unwrap());
    assert_eq!(owner, user, "the admin socket is the server's user's");
    let mut client = daemon.connect();
    assert_eq!(client.log_in(), "#1 messages for you");
    client.say("READ");
    client.send(b"RETR\r\n");
    client.octets(6);
    client.say("ACKD");
    assert_eq!(client.say("QUIT"), "+ OK, bye");
    assert!(!house.maildir("fido").join("new/1700000000.a").exists());
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    assert!(daemon.stop().success());
}

#[test]
fn root_checks_with_the_eyes_of_the_server_s_user() {
    let Some((user, group)) = nobody() else { return };
    let house = House::new();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("user = 'nobody'\n{config}")).unwrap();
    house.put("fido", "1700000000.a", b"woof\n");
    chown(house.path(), Some(user), Some(group)).unwrap();
    let check = || {
        let output = house.command(&["check"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let mode = |name: &str, mode| {
        fs::set_permissions(house.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("mail/fido/new", 0o700);
    mode("users", 0o644);
    let (code, said) = check();
    assert!(said.contains("ok: the server becomes the user nobody"), "{said}");
    assert!(said.contains("fault: user fido: "), "what root can open, the server cannot: {said}");
    assert_eq!(code, Some(78));
    mode("mail/fido/new", 0o755);
    mode("doghouse.toml", 0o600);
    let (_, said) = check();
    assert!(!said.contains("fault: user"), "{said}");
    assert!(said.contains("at a reload that user reads it again"), "{said}");
}

#[test]
fn who_the_server_is_to_become_has_to_be_there() {
    if nobody().is_none() {
        return;
    }
    let house = House::new();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("user = 'no-such-dog'\n{config}")).unwrap();
    let output = house.command(&["serve"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(71), "{said}");
    assert!(said.contains("there is no user \"no-such-dog\" on this machine"), "{said}");
}

#[test]
fn a_reload_that_needs_more_than_the_sandbox_grants_is_refused_and_says_so() {
    let house = House::new();
    let daemon = house.serve();
    let other = elsewhere();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("mail/{user}", &format!("{}/{{user}}", other.path().display())))
        .unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("the old one stays in force error=\"the sandbox keeps ");
    assert!(daemon.connect().log_in().starts_with("#0"));
}

#[test]
fn check_shows_what_the_sandbox_allows() {
    let house = House::new();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.contains("the sandbox")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("reads ") && line.contains("writes ") && line.contains("system calls"), "{line}");

    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("maildir:mail/{user}", "maildir:/no-such-folder/{user}"))
        .unwrap();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("there is no folder /no-such-folder yet; make it, since the sandbox"), "{said}");
}
