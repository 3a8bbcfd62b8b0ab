//! swaks posts by SMTP and by LMTP.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{can_run, common::House};

const CONFIG: &str = "
[[smtp]]
address = '127.0.0.1:0'
[[lmtp]]
socket = 'lmtp.sock'
[delivery]
make_folders = true
";

fn swaks(arguments: &[&str], body: &Path) -> Output {
    let mut command = Command::new("swaks");
    command.args(["--from", "rex@elsewhere.example", "--helo", "rex.example", "--suppress-data"]);
    command.arg("--data").arg(format!("@{}", body.display())).args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn swaks_delivers_by_smtp_and_lmtp_and_is_told_what_is_wrong() {
    if !can_run(&["swaks"]) {
        return;
    }
    let house = House::with_config(CONFIG);
    let daemon = house.serve();
    let body = house.path().join("letter");
    fs::write(&body, "Subject: bone\n\nWoof.\n.\n..\nlast\n").unwrap();
    let smtp = daemon.listens("SMTP");
    let socket = house.path().join("lmtp.sock").display().to_string();
    let ways: [&[&str]; 3] = [
        &["--server", &smtp],
        &["--server", &smtp, "--pipeline"],
        &["--protocol", "LMTP", "--socket", &socket],
    ];
    for way in ways {
        let to = |to: &'static str| [way, &["--to", to]].concat();
        let good = swaks(&to("fido@dog-house.example,smith+bones@dog-house.example"), &body);
        let said = String::from_utf8_lossy(&good.stdout).into_owned();
        assert!(good.status.success(), "{said}");
        let delivered = if way.contains(&"LMTP") { 2 } else { 1 };
        assert_eq!(said.matches("250 2.0.0 delivered").count(), delivered, "{said}");

        let bad = swaks(&to("nobody@dog-house.example"), &body);
        assert!(!bad.status.success());
        assert!(String::from_utf8_lossy(&bad.stdout).contains("550 5.1.1"));
        let relay = swaks(&to("fido@elsewhere.example"), &body);
        assert!(String::from_utf8_lossy(&relay.stdout).contains("550 5.7.1"));
    }
    for folder in ["fido/new", "smith/.bones/new"] {
        let mail: Vec<_> = fs::read_dir(house.path().join("mail").join(folder)).unwrap().collect();
        assert_eq!(mail.len(), 3, "{folder}");
        for message in mail {
            let message = fs::read_to_string(message.unwrap().path()).unwrap();
            // It puts blank lines behind what it is given.
            assert!(message.trim_end().ends_with("\nSubject: bone\n\nWoof.\n.\n..\nlast"), "{message}");
        }
    }
}
