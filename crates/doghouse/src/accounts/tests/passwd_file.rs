//! Reading the users file and changing it in memory.

use pop2::Secret;
use proptest::prelude::*;

use crate::accounts::Error;
use crate::accounts::passwd_file::{NameFault, PasswdFile, parse};
use crate::accounts::scheme::Locked;

const FILE: &str = "# the kennel\r\n\
                    \r\n\
                    spot:{PLAIN}bone:1000:1000:Spot, a dog:/home/spot:/bin/sh:userdb_quota=1G  # \u{e4}\r\n\
                    rex:$5$kennel$siWKy4k.qdMASdkqlh8auUegBBtyiZA/GRQTg6cz.79\r\n\
                    \t # no more dogs\r\n\
                    tom:!";

fn read(text: impl AsRef<[u8]>) -> PasswdFile {
    parse(text.as_ref()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn written(file: &PasswdFile) -> String {
    String::from_utf8(file.to_octets().to_vec()).expect("the file is UTF-8")
}

fn faults(text: impl AsRef<[u8]>) -> Vec<String> {
    parse(text.as_ref()).expect_err("the file has a fault").iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    read(text).warnings().map(|warning| warning.to_string()).collect()
}

#[test]
fn the_users_come_in_the_order_of_the_file() {
    let file = read(FILE);
    assert_eq!(file.names().collect::<Vec<_>>(), ["spot", "rex", "tom"]);
    assert_eq!(file.warnings().count(), 0, "tom is locked on purpose");
    let usable: Vec<_> = file.into_accounts().map(|(name, account)| (name, account.hash.err())).collect();
    let expected = [("spot", None), ("rex", None), ("tom", Some(Locked::OnPurpose))];
    assert_eq!(usable, expected.map(|(name, locked)| (name.to_owned(), locked)));
}

#[test]
fn blank_files_have_no_users() {
    for blank in ["", "\n", "\r\n", "#", "  \t", "# a\n#b:c\n\n", "#\x01\n"] {
        assert_eq!(read(blank).names().count(), 0, "{blank:?}");
        assert_eq!(written(&read(blank)), blank);
    }
}

#[test]
fn every_faulty_line_is_told_with_its_number_and_the_remedy() {
    let text = "ok:{PLAIN}a\n\nhunter2\nok:{PLAIN}hunter2\n:hunter2\nhunter2\x07:x\nhunter two:x\n\u{fc}:x\n\
                .hunter2:x\n..:x\nhunter/2:x\na\0:x\nb:hunter2\rx\n";
    assert_eq!(
        faults(text),
        [
            "line 3: no ':' after the user name; a line is user:{SCHEME}hash",
            "line 4: the user of line 1 once more; take one of the two out",
            "line 5: the user name is empty; a line is user:{SCHEME}hash",
            "line 6: a control character; take it out",
            "line 7: a user name is made of visible ASCII characters, without blanks",
            "line 8: a user name is made of visible ASCII characters, without blanks",
            "line 9: a user name does not begin with '.' and holds no '/', since it is the name of a folder",
            "line 10: a user name does not begin with '.' and holds no '/', since it is the name of a folder",
            "line 11: a user name does not begin with '.' and holds no '/', since it is the name of a folder",
            "line 12: a control character; take it out",
            "line 13: a control character; take it out",
        ]
    );
    let all = parse(text.as_bytes()).unwrap_err();
    assert!(all.to_string().ends_with("user:{SCHEME}hash (and 10 more)"));
    assert!(!format!("{all} {all:?}").contains("hunter"), "what may be a password is not told");
    assert_eq!(faults(format!("{}:x", "n".repeat(256))), ["line 1: a user name has 255 characters at most"]);
    assert_eq!(read(format!("{}:x", "n".repeat(255))).names().count(), 1);
}

#[test]
fn an_account_that_cannot_be_used_is_a_warning() {
    let file = "spot:{PLAIN}bone\nrex:{SSHA}hunter2\ntom:hunter2\nann:\nbob:{SHA512-CRYPT}$6$hunter2\nval:{PLAIN}\n\
                max:$2b$21$abcdefghijklmnopqrstuu0jRxOnYmq2C1Ew/zJYmwVLiFBbmsGcS\n";
    assert_eq!(
        warnings(file),
        [
            "line 2: user rex cannot log in: its password scheme is none of PLAIN, CLEARTEXT, ARGON2ID, \
             SHA512-CRYPT, SHA256-CRYPT, BLF-CRYPT, CRYPT; set a new password",
            "line 3: user tom cannot log in: its hash begins with none of $argon2id$, $2a$, $2b$, $2y$, $5$, $6$; \
             set a new password",
            "line 5: user bob cannot log in: its SHA512-CRYPT hash is damaged; set a new password",
            "line 6: user val cannot log in: its password is empty; set one",
            "line 7: user max cannot log in: its BLF-CRYPT hash costs more than is allowed (a cost of 16); \
             set a new password",
        ]
    );
    assert_eq!(format!("{:?}", read(file)), "PasswdFile(7 accounts)");
}

#[test]
fn extra_fields_that_keep_users_out_are_obeyed() {
    let line = |extra: &str| format!("spot:{{PLAIN}}bone::::::{extra}\n");
    let locked = |extra: &str| read(line(extra)).into_accounts().find_map(|(_, account)| account.hash.err());
    assert_eq!(locked("userdb_home=/nologin nologins=1 a=nologin"), None);
    assert_eq!(locked("userdb_quota=1G nologin"), Some(Locked::OnPurpose));
    assert_eq!(locked("nologin=y reason=moved:away"), Some(Locked::OnPurpose));
    assert_eq!(locked("allow_nets=127.0.0.1,::1"), None);
    assert_eq!(locked("allow_nets=everywhere"), Some(Locked::Networks));
    assert_eq!(locked("x allow_real_nets=127.0.0.1"), Some(Locked::RealNetworks));
    assert_eq!(locked("userdb_mail=dbox:~/mail"), Some(Locked::Mail));
    assert!(warnings(&line("nologin")).is_empty());
    assert_eq!(warnings(&line("nologin allow_nets=x")).len(), 1);
}

#[test]
fn adding_keeps_the_lines_and_their_ends() {
    let mut file = read(FILE);
    file.add("ann", &Secret::from("bone")).unwrap();
    let text = written(&file);
    let added = text.strip_prefix(FILE).unwrap().strip_prefix("\nann:{ARGON2ID}$argon2id$").unwrap();
    assert!(added.ends_with("\r\n"), "the file's lines end so");
    assert_eq!(read(&text).names().last(), Some("ann"));

    let mut file = PasswdFile::empty();
    file.add("ann", &Secret::from("bone")).unwrap();
    file.add("bob", &Secret::from("bone")).unwrap();
    let text = written(&file);
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with("ann:{ARGON2ID}") && text.ends_with('\n') && !text.contains('\r'));
    let hashes: Vec<_> = file.into_accounts().map(|(_, account)| account.hash.unwrap()).collect();
    assert!(hashes.iter().all(|hash| hash.verify(&Secret::from("bone"))));
}

#[test]
fn setting_a_password_keeps_all_else() {
    let mut file = read(FILE);
    for user in ["spot", "rex", "tom"] {
        file.set_password(user, &Secret::from("new bone")).unwrap();
    }
    let text = written(&file);
    for (old, new) in FILE.split('\n').zip(text.split('\n')) {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let (mut old, new) = (fields(old), fields(new));
        if let (Some(password), Some(stored)) = (old.get_mut(1), new.get(1)) {
            assert!(stored.starts_with("{ARGON2ID}$argon2id$"));
            *password = stored.trim_end().to_owned() + if password.ends_with('\r') { "\r" } else { "" };
        }
        assert_eq!(old, new);
    }
    assert!(
        read(&text)
            .into_accounts()
            .all(|(_, account)| account.hash.unwrap().verify(&Secret::from("new bone")))
    );
}

#[test]
fn removing_keeps_the_other_lines() {
    let mut file = read(FILE);
    file.remove("rex").unwrap();
    let without: String = FILE.split_inclusive('\n').filter(|line| !line.starts_with("rex")).collect();
    assert_eq!(written(&file), without);
    assert!(matches!(file.remove("rex"), Err(Error::Unknown(user)) if user == "rex"));
}

#[test]
fn changes_that_cannot_be_made_change_nothing() {
    let bone = Secret::from("bone");
    let mut file = read(FILE);
    assert_eq!(
        file.add("spot", &bone).unwrap_err().to_string(),
        "there is a user spot already; change the password instead"
    );
    assert_eq!(file.set_password("ann", &bone).unwrap_err().to_string(), "there is no user ann");
    for (name, fault) in [
        ("", NameFault::Empty),
        ("two dogs", NameFault::Invisible),
        ("dog\n", NameFault::Invisible),
        ("d\u{f6}g", NameFault::Invisible),
        (".", NameFault::NoFolder),
        ("..", NameFault::NoFolder),
        ("../dog", NameFault::NoFolder),
        ("dog/bone", NameFault::NoFolder),
        (".dog", NameFault::NoFolder),
        ("#dog", NameFault::NoField),
        ("dog:bone", NameFault::NoField),
        ("n".repeat(256).as_str(), NameFault::Long),
    ] {
        assert!(matches!(file.add(name, &bone), Err(Error::Name(found)) if found == fault), "{name}");
    }
    assert!(matches!(file.add("ann", &Secret::from("")), Err(Error::EmptyPassword)));
    for unsendable in ["b\0ne", "bone\r", "b\nne", "b\u{f6}ne"] {
        let error = file.set_password("spot", &Secret::from(unsendable)).unwrap_err();
        assert!(matches!(error, Error::UnsendablePassword), "{unsendable:?}");
        assert!(matches!(file.add("ann", &Secret::from(unsendable)), Err(Error::UnsendablePassword)));
    }
    assert_eq!(written(&file), FILE);
}

/// Users files with every kind of line, most of them without a fault.
fn users_file() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        1 => Just(Vec::new()),
        1 => "#.{0,12}".prop_map(String::into_bytes),
        6 => ("[a-z0-9@_+-]{1,8}", "[!*]?(\\{(PLAIN|CRYPT|SSHA)\\})?[a-z$0-9]{0,9}", "(:[^\\x00-\\x1f\\x7f]{0,9}){0,9}")
            .prop_map(|(name, password, rest)| format!("{name}:{password}{rest}").into_bytes()),
        1 => "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    let lines = prop::collection::vec((line, any::<bool>()), 0..9);
    (lines, any::<bool>()).prop_map(|(lines, ended)| {
        let end = |crlf| if crlf { &b"\r\n"[..] } else { b"\n" };
        let last = if ended { &b""[..] } else { b"z:{PLAIN}z" };
        let lines = lines.into_iter().flat_map(|(line, crlf)| [line, end(crlf).to_vec()]);
        lines.chain([last.to_vec()]).collect::<Vec<_>>().concat()
    })
}

