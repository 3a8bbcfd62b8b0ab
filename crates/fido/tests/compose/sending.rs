//! To Doghouse itself, and to a server that keeps to a script and has a certificate.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};

use crate::{
    common::{Peer, messages},
    desk::Desk,
};

#[test]
fn a_message_arrives_octet_by_octet() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("mail/fido/new")).unwrap();
    fs::write(folder.path().join("users"), "fido:{PLAIN}bone\n").unwrap();
    let text = "[[listener]]\naddress = '127.0.0.1:0'\n[[smtp]]\naddress = '127.0.0.1:0'\n\
                [delivery]\ndomains = ['dog.example']\n";
    let config = Config::parse(text, &folder.path().join("x.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon = {
        let _within = runtime.enter();
        Daemon::start(config.clone(), Doors::open(&config, Handed::default()).unwrap(), None).unwrap()
    };
    let desk = Desk::new(*daemon.addresses().last().unwrap(), "security = 'plain'");
    let body = format!(".\n..\n.x\n{}\nFrom me\nwöof\n\n.\n", "y".repeat(900));
    let message = format!(
        "To: fido@dog.example\nSubject: x\nDate: Tue, 5 Mar 2024 10:00:00 +0100\nMessage-ID: <1@x>\nFrom: <fido@dog.example>\n\
         MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\n{body}--b--\n"
    );
    desk.send(&[], &message).ends(0, "sent to fido@dog.example");
    let attached = desk.path("x.bin");
    fs::write(&attached, [0, 13, 10, 255]).unwrap();
    desk.send(&["--to", "fido@dog.example", "--attach", attached.to_str().unwrap()], "wöof\n.\n")
        .ends(0, "sent to");
    let arrived = messages(&folder.path().join("mail/fido"));
    let sent = desk.folder("Sent");
    assert_eq!((arrived.len(), sent.len(), desk.folder("Drafts").len()), (2, 2, 0));
    for (name, text) in sent {
        assert!(name.ends_with(":2,S"), "{name}");
        assert!(arrived.iter().any(|arrived| arrived.ends_with(&text)), "{text}\n{arrived:#?}");
    }
    assert!(arrived.iter().any(|arrived| arrived.ends_with(&message)));
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn a_password_goes_by_starttls_to_a_server_that_is_trusted_and_to_no_other() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (pem, der) = (certificate.pem(), certificate.der().clone());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der], key.serialize_der().try_into().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let begin = |stream: &mut TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for answer in ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"] {
            if !answer.starts_with("220 x") {
                assert!(["EHLO localhost", "STARTTLS"].contains(&line(&mut reader).as_str()));
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    };
    for ways in ["PLAIN", "LOGIN"] {
        let config = Arc::clone(&config);
        let peer = Peer::serves(move |listener| {
            let mut stream = listener.accept().unwrap().0;
            begin(&mut stream);
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut tls = BufReader::new(tls);
            let answers: &[(&str, &str)] = match ways {
                "PLAIN" => &[("AUTH PLAIN AGZpZG8AYm9uZQ==", "235 in")],
                _ => &[("AUTH LOGIN", "334 x"), ("Zmlkbw==", "334 x"), ("Ym9uZQ==", "235 in")],
            };
            assert_eq!(line(&mut tls), "EHLO [127.0.0.1]");
            tls.get_mut().write_all(format!("250-x\r\n250 AUTH {ways}\r\n").as_bytes()).unwrap();
            for (said, answer) in answers {
                assert_eq!(line(&mut tls), *said);
                tls.get_mut().write_all(format!("{answer}\r\n").as_bytes()).unwrap();
            }
            assert_eq!(line(&mut tls), "MAIL FROM:<fido@dog.example>");
            tls.get_mut().write_all(b"550 enough\r\n").unwrap();
            let _ = tls.read_to_end(&mut Vec::new());
        });
        let desk = Desk::new(peer.address, "ca = 'ca.pem'\nuser = 'fido'\npassword-command = 'echo bone'");
        fs::write(desk.path("ca.pem"), &pem).unwrap();
        desk.send(&["--to", "a@b"], "x").ends(69, "550 enough");
        peer.done();
    }
    let peer = Peer::serves(move |listener| {
        let mut stream = listener.accept().unwrap().0;
        begin(&mut stream);
        let mut connection = ServerConnection::new(config).unwrap();
        // The client ends the handshake.
        assert!(connection.complete_io(&mut stream).is_err());
    });
    let pin = format!("pin = '{}'\nuser = 'fido'\npassword-command = 'echo bone'", "ab".repeat(32));
    let desk = Desk::new(peer.address, &pin);
    desk.send(&["--to", "a@b"], "x").ends(76, "not the certificate that was pinned");
    assert_eq!(desk.folder("Drafts").len(), 1);
    peer.done();
}
