//! `fido check` and `fido fetch` against a server that does all as RFC 937 says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod common;

use std::{fs, net::TcpListener, process::Command};

use common::{Peer, Place, TWO, fido, messages, run, two_messages, without_times};

const ONE_CHECK: &str = "S: + POP2 dog-house.example Server Ready
                         C: HELO fred bone
                         S: #1 message
                         C: QUIT
                         S: + OK";

#[test]
fn check_says_how_many_messages_there_are() {
    let outcome = Peer::plays(&[ONE_CHECK]).meets("check", &[]);
    outcome.ends(0, "");
    assert_eq!(outcome.stdout, "1 message in the default mailbox\n");
}

#[test]
fn check_asks_for_each_folder_on_a_connection_of_its_own() {
    let work = "S: + POP2 dog-house.example Server Ready
                C: HELO fred bone
                S: #1 message
                C: FOLD Old work\\\\1
                S: #13 messages
                C: QUIT
                S: + OK";
    let none = work.replace(r"Old work\\1", "none").replace("#13", "#0");
    let outcome =
        Peer::plays(&[work, &none]).meets("check", &["--folder", r"Old work\1", "--folder", "none"]);
    outcome.ends(0, "");
    assert_eq!(
        outcome.stdout,
        "13 messages in Old work\\\\1\nno messages in none, or there is no such folder\n"
    );
}

#[test]
fn raw_sends_arguments_unquoted() {
    let script = "S: + POP2 ka9q
                  C: HELO fr ed my\\bone
                  S: #1
                  C: FOLD old mail
                  S: #2
                  C: QUIT
                  S: + OK";
    let peer = Peer::plays(&[script]);
    let arguments = [
        "--raw",
        "--user",
        "fr ed",
        "--password-command",
        r"printf '%s\n' 'my\bone'",
        "--folder",
        "old mail",
    ];
    let outcome = run(&mut fido(peer.address, "check", &arguments), "");
    peer.done();
    outcome.ends(0, "");
}

#[test]
fn messages_are_kept_unless_delete_is_asked_for() {
    for (arguments, ack, there) in
        [(&[][..], "ACKS", "kept"), (&["--keep"], "ACKS", "kept"), (&["--delete"], "ACKD", "deleted")]
    {
        let place = Place::new();
        let peer = Peer::plays(&[&two_messages(ack)]);
        let outcome = peer.meets("fetch", &[&["--to", &place.target("maildir")], arguments].concat());
        outcome.ends(0, &format!("2 messages (33 B) fetched to {}, {there}", place.target("maildir")));
        assert_eq!(messages(&place.path()), TWO);
        place.holds_only_mail();
    }
}

#[test]
fn no_message_is_acknowledged_before_it_is_in_the_maildir() {
    let place = Place::new();
    let (path, mut acknowledged) = (place.path(), 0);
    let peer = Peer::watched(&[&two_messages("ACKD")], move |line| {
        if line == "ACKD" {
            acknowledged += 1;
            assert_eq!(messages(&path), TWO[..acknowledged]);
        }
    });
    peer.meets("fetch", &["--delete", "--to", &place.target("maildir")]).ends(0, "2 messages");
}

#[test]
fn an_mbox_is_appended_to() {
    let place = Place::new();
    fs::write(place.path(), "From before\n\nx").unwrap();
    let peer = Peer::plays(&[&two_messages("ACKD")]);
    peer.meets("fetch", &["--delete", "--to", &place.target("mbox")]).ends(0, "deleted on the server");
    assert_eq!(place.mbox(), "From \n\nx\n\nFrom \nSubject: 1\n\nWoof.\n\nFrom \nSubject: 2\n\n");
    place.holds_only_mail();
}

#[test]
fn standard_output_becomes_an_mbox_stream() {
    let expected = "From \nSubject: 1\n\nWoof.\n\nFrom \nSubject: 2\n\n";
    let outcome = Peer::plays(&[&two_messages("ACKS")]).meets("fetch", &["--to", "-"]);
    outcome.ends(0, "fetched to standard output");
    assert_eq!(without_times(&outcome.stdout), expected);

    let place = Place::new();
    let peer = Peer::plays(&[&two_messages("ACKS")]);
    let fetch = fido(peer.address, "fetch", &["--user", "fred", "--password-stdin", "--to", "-"]);
    let into_file = format!(">>{}", place.path().display());
    run(
        Command::new("sh").args(["-c", &format!("exec \"$0\" \"$@\" {into_file}")]).args(argv(&fetch)),
        "bone\n",
    )
    .ends(0, "fetched to standard output");
    peer.done();
    assert_eq!(place.mbox(), expected);
}

