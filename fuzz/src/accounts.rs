//! The users file.

use doghouse::accounts::passwd_file::parse;

/// Any octets are a users file or are refused; one that is read is written as it was, and after a user is
/// removed the other lines are.
pub fn passwd_file(octets: &[u8]) {
    let Ok(mut file) = parse(octets) else { return };
    assert_eq!(file.to_octets().as_slice(), octets);
    let warnings = file.warnings().count();
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    assert!(warnings <= names.len());
    let Some(first) = names.first() else { return };
    assert!(file.remove(first).is_ok());
    let left = file.to_octets();
    assert!(parse(&left).is_ok(), "what is left is no users file");
    let lines = |octets: &[u8]| octets.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines(&left) + 1, lines(octets));
    assert!(file.names().eq(names.iter().skip(1).map(String::as_str)));
}
