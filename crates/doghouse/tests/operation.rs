//! The program as its operator meets it: commands, exit codes, signals, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use common::House;
use rustix::process::Signal;

fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What a command that fails says: its exit code and its one line.
fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("doghouse: ")).collect();
    assert_eq!(lines.len(), 1, "one clear line: {text}");
    (output.status.code().unwrap(), lines[0].to_owned())
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn decision_23_a_name_that_the_operator_has_mapped_is_that_users_folder() {
    let house = House::with_config("[mail.folders]\n\"/usr/spool/mail/{user}\" = \"mbox:spool/{user}\"\n");
    fs::create_dir(house.path().join("spool")).unwrap();
    for user in ["smith", "fido"] {
        let mail = "From x Fri Feb  1 09:12:33 1985\nSubject: x\n\nwoof\n\n";
        fs::write(house.path().join("spool").join(user), mail).unwrap();
    }
    let daemon = house.serve();
    for (login, name, count) in [
        ("smith cat", "/usr/spool/mail/smith", "#1"),
        ("smith cat", "/usr/spool/mail/fido", "#0"),
        ("smith cat", "/usr/spool/mail/{user}", "#0"),
        ("fido bone", "/usr/spool/mail/smith", "#0"),
        ("fido bone", "/usr/spool/mail/fido", "#1"),
        ("fido bone", "/usr/spool/mail/../mail/fido", "#0"),
    ] {
        let mut client = daemon.connect();
        client.line();
        client.say(&format!("HELO {login}"));
        let reply = client.say(&format!("FOLD {name}"));
        assert!(reply.starts_with(count), "{login}: {name}: {reply}");
        client.say("QUIT");
    }
}

#[test]
fn a_user_is_added_changed_listed_and_removed() {
    let house = House::new();
    let user = |arguments: &[&str], input: &str| {
        fed(house.command(&[&["user"], arguments].concat()), input.as_bytes())
    };
    assert!(user(&["add", "rex", "--password-stdin"], "old bone\n").status.success());
    let users = fs::read_to_string(house.path().join("users")).unwrap();
    assert!(users.contains("\nrex:{ARGON2ID}$argon2id$"), "{users}");
    assert_eq!(user(&["list"], "").stdout, b"fido\nsmith\nrex\n");

    let daemon = house.serve();
    let log_in = |password: &str| {
        let mut client = daemon.connect();
        client.line();
        client.say(&format!("HELO rex {password}"))
    };
    assert_eq!(log_in("old bone"), "#0 messages for you");
    assert!(user(&["passwd", "rex", "--password-stdin"], "new bone\r\n").status.success());
    assert!(log_in("old bone").starts_with("- login refused"), "no restart, no signal is needed");
    assert_eq!(log_in("new bone"), "#0 messages for you");
    assert!(user(&["remove", "rex"], "").status.success());
    assert!(log_in("new bone").starts_with("- login refused"));

    assert_eq!(failure(&user(&["remove", "rex"], "")), (67, "doghouse: there is no user rex".into()));
    assert_eq!(failure(&user(&["add", "../x", "--password-stdin"], "x\n")).0, 65);
    assert_eq!(failure(&user(&["add", "fido", "--password-stdin"], "x\n")).0, 65);
    assert_eq!(failure(&user(&["add", "new", "--password-stdin"], "\n")).0, 65);
}

#[test]
fn deliver_has_the_exit_codes_that_an_mta_understands() {
    let house = House::new();
    let deliver =
        |arguments: &[&str]| fed(house.command(&[&["deliver"], arguments].concat()), b"Subject: x\n\nwoof\n");
    assert!(deliver(&["fido"]).status.success());
    assert!(deliver(&["fido", "--folder", "lists.rust"]).status.success());
    assert_eq!(files(&house.maildir("fido").join("new")).len(), 1);
    assert_eq!(files(&house.maildir("fido").join(".lists.rust/new")).len(), 1);

    assert_eq!(failure(&deliver(&["rex"])), (67, "doghouse: there is no user \"rex\"".into()));
    assert_eq!(failure(&deliver(&["../fido"])).0, 67);
    assert_eq!(failure(&deliver(&["fido", "--folder", "../smith"])).0, 64);
    assert_eq!(deliver(&[]).status.code(), Some(64));

    // What the operator has got wrong must not send mail back.
    fs::write(house.config(), "mial = 1").unwrap();
    let (code, line) = failure(&deliver(&["fido"]));
    assert_eq!(code, 75);
    assert!(line.contains("doghouse.toml:1:1: unknown key \"mial\"; did you mean \"mail\"?"), "{line}");
}

