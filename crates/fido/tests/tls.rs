//! fido speaks TLS with the servers that it trusts, and with no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;
mod house;

use std::{fs, io::Read, path::PathBuf};

use common::{Outcome, Peer, Place, bare_fido, fido, messages, run};
use house::House;
use rcgen::{CertificateParams, KeyPair};

/// A server with a certificate for 127.0.0.1 that no authority of any system has signed.
fn tls_house() -> House {
    let house = House::with("certificate = 'crt.pem'\nkey = 'key.pem'\n", |folder| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(folder.join("crt.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    });
    house.put(1, "Subject: 1\n\nWoof.\n");
    house
}

fn certificate(house: &House) -> PathBuf {
    house.path().join("crt.pem")
}

fn fetch(house: &House, trust: &[&str], place: &Place) -> Outcome {
    let target = place.target("maildir");
    let arguments = [&["--user", "fido", "--password-stdin", "--to", &target], trust].concat();
    run(&mut fido(house.address, "fetch", &arguments), "bone\n")
}

#[test]
fn mail_comes_by_tls_from_a_server_that_is_trusted() {
    let house = tls_house();
    let authority = certificate(&house);
    let fingerprint = fido::tls::Fingerprint::of(&pem(&authority)).to_string();
    for trust in [["--ca", authority.to_str().unwrap()], ["--pin", &fingerprint]] {
        let place = Place::new();
        fetch(&house, &trust, &place).ends(0, "1 message");
        assert_eq!(messages(&place.path()), ["Subject: 1\n\nWoof.\n"]);
    }
}

fn pem(path: &std::path::Path) -> tokio_rustls::rustls::pki_types::CertificateDer<'static> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_file(path).unwrap()
}

#[test]
fn a_server_that_is_not_trusted_hears_no_password() {
    let house = tls_house();
    let other = "ab".repeat(32);
    let empty = house.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let (empty, missing) = (empty.to_str().unwrap(), "/nonexistent/ca.pem");
    for (trust, code, text) in [
        (vec!["--pin", &other], 76, "not the certificate that was pinned"),
        (vec!["--tls"], 76, "the server is not trusted"),
        (vec!["--ca", empty], 69, "it holds no certificate in PEM"),
        (vec!["--ca", missing], 69, "cannot use the authorities"),
        (vec!["--pin", "sha256:12"], 64, ""),
    ] {
        let place = Place::new();
        let outcome = fetch(&house, &trust, &place);
        assert_eq!(outcome.code, Some(code), "{outcome:#?}");
        assert!(outcome.stderr.contains(text), "{outcome:#?}");
        assert!(!place.path().exists(), "{trust:?}");
    }
}

#[test]
fn what_is_no_tls_is_said_and_hears_nothing() {
    let place = Place::new();
    let target = place.target("maildir");
    let trust = ["--tls", "--user", "fido", "--password-stdin", "--to", &target];
    let plain = Peer::serves(|listener| {
        let mut stream = listener.accept().unwrap().0;
        std::io::Write::write_all(&mut stream, b"+ POP2 dog-house ready\r\n").unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert!(!heard.windows(4).any(|octets| octets == b"bone"));
    });
    run(&mut fido(plain.address, "fetch", &trust), "bone\n").ends(76, "is there TLS on that port?");
    plain.done();
    let silent = Peer::serves(|listener| {
        let _ = listener.accept().unwrap().0.read_to_end(&mut Vec::new());
    });
    let arguments = [&trust[..], &["--timeout", "1"]].concat();
    run(&mut fido(silent.address, "fetch", &arguments), "bone\n").ends(75, "TLS does not begin");
    silent.done();
    let closes = Peer::serves(|listener| drop(listener.accept().unwrap()));
    run(&mut fido(closes.address, "fetch", &trust), "bone\n").ends(75, "no TLS");
    closes.done();
}

#[test]
fn an_account_of_the_configuration_is_enough() {
    let house = tls_house();
    let place = Place::new();
    let config = house.path().join("fido.toml");
    let text = format!(
        "[account.home]\nhost = '{}'\nuser = 'fido'\nca = 'crt.pem'\npassword-command = 'echo bone'\nto = '{}'\ndelete = true\n",
        house.address,
        place.target("maildir")
    );
    fs::write(&config, text).unwrap();
    let fido = |arguments: &[&str]| run(bare_fido().arg("--config").arg(&config).args(arguments), "");
    assert_eq!(fido(&["check"]).stdout, "1 message in the default mailbox\n");
    fido(&["fetch", "home"]).ends(0, "deleted on the server");
    assert_eq!(messages(&place.path()), ["Subject: 1\n\nWoof.\n"]);
    fido(&["fetch"]).ends(0, "no new messages");
    fido(&["fetch", "work"]).ends(64, "\"work\" is no account; there are home");
    fs::write(&config, "[account.home]\nhos = 1\n").unwrap();
    fido(&["fetch"]).ends(78, "unknown field `hos`");
}

#[test]
fn setup_asks_tries_shows_the_certificate_and_writes_an_account() {
    let house = tls_house();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fido/config.toml");
    let target = format!("maildir:{}", folder.path().join("mail/home").display());
    let setup = |answers: &[&str]| {
        run(bare_fido().arg("--config").arg(&config).arg("setup"), &(answers.join("\n") + "\n"))
    };
    let host = house.address.to_string();
    let refused = setup(&[&host, "n"]);
    refused.ends(76, "the server is not trusted");
    assert!(!config.exists(), "nothing is written");
    let wrong = setup(&[&host, "y", "fido", "stone"]);
    wrong.ends(77, "the server refuses the login");
    let outcome = setup(&[&host, "y", "fido", "bone", "home", "echo bone", &target, "y"]);
    outcome.ends(0, "`fido fetch home` fetches the mail");
    let fingerprint = fido::tls::Fingerprint::of(&pem(&certificate(&house))).to_string();
    for shown in ["names        127.0.0.1", "valid until", &fingerprint, "Logged in: 1 message "] {
        assert!(outcome.stderr.contains(shown), "{shown}: {}", outcome.stderr);
    }
    let fido = |arguments: &[&str]| run(bare_fido().arg("--config").arg(&config).args(arguments), "");
    assert!(
        fido(&["accounts"]).stdout.starts_with(&format!("home: fido on {host}, by TLS with {fingerprint}; "))
    );
    assert!(fido(&["accounts", "--json"]).stdout.starts_with("[{\"name\":\"home\""));
    fido(&["fetch"]).ends(0, "deleted on the server");
    assert_eq!(messages(&folder.path().join("mail/home")), ["Subject: 1\n\nWoof.\n"]);
    // Another one beside it, and none of the same name.
    setup(&[&host, "y", "fido", "bone", "home"]).ends(64, "there is an account home already");
    setup(&[&host, "y", "fido", "bone", "work", "", "-", "n"]).ends(0, "`fido fetch work`");
    assert_eq!(fido(&["accounts"]).stdout.lines().count(), 2);
    setup(&[]).ends(64, "");
}

#[test]
fn setup_finds_a_server_without_tls() {
    let script = "S: + POP2 dog-house Ready\nsilence";
    let login = "S: + POP2 dog-house Ready\nC: HELO fred bone\nS: #0 messages\nC: QUIT\nS: + OK";
    let peer = Peer::plays(&[script, login]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let answers =
        format!("{}\nfred\nbone\n\n\nmbox:{}\n\n", peer.address, folder.path().join("box").display());
    let outcome = run(bare_fido().arg("--config").arg(&config).arg("setup"), &answers);
    outcome.ends(0, "`fido fetch home` fetches the mail");
    peer.done();
    let written = fs::read_to_string(&config).unwrap();
    assert!(written.contains("[account.home]") && !written.contains("tls"), "{written}");
}
