//! Passwords of devices, and homes and places that the users file names, as the operator and the machines meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{fs, os::unix::fs::symlink, path::Path};

use common::{Daemon, House};

fn run(house: &House, arguments: &[&str]) -> (i32, String, String) {
    let output = house.command(arguments).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn device(house: &House, arguments: &[&str]) -> (i32, String, String) {
    run(house, &[&["user", "device"], arguments].concat())
}

fn log_in(daemon: &Daemon, user: &str, password: &str) -> String {
    let mut client = daemon.connect();
    client.line();
    client.say(&format!("HELO {user} {password}"))
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_device_reads_what_it_may_and_deletes_what_it_may() {
    let house = House::new();
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve();
    let (code, password, told) = device(&house, &["add", "fido", "--label", "MicroVAX", "--read-only"]);
    assert_eq!(code, 0, "{told}");
    let password = password.trim_end();
    assert!(
        password.len() <= 18 && password.bytes().all(|octet| octet.is_ascii_alphanumeric()),
        "{password}"
    );
    let delete = |password: &str, reply: &str| {
        let mut client = daemon.connect();
        client.line();
        assert_eq!(client.say(&format!("HELO fido {password}")), "#1 messages for you");
        client.say("READ");
        client.send(b"RETR\r\n");
        client.octets(6);
        assert_eq!(client.say("ACKD"), "=0 characters: no message to read");
        assert_eq!(client.say("QUIT"), reply);
    };
    delete(password, "+ OK, but 1 marked messages could not be deleted and are still there; bye");
    assert_eq!(count(&house.maildir("fido").join("new")), 1);
    daemon.wait_for_log("user=\"fido\" device=\"MicroVAX\"");
    let (_, password, _) = device(&house, &["add", "fido", "--label", "Mac", "--from", "127.0.0.1,::1"]);
    delete(password.trim_end(), "+ OK, bye");
    assert_eq!(count(&house.maildir("fido").join("new")), 0);
    assert!(!daemon.log().contains(password.trim_end()));
}

#[test]
fn devices_are_listed_with_their_last_use_and_removed() {
    let house = House::new();
    let daemon = house.serve();
    let (_, password, _) = device(&house, &["add", "fido", "--label", "MicroVAX", "--from", "127.0.0.0/8"]);
    device(&house, &["add", "smith", "--label", "Mac"]);
    let (_, far, _) =
        device(&house, &["add", "fido", "--label", "far", "--from", "192.0.2.0/24,2001:db8::1"]);
    assert!(log_in(&daemon, "fido", password.trim_end()).starts_with("#0"));
    assert!(log_in(&daemon, "fido", far.trim_end()).starts_with("- login refused"));
    assert!(daemon.stop().success(), "it writes down when each was used last");

    let (code, table, _) = device(&house, &["list"]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("USER   LABEL     FROM"), "{table}");
    assert!(
        lines[1].starts_with("fido   MicroVAX  127.0.0.0/8 ") && lines[1].ends_with("GMT from 127.0.0.1"),
        "{table}"
    );
    assert!(lines[2].starts_with("smith  Mac       anywhere ") && lines[2].ends_with("never"), "{table}");
    let (_, json, _) = device(&house, &["list", "fido", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[0]["last_use"]["from"], "127.0.0.1");
    assert_eq!(json[1]["from"][1], "2001:db8::1/128");

    let daemon = house.serve();
    assert!(log_in(&daemon, "fido", password.trim_end()).starts_with("#0"));
    assert_eq!(device(&house, &["remove", "fido", "MicroVAX"]).0, 0);
    assert!(log_in(&daemon, "fido", password.trim_end()).starts_with("- login refused"));
    assert_eq!(run(&house, &["user", "remove", "fido"]).0, 0);
    assert_eq!(device(&house, &["list", "fido"]).1.lines().count(), 1, "a removed user's devices go");
}

#[test]
fn what_is_wrong_with_a_device_is_said() {
    let house = House::new();
    device(&house, &["add", "fido", "--label", "Mac"]);
    for (arguments, code, expected) in [
        (&["add", "fido", "--label", "Mac"][..], 65, "there is a device \"Mac\" already"),
        (&["add", "rex", "--label", "Mac"], 67, "there is no user rex"),
        (&["add", "fido", "--label", ""], 65, "a label has 1 to 64 characters"),
        (&["add", "fido", "--label", "x", "--from", "home"], 64, "write a network or an address"),
        (&["remove", "fido", "PC"], 65, "there is no device \"PC\""),
    ] {
        let (found, _, told) = device(&house, arguments);
        assert_eq!(found, code, "{told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    fs::write(house.path().join("devices"), "[[device]]\nuser = 1\n").unwrap();
    for command in [&["serve"][..], &["check"], &["user", "device", "list"]] {
        let (code, said, told) = run(&house, command);
        assert_eq!(code, 78, "{command:?}");
        assert!((said + &told).contains("devices: line 2: "), "{command:?}: {told}");
    }
}

#[test]
fn an_account_for_devices_has_no_password_that_anybody_knows() {
    let house = House::new();
    assert_eq!(run(&house, &["user", "add", "vax", "--devices-only"]).0, 0);
    let daemon = house.serve();
    let (_, password, _) = device(&house, &["add", "vax", "--label", "VAX"]);
    assert!(log_in(&daemon, "vax", "x").starts_with("- login refused"));
    assert!(log_in(&daemon, "vax", password.trim_end()).starts_with("#0"));
}

/// Users with homes: fido's own place, smith's by the configuration, rex has none, tom's is not understood.
fn homes() -> House {
    let house = House::with_config("");
    let home = house.path().join("home");
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("maildir:mail/{user}", "maildir:{home}/Maildir")).unwrap();
    let home = home.display();
    let users = format!(
        "fido:{{PLAIN}}bone:::gecos:{home}/fido::userdb_mail=mbox:~/mbox\n\
         smith:{{PLAIN}}cat::::{home}/smith::\n\
         rex:{{PLAIN}}bone\n\
         tom:{{PLAIN}}bone::::{home}/tom::userdb_mail=dbox:~/mail\n"
    );
    fs::write(house.path().join("users"), users).unwrap();
    for user in ["fido", "smith"] {
        fs::create_dir_all(house.path().join("home").join(user)).unwrap();
    }
    house
}

#[test]
fn mail_is_where_the_users_file_says() {
    let house = homes();
    house.deliver("fido", b"Subject: mbox\n\nwoof\n");
    house.deliver("smith", b"Subject: maildir\n\nwoof\n");
    let at = |path: &str| house.path().join("home").join(path);
    assert!(fs::read_to_string(at("fido/mbox")).unwrap().contains("Subject: mbox"));
    assert_eq!(count(&at("smith/Maildir/new")), 1);
    let daemon = house.serve();
    assert_eq!(log_in(&daemon, "fido", "bone"), "#1 messages for you");
    assert_eq!(log_in(&daemon, "smith", "cat"), "#1 messages for you");
    // Where it is not known whose mail is where, nothing is served and nothing goes astray.
    assert_eq!(log_in(&daemon, "rex", "bone"), "- your mailbox cannot be opened now; try again later");
    assert!(log_in(&daemon, "tom", "bone").starts_with("- login refused"));
    for user in ["rex", "tom"] {
        let (code, _, told) = run(&house, &["deliver", user]);
        assert_eq!(code, 75, "{told}");
        assert!(told.contains("does not say where its mail is"), "{told}");
    }
    let (code, said, _) = run(&house, &["check"]);
    assert_eq!(code, 78);
    assert!(said.contains("fault: user rex: the account does not say"), "{said}");
    assert!(said.contains("user tom cannot log in: its field userdb_mail is not understood"), "{said}");
}

#[test]
fn a_home_leads_no_further_than_itself() {
    let house = homes();
    house.deliver("smith", b"Subject: secret\n\nwoof\n");
    let home = house.path().join("home");
    fs::remove_dir_all(home.join("fido")).unwrap();
    fs::create_dir(home.join("fido")).unwrap();
    // Fido's own place is an mbox; make it a Maildir that is smith's.
    let users = fs::read_to_string(house.path().join("users")).unwrap();
    fs::write(house.path().join("users"), users.replace("mbox:~/mbox", "maildir:~/Maildir")).unwrap();
    symlink(home.join("smith/Maildir"), home.join("fido/Maildir")).unwrap();
    let daemon = house.serve();
    assert_eq!(log_in(&daemon, "fido", "bone"), "- your mailbox cannot be opened now; try again later");
    daemon.wait_for_log("is a symbolic link");
}
