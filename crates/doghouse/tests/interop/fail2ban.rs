//! fail2ban finds refused logins in the log, and nothing else.

use std::{fs, path::Path, process::Command};

use crate::{can_run, common::House};

/// How many of the lines fail2ban matches, and how many it does not.
fn matched(log: &Path) -> (usize, usize) {
    let filter =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/fail2ban/filter.d/doghouse.conf");
    let output = Command::new("fail2ban-regex").arg(log).arg(filter).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.starts_with("Lines: ")).unwrap_or_else(|| panic!("{said}"));
    let number = |word: &str| {
        let before = line.split(word).next().unwrap();
        before.split_whitespace().last().unwrap().parse().unwrap()
    };
    (number(" matched"), number(" missed"))
}

#[test]
fn fail2ban_finds_refused_logins_and_nothing_else() {
    if !can_run(&["fail2ban-regex"]) {
        return;
    }
    for format in ["text", "json"] {
        let house =
            House::with_config(&format!("[log]\nformat = '{format}'\n[limits]\nlogin_failures = 100\n"));
        let daemon = house.serve();
        // A name that would be another's address, were it believed.
        let forged = r"HELO x\ rip=192.0.2.1\ user=\ reason=login\ refused bad";
        let sessions: [&[&str]; 6] = [
            &["HELO fido cat"],
            &["HELO nobody x"],
            &[forged],
            &["HELO fido bone", "QUIT"],
            &["QUIT"],
            &["woof"],
        ];
        for lines in sessions {
            let mut client = daemon.connect();
            client.line();
            for line in lines {
                client.say(line);
            }
            client.end();
        }
        let pattern =
            if format == "text" { "session ended session=6 " } else { "\"session ended\",\"session\":6," };
        daemon.wait_for_log(pattern);
        let log = daemon.log();
        assert!(log.contains("192.0.2.1"), "{log}");
        let file = house.path().join("log");
        fs::write(&file, &log).unwrap();
        assert_eq!(matched(&file), (3, log.lines().count() - 3), "{log}");
        let in_journal = |line| format!("2026-11-24T02:01:39.510283+00:00 dog-house doghouse[109]: {line}\n");
        let journal: String = log.lines().map(in_journal).collect();
        fs::write(house.path().join("journal"), &journal).unwrap();
        assert_eq!(matched(&house.path().join("journal")), (3, log.lines().count() - 3), "{journal}");
        // The address is the client's own.
        let output = Command::new("fail2ban-regex")
            .args(["-o", "<ip>"])
            .arg(&file)
            .arg(
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/fail2ban/filter.d/doghouse.conf"),
            )
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "127.0.0.1\n".repeat(3));
    }
}