proptest! {
    #[test]
    fn any_octets_are_a_file_or_faults(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(file) = parse(&octets) {
            prop_assert_eq!(&**file.to_octets(), &octets);
        }
    }

    #[test]
    fn what_is_read_is_written_again(octets in users_file()) {
        if let Ok(file) = parse(&octets) {
            prop_assert_eq!(&**file.to_octets(), &octets);
        }
    }

    #[test]
    fn a_user_taken_out_leaves_every_other_line(octets in users_file(), choice in any::<prop::sample::Index>()) {
        let Ok(mut file) = parse(&octets) else { return Ok(()) };
        let names: Vec<_> = file.names().map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(());
        }
        let name = choice.get(&names);
        file.remove(name).unwrap();
        let of_user = format!("{name}:").into_bytes();
        let lines = octets.split_inclusive(|&octet| octet == b'\n').filter(|line| !line.starts_with(&of_user));
        prop_assert_eq!(&**file.to_octets(), &lines.collect::<Vec<_>>().concat());
    }
}

proptest! {
    // Each case pays for Argon2.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_user_added_or_changed_leaves_every_other_line(octets in users_file()) {
        let Ok(mut file) = parse(&octets) else { return Ok(()) };
        let (new, secret) = ("NEW", Secret::from("bone"));
        let lines = |octets: &[u8]| octets.split(|&o| o == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        file.add(new, &secret).unwrap();
        let added = file.to_octets();
        prop_assert!(added.starts_with(&octets));
        file.set_password(new, &secret).unwrap();
        for (before, after) in lines(&added).iter().zip(lines(&file.to_octets())) {
            prop_assert_eq!(before == &after, !before.starts_with(b"NEW:"));
        }
        file.remove(new).unwrap();
        let removed = file.to_octets();
        prop_assert!(removed.starts_with(&octets) && removed.len() <= octets.len() + 1);
    }
}
