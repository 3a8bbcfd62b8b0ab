//! The cluster of `packaging/cluster-example`, by the command that an operator would try.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Tests stop at the first surprise.

use std::{path::Path, process::Command};

#[test]
fn the_example_proves_that_a_killed_server_takes_no_mail_with_it() {
    let bin = Path::new(env!("CARGO_BIN_EXE_doghouse")).parent().unwrap();
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/cluster-example/run");
    let mut command = Command::new(run);
    command.args(["--once", "--bin"]).arg(bin).env_remove("DOGHOUSE_LOG");
    // Where the environment of the object store is that other tests use as well.
    let output = command.env("CARGO_TARGET_DIR", bin.parent().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}{errors}", output.status);
    assert!(said.ends_with("both came whole, by node 2\n"), "{said}{errors}");
    assert_eq!(errors, "");
}