#[test]
fn a_full_mailbox_is_temporary_and_what_never_fits_is_not() {
    let house = House::with_config("[quota]\noctets = 1000\n");
    let deliver = |octets: usize| fed(house.command(&["deliver", "fido"]), &vec![b'x'; octets]);
    assert!(deliver(900).status.success());
    let (code, line) = failure(&deliver(200));
    assert_eq!(code, 75);
    assert!(line.contains("the mailbox is full"), "{line}");
    let (code, line) = failure(&deliver(100_000));
    assert_eq!(code, 69);
    assert!(line.contains("a mailbox here takes 1000 octets in all"), "{line}");
    assert_eq!(files(&house.maildir("fido").join("new")).len(), 1);
    assert_eq!(files(&house.maildir("fido").join("tmp")), [""; 0]);
}

#[test]
fn a_place_that_cannot_be_written_is_temporary_and_leaves_nothing() {
    let house = House::new();
    fs::create_dir_all(house.path().join("mail")).unwrap();
    fs::write(house.maildir("fido"), "a file where the Maildir should be").unwrap();
    let (code, line) = failure(&fed(house.command(&["deliver", "fido"]), b"x"));
    assert_eq!(code, 75);
    assert!(line.contains("mail/fido is a symbolic link or not a folder"), "{line}");
}

#[test]
fn a_full_disk_is_temporary_and_leaves_nothing() {
    let house = House::new();
    house.deliver("fido", b"before");
    // The limit of file sizes stands in for the disk; the shell sets it for the program alone.
    let mut limited = Command::new("sh");
    let program = house.command(&["deliver", "fido"]);
    limited.arg("-c").arg("trap '' XFSZ; ulimit -f 8; exec \"$@\"").arg("sh").arg(program.get_program());
    limited.args(program.get_args());
    let (code, line) = failure(&fed(limited, &vec![b'x'; 100_000]));
    assert_eq!(code, 75);
    assert!(line.contains("cannot write a message in ") && line.contains("mail/fido/tmp"), "{line}");
    assert_eq!(files(&house.maildir("fido").join("new")).len(), 1);
    assert_eq!(files(&house.maildir("fido").join("tmp")), [""; 0]);
}

#[test]
fn check_says_everything_that_is_wrong_in_one_go() {
    let house = House::new();
    house.deliver("fido", b"one");
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("ok: messages in the users' default mailboxes: 1"), "{said}");

    std::os::unix::fs::symlink("/etc", house.maildir("smith")).unwrap();
    fs::write(house.path().join("users"), "fido:{SSHA}x\nsmith:{PLAIN}cat\n").unwrap();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("127.0.0.1:0", "192.0.2.1:0")).unwrap();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(said.contains("fault: cannot listen on 192.0.2.1:0: "), "{said}");
    assert!(said.contains("this machine has no such address; correct listener.address"), "{said}");
    assert!(said.contains("warning: ") && said.contains("user fido cannot log in"), "{said}");
    assert!(said.contains("fault: user smith: ") && said.contains("mail/smith is a symbolic link"), "{said}");
    assert_eq!(failure(&output), (78, "doghouse: 2 faults found".into()));
}

#[test]
fn check_warns_of_what_is_open_to_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::with_config(
        "[[listener]]\naddress = '127.0.0.1:0'\ncleartext_from = ['0.0.0.0/0']\nproxy_from = ['::/0']\n[[lmtp]]\naddress = '0.0.0.0:0'\n",
    );
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("sandbox = false\n{config}")).unwrap();
    fs::set_permissions(house.path().join("users"), fs::Permissions::from_mode(0o604)).unwrap();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for warning in [
        "/users can be used by everybody on this machine; chmod o-rwx ",
        "cleartext_from 0.0.0.0/0 takes passwords in clear from anywhere",
        "proxy_from ::/0 lets anybody say where they come from",
        "LMTP is for this machine's own MTA",
        "the server does not shut itself off from what it does not need",
    ] {
        assert!(
            said.lines().any(|line| line.starts_with("warning: ") && line.contains(warning)),
            "no {warning:?} in {said}"
        );
    }
}

#[test]
fn serve_does_not_start_with_what_is_wrong_and_says_what() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let house = House::new();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()))
        .unwrap();
    let (code, line) = failure(&house.command(&["serve"]).output().unwrap());
    assert_eq!(code, 69);
    assert!(line.contains("another program listens there; stop it, or change listener.address"), "{line}");

    fs::remove_file(house.path().join("users")).unwrap();
    let (code, line) = failure(&house.command(&["serve"]).output().unwrap());
    assert_eq!(code, 78);
    assert!(line.contains("/users: ") && line.contains("doghouse user add USER makes it"), "{line}");

    fs::remove_file(house.config()).unwrap();
    let (code, line) = failure(&house.command(&["serve"]).output().unwrap());
    assert_eq!(code, 78);
    assert!(line.contains("cannot read the configuration"), "{line}");
}

#[test]
fn a_mailbox_that_cannot_be_opened_is_told_and_the_server_goes_on() {
    let house = House::new();
    fs::create_dir_all(house.path().join("mail")).unwrap();
    std::os::unix::fs::symlink("/etc", house.maildir("fido")).unwrap();
    let daemon = house.serve();
    let mut client = daemon.connect();
    assert_eq!(client.log_in(), "- your mailbox cannot be opened now; try again later");
    daemon.wait_for_log("cannot open the default mailbox");
    assert!(daemon.log().contains("mail/fido is a symbolic link"));
    let mut other = daemon.connect();
    other.line();
    assert_eq!(other.say("HELO smith cat"), "#0 messages for you");
}

