//! `fido setup`, the part about sending; and TLS from the first octet on.

use std::fs;

use crate::{
    common::{Outcome, Peer, bare_fido, run},
    desk::Desk,
    sink::{Sink, Speaks},
};

#[test]
fn a_message_goes_by_tls_from_the_first_octet_on() {
    let sink = Sink::new(Speaks::Tls, &[]);
    let login = "security = 'tls'\nca = 'ca.pem'\nuser = 'fido'\npassword-command = 'echo bone'";
    let desk = Desk::new(sink.address, login);
    fs::write(desk.path("ca.pem"), &sink.pem).unwrap();
    desk.send(&["--to", "a@b"], "woof\n").ends(0, "sent to a@b");
    assert!(sink.messages()[0].ends_with("woof\n"));
    assert!(sink.lines().iter().all(|line| line.starts_with('*')));
    assert!(sink.lines().contains(&"*AUTH PLAIN AGZpZG8AYm9uZQ==".to_owned()));
    let desk = Desk::new(sink.address, &login.replace("bone", "stone").replace("ca = 'ca.pem'\n", ""));
    desk.send(&["--to", "a@b"], "woof\n").ends(76, "the message is in the folder Drafts");
}

/// Sets up an account `home` with a mailbox that is empty, and answers what is asked behind it.
pub(crate) fn setup(folder: &std::path::Path, answers: &[&str]) -> Outcome {
    let script = "S: + POP2 dog-house Ready\nsilence";
    let login = "S: + POP2 dog-house Ready\nC: HELO fred bone\nS: #0 messages\nC: QUIT\nS: + OK";
    let peer = Peer::plays(&[script, login]);
    let mail = format!("maildir:{}", folder.join("mail").display());
    let host = peer.address.to_string();
    let all = [&[host.as_str(), "fred", "bone", "home", "", &mail, "n"], answers].concat();
    let config = folder.join("config.toml");
    let outcome = run(bare_fido().arg("--config").arg(&config).arg("setup"), &(all.join("\n") + "\n"));
    peer.done();
    outcome
}

#[test]
fn setup_finds_how_a_server_hides_what_passes_and_pins_its_certificate() {
    for (speaks, security) in [(Speaks::StartTls, "starttls"), (Speaks::Tls, "tls")] {
        let sink = Sink::new(speaks, &[]);
        let folder = tempfile::tempdir().unwrap();
        let host = sink.address.to_string();
        let answers = [&host, "y", "fido", "bone", "Fido <fido@dog.example>", "echo bone"];
        let outcome = setup(folder.path(), &answers);
        outcome.ends(0, "`fido fetch home` fetches the mail, `fido write` sends some");
        for shown in ["speaks SMTP by TLS, with this certificate", "names        127.0.0.1", "Logged in."] {
            assert!(outcome.stderr.contains(shown), "{shown}: {}", outcome.stderr);
        }
        assert!(sink.messages().is_empty() && !sink.lines().iter().any(|line| line.starts_with("AUTH")));
        let config = folder.path().join("config.toml");
        let written = fs::read_to_string(&config).unwrap();
        assert!(written.contains(&format!("security = \"{security}\"")), "{written}");
        assert!(written.contains("pin = \"sha256:"), "{written}");
        let send =
            |text: &str| run(bare_fido().arg("--config").arg(&config).args(["send", "--to", "a@b"]), text);
        send("woof\n").ends(0, "sent to a@b");
        assert!(
            sink.messages()[0].contains("\nFrom: Fido <fido@dog.example>\n")
                || sink.messages()[0].starts_with("From: Fido <fido@dog.example>\n")
        );
    }
}

#[test]
fn setup_takes_a_server_in_clear_and_no_server_at_all() {
    let sink = Sink::new(Speaks::Plain, &[]);
    let folder = tempfile::tempdir().unwrap();
    let host = sink.address.to_string();
    let outcome = setup(folder.path(), &[&host, "", "fido@dog.example"]);
    outcome.ends(0, "`fido fetch home` fetches the mail, `fido write` sends some");
    assert!(outcome.stderr.contains("It answers. Nothing was sent."), "{}", outcome.stderr);
    let written = fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(written.contains("[account.home.smtp]") && written.contains("security = \"plain\""), "{written}");
    for answers in [&[][..], &[""]] {
        let folder = tempfile::tempdir().unwrap();
        setup(folder.path(), answers).ends(0, "`fido fetch home` fetches the mail.");
        let written = fs::read_to_string(folder.path().join("config.toml")).unwrap();
        assert!(written.contains("[account.home]") && !written.contains("smtp"), "{written}");
    }
}

#[test]
fn what_cannot_be_set_up_for_sending_is_said_and_the_mailbox_stays() {
    let sink = Sink::new(Speaks::StartTls, &[]);
    let host = sink.address.to_string();
    let stays = "the account home is written all the same";
    for (answers, code, why) in [
        (vec![host.as_str(), "n"], 76, "the server is not trusted"),
        (vec![&host, "y", "fido", "stone", "fido@dog.example"], 77, "535 wrong password"),
        (vec![&host, "y", "", "fido"], 64, "is no address"),
        (vec!["a b"], 64, "a host is a name"),
        (vec!["127.0.0.1:1"], 69, "127.0.0.1:1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = setup(folder.path(), &answers);
        outcome.ends(code, why);
        outcome.ends(code, stays);
        let written = fs::read_to_string(folder.path().join("config.toml")).unwrap();
        assert!(written.contains("[account.home]") && !written.contains("smtp"), "{written}");
    }
    assert!(!sink.lines().iter().any(|line| line.starts_with("AUTH")), "{:?}", sink.lines());
}