#[test]
fn holes_in_the_numbering_are_passed() {
    let script = two_messages("ACKS").replace("#2 messages", "#4 messages").replace(
        "C: READ 2",
        "C: READ 2
         S: =0
         C: READ 3
         S: - Invalid message number
         C: READ 4",
    );
    let place = Place::new();
    Peer::plays(&[&script]).meets("fetch", &["--to", &place.target("maildir")]).ends(0, "2 messages");
    assert_eq!(messages(&place.path()), TWO);
}

#[test]
fn each_folder_is_fetched_on_a_connection_of_its_own() {
    let folder = |name: &str| {
        two_messages("ACKD")
            .replacen("S: #2 messages", &format!("S: #0\nC: FOLD {name}\nS: #2 messages"), 1)
            .replace("Woof.", &format!("Woof{name}"))
    };
    let place = Place::new();
    let peer = Peer::plays(&[&folder("1"), &folder("2")]);
    let arguments = ["--delete", "--folder", "1", "--folder", "2", "--to", &place.target("maildir")];
    peer.meets("fetch", &arguments).ends(0, "4 messages (66 B)");
    assert_eq!(
        messages(&place.path()),
        ["Subject: 1\n\nWoof1\n", "Subject: 1\n\nWoof2\n", "Subject: 2\n", "Subject: 2\n"]
    );
}

#[test]
fn line_ends_are_stored_as_lf_and_nothing_else_is_touched() {
    let script = "S: + POP2 dog-house.example
                  C: HELO fred bone
                  S: #1
                  C: READ 1
                  S: =16
                  C: RETR
                  S: a\rb\0.\x1b
                  S: .
                  S: From x
                  C: ACKS
                  S: =0
                  C: QUIT
                  S: + OK";
    let script = script.replace("=16", "=19");
    let place = Place::new();
    Peer::plays(&[&script]).meets("fetch", &["--to", &place.target("maildir")]).ends(0, "1 message");
    assert_eq!(messages(&place.path()), ["a\rb\0.\x1b\n.\nFrom x\n"]);
}