#[test]
fn sigterm_lets_sessions_finish_and_takes_no_new_ones() {
    let house = House::new();
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve();
    let mut waiting = daemon.connect();
    waiting.line();
    let mut late = daemon.connect();
    late.line();
    let mut working = daemon.connect();
    assert_eq!(working.log_in(), "#1 messages for you");
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("stopping; sessions at work may finish");
    assert_eq!(late.say("HELO fido bone"), "#1 messages for you", "it had connected before");
    assert_eq!(late.say("QUIT"), "+ OK, bye");
    assert!(waiting.line().starts_with("- the mailbox server is going down"), "nobody has logged in there");
    assert_eq!(working.say("READ"), "=6 characters in message 1");
    working.send(b"RETR\r\n");
    assert_eq!(working.octets(6), b"woof\r\n");
    assert_eq!(working.say("ACKD"), "=0 characters: no message to read");
    assert!(std::net::TcpStream::connect(daemon.address).is_err(), "the door is closed");
    assert_eq!(working.say("QUIT"), "+ OK, bye");
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(files(&house.maildir("fido").join("new")), [""; 0], "what was marked is deleted");
}

#[test]
fn a_session_that_does_not_finish_is_ended_and_deletes_nothing() {
    let house = House::with_config("[limits]\nshutdown_seconds = 0\n");
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve();
    let mut idle = daemon.connect();
    idle.log_in();
    idle.say("READ");
    idle.send(b"RETR\r\n");
    idle.octets(6);
    idle.say("ACKD");
    daemon.signal(Signal::INT);
    assert!(idle.line().starts_with("- the mailbox server is going down; nothing was deleted"));
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(files(&house.maildir("fido").join("new")).len(), 1);
}

#[test]
fn sighup_reads_configuration_and_users_again_and_refuses_what_is_wrong() {
    let house = House::new();
    let daemon = house.serve();
    let greeting = || daemon.connect().line();
    let config = fs::read_to_string(house.config()).unwrap();

    fs::write(house.config(), config.replace("dog-house.example", "kennel.example")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    assert!(greeting().starts_with("+ POP2 kennel.example "));

    fs::write(house.config(), "hostnam = \"x\"").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("the new configuration is refused; the old one stays in force");
    assert!(daemon.log().contains("did you mean \\\"hostname\\\"?"), "{}", daemon.log());
    assert!(greeting().starts_with("+ POP2 kennel.example "));

    fs::write(house.config(), config).unwrap();
    fs::write(house.path().join("users"), "no colon here\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("line 1: no ':' after the user name");
    assert!(greeting().starts_with("+ POP2 kennel.example "));
    assert_eq!(daemon.connect().log_in(), "#0 messages for you", "the old users stay");
}

#[test]
fn sighup_opens_new_doors_and_closes_old_ones() {
    let house = House::new();
    let daemon = house.serve();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("{config}\n[[listener]]\naddress = \"127.0.0.2:0\"\n")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    daemon.wait_for_log("address=127.0.0.2:");
    daemon.connect().line();
    fs::write(house.config(), config.replace("127.0.0.1:0", "127.0.0.2:0")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("no longer listening");
    let closed = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(10));
        std::net::TcpStream::connect(daemon.address).is_err()
    });
    assert!(closed, "the first door is still open");
}

#[test]
fn a_log_line_names_session_user_and_address_and_no_password() {
    let house = House::new();
    let daemon = house.serve();
    let mut client = daemon.connect();
    client.line();
    client.say("HELO fi\\\x1bdo s3cr3t");
    daemon.connect().log_in();
    daemon.wait_for_log("logged in session=2 rip=127.0.0.1 user=\"fido\"");
    daemon.wait_for_log("login refused session=1 rip=127.0.0.1 user=\"fi\\u{1b}do\"");
    daemon.wait_for_log("session ended session=1 ");
    assert!(!daemon.log().contains("s3cr3t") && !daemon.log().contains("bone"));
}

#[test]
fn the_demo_fetches_what_it_has_laid_out() {
    let output = House::bare_command(&["demo", "--once"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("C: HELO fido ********") && !said.contains("bone"), "{said}");
    assert!(said.contains("All 5 messages came to the octet as they are stored"), "{said}");
    let folder = said.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert!(!Path::new(folder).exists(), "nothing is left behind");
}

#[test]
fn help_and_version_are_no_errors() {
    for argument in ["--help", "--version", "help"] {
        assert!(House::bare_command(&[argument]).output().unwrap().status.success());
    }
    assert_eq!(House::bare_command(&["woof"]).output().unwrap().status.code(), Some(64));
}
