//! The users file.

use doghouse::accounts::passwd_file::{PasswdFile, parse};
use pop2::Secret;

use crate::is_one_line;

/// Any octets are a users file, or are refused with a line number; one that is read is written as it was, what
/// is refused changes nothing, and when a user is removed the other lines stay.
///
/// No password is set: that takes milliseconds, by intent.
pub fn passwd_file(input: &[u8]) {
    let lines = input.split_inclusive(|&octet| octet == b'\n').count();
    let mut file = match parse(input) {
        Ok(file) => file,
        Err(faults) => {
            assert!(is_one_line(&faults.to_string()));
            assert!(faults.iter().is_sorted_by_key(|fault| fault.line));
            assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
            assert!(faults.iter().all(|fault| is_one_line(&fault.to_string())));
            return;
        }
    };
    assert_eq!(file.to_octets().as_slice(), input);
    for warning in file.warnings() {
        assert!((1..=lines).contains(&warning.line) && is_one_line(&warning.to_string()), "{warning}");
    }
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    refuse_changes(&mut file, &names);
    assert_eq!(file.to_octets().as_slice(), input, "a change that was refused was made");

    // One from the middle has lines on both sides.
    let Some(name) = names.get(names.len() / 2) else { return };
    assert!(file.remove(name).is_ok());
    assert!(!file.names().any(|left| left == name));
    let gone = |line: &[u8]| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
    let left = input.split_inclusive(|&octet| octet == b'\n').filter(|line| !gone(line));
    assert_eq!(file.to_octets().as_slice(), left.collect::<Vec<_>>().concat(), "another line has changed");
}

fn refuse_changes(file: &mut PasswdFile, names: &[String]) {
    for name in names {
        assert!(file.add(name, &Secret::from("bone")).is_err(), "{name} is there twice");
        for password in ["", "b\nne", "b\0ne", "b\u{f6}ne"] {
            assert!(file.set_password(name, &Secret::from(password)).is_err(), "{password:?} cannot be sent");
        }
    }
    for name in ["", "a:b", "a/b", ".a", "#a", "a b", "a\nb", "\u{f6}"] {
        assert!(file.add(name, &Secret::from("bone")).is_err(), "{name:?} is no name");
        assert!(file.remove(name).is_err() && file.set_password(name, &Secret::from("bone")).is_err());
    }
}