#[test]
fn a_message_that_cannot_be_stored_is_not_acknowledged_and_those_before_it_are_deleted() {
    let place = Place::new();
    let (path, mut retrieved) = (place.path(), 0);
    let script = two_messages("ACKD");
    let (first, second) = script.rsplit_once("ACKD").unwrap();
    let script = format!("{first}NACK{}", second.replace("=0 no more", "=12"));
    // The mbox becomes something else while the second message is on its way.
    let peer = Peer::watched(&[&script], move |line| {
        if line == "RETR" {
            retrieved += 1;
            if retrieved == 2 {
                fs::rename(&path, path.with_extension("1")).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
    });
    let outcome = peer.meets("fetch", &["--delete", "--to", &place.target("mbox")]);
    outcome.ends(73, "cannot deliver: cannot open ");
    assert!(outcome.stderr.contains("1 message (21 B) fetched"), "{outcome:?}");
    assert!(outcome.stderr.contains("deleted on the server"), "{outcome:?}");
}

/// A session in which a large message is not received.
const NOT_RECEIVED: &str = "S: + POP2 dog-house.example
                            C: HELO fred bone
                            S: #1
                            C: READ 1
                            S: =3000
                            C: RETR
                            S: MESSAGE
                            C: NACK
                            S: =3000
                            C: QUIT
                            S: + OK";

#[test]
fn a_disk_that_is_full_leaves_no_part_of_a_message() {
    let script = NOT_RECEIVED.replace("MESSAGE", &"x".repeat(2998));
    for (kind, before) in [("maildir", 0), ("mbox", 2000)] {
        let place = Place::new();
        if before > 0 {
            fs::write(place.path(), "y".repeat(before)).unwrap();
        }
        let peer = Peer::plays(&[&script]);
        let target = place.target(kind);
        let fetch =
            fido(peer.address, "fetch", &["--user", "fred", "--password-stdin", "--delete", "--to", &target]);
        // Files may grow to 2 or 4 KiB: the message fits, but not behind what is in the mbox.
        let limit = if kind == "mbox" { "ulimit -f 8" } else { "ulimit -f 4" };
        let limited = format!("trap '' XFSZ; {limit}; exec \"$0\" \"$@\"");
        run(Command::new("sh").args(["-c", &limited]).args(argv(&fetch)), "bone\n").ends(74, "cannot");
        peer.done();
        assert_eq!(messages(&place.path()).len(), 0);
        assert_eq!(place.mbox().len(), before);
        place.holds_only_mail();
    }
}

#[test]
fn standard_output_that_takes_nothing_is_not_acknowledged() {
    let peer = Peer::plays(&[&NOT_RECEIVED.replace("MESSAGE", &"x".repeat(2998))]);
    let fetch = fido(peer.address, "fetch", &["--user", "fred", "--password-stdin", "--delete", "--to", "-"]);
    run(Command::new("sh").args(["-c", "exec \"$0\" \"$@\" >/dev/full"]).args(argv(&fetch)), "bone\n")
        .ends(74, "cannot pass the message to standard output");
    peer.done();
}

#[test]
fn verbose_shows_the_dialogue_without_the_password() {
    let place = Place::new();
    let peer = Peer::plays(&[&two_messages("ACKS")]);
    let outcome = peer.meets("fetch", &["-v", "--to", &place.target("maildir")]);
    outcome.ends(0, "2 messages");
    for line in
        ["S: + POP2 dog-house.example Server Ready", "C: HELO fred ********", "S: (21 octets)", "C: QUIT"]
    {
        assert!(outcome.stderr.lines().any(|shown| shown == line), "{line}: {outcome:#?}");
    }
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let address = "127.0.0.1:109".parse().unwrap();
    for arguments in [
        &["--user", "fred"][..],
        &["--user", "fred", "--to", "here"],
        &["--user", "fr\u{e9}d", "--to", "-"],
        &["--user", "fred", "--to", "-", "--keep", "--delete"],
        &["--user", "fred", "--to", "-", "--timeout", "0"],
        &["--user", "fred", "--to", "-", "--password", "bone"],
        &["--to", "-"],
        // No terminal to ask at, and nothing else said.
        &["--user", "fred", "--to", "-"],
    ] {
        assert_eq!(run(&mut fido(address, "fetch", arguments), "").code, Some(64), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["fetch", "--help"]] {
        let outcome = run(Command::new(env!("CARGO_BIN_EXE_fido")).args(arguments), "");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    }
    let too_long = "x".repeat(600);
    let peer = Peer::plays(&["S: + POP2 dog-house.example\nsilence"]);
    let outcome = run(&mut fido(peer.address, "check", &["--user", &too_long, "--password-stdin"]), "bone\n");
    outcome.ends(64, "too long");
    peer.done();
}

#[test]
fn a_host_that_is_not_there_is_said_so() {
    let check = |host: &str| {
        let mut fido = Command::new(env!("CARGO_BIN_EXE_fido"));
        run(fido.args(["check", host, "--user", "fred", "--password-stdin"]), "bone\n")
    };
    check("no-such-host.invalid").ends(68, "no such host");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&free.to_string()).ends(69, "cannot connect");
}

#[test]
fn a_target_that_cannot_be_is_found_before_the_server_is_asked() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    for target in [place.target("mbox"), format!("{}/no/mail", place.target("maildir"))] {
        let arguments = ["--user", "fred", "--password-stdin", "--to", &target];
        run(&mut fido(address, "fetch", &arguments), "bone\n").ends(73, "cannot put mail in");
    }
}

#[test]
fn a_login_that_is_refused_is_77() {
    let script = "S: + POP2 dog-house.example
                  C: HELO fred bone
                  S: - wrong user or \x1b[2Jpassword
                  C: QUIT
                  close";
    let outcome = Peer::plays(&[script]).meets("check", &[]);
    outcome.ends(77, r"the server refuses the login: wrong user or \x1b[2Jpassword; check --user");
}

#[test]
fn the_password_comes_from_a_command_or_not_at_all() {
    let address = "127.0.0.1:1".parse().unwrap();
    let arguments = ["--user", "fred", "--password-command", "exit 7"];
    run(&mut fido(address, "check", &arguments), "").ends(69, "the password command failed");
    run(&mut fido(address, "check", &["--user", "fred", "--password-stdin"]), "\n")
        .ends(74, "first line is empty");
}

/// The program and its arguments, for a shell to run.
fn argv(command: &Command) -> impl Iterator<Item = &std::ffi::OsStr> {
    std::iter::once(command.get_program()).chain(command.get_args())
}
