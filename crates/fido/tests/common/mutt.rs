//! mutt, which opens mail and types keys.
#![allow(unreachable_pub, reason = "it is part of test programs")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::needs::are_there;

/// Whether mutt can be tried.
pub fn can_run() -> bool {
    are_there(&["mutt", "script"])
}

/// Has mutt open the mail and type these keys, on a terminal that `script` makes: without any it does not start.
pub fn mutt(home: &Path, mail: &Path, settings: &str, keys: &str) {
    // Without a folder of its own mutt first asks whether it may make one.
    let own = home.display();
    let run = home.join("run");
    let command = format!(
        "exec mutt -n -F /dev/null -e 'set folder={own}' -e '{settings}' -e \"push '{keys}'\" -f '{}'\n",
        mail.display()
    );
    fs::write(&run, command).unwrap();
    let mut script = Command::new("script");
    script.arg("-qec").arg(format!("sh '{}'", run.display())).arg("/dev/null");
    script.env("HOME", home).env("TERM", "vt100");
    let status = script.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "mutt: {status}");
}
