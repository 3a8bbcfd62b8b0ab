//! What a user does at the terminal, with servers, files and other programs behind it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{house::House, maildir, tmux::Tmux};

/// Writes a program for the shell.
fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// An account of that server, with its mail in `mail`; more lines follow.
fn account(tmux: &Tmux, house: &House, more: &str) {
    let text = format!(
        "[account.home]\nhost = '{}'\nuser = 'fido'\nto = 'maildir:{}'\n{more}",
        house.address,
        tmux.path("mail").display()
    );
    fs::create_dir(tmux.path("fido")).unwrap();
    fs::write(tmux.path("fido/config.toml"), text).unwrap();
}

#[test]
fn mail_is_fetched_while_the_list_is_shown() {
    let Some(tmux) = Tmux::start() else { return };
    let house = House::new();
    account(&tmux, &house, "");
    house.put(0, "From: Rex <rex@x>\nSubject: Where is it?\n\nx\n");
    tmux.fido("");
    tmux.wait("no messages; G fetches mail");
    tmux.press(&["G"]);
    tmux.wait("Password of fido on");
    tmux.enter("bone");
    tmux.wait("Where is it?");
    house.put(1, "From: Smith <smith@x>\nSubject: Behind the house\n\nx\n");
    // The password is known now.
    tmux.press(&["Enter"]);
    tmux.wait("Subject: Where");
    tmux.press(&["G"]);
    tmux.wait("fetched to");
    tmux.press(&["q"]);
    tmux.wait_for_all(&["Behind the house", "1 unread, 2 messages"]);
    tmux.press(&["Q"]);
    tmux.is_put_back();
    assert!(!String::from_utf8_lossy(&tmux.written()).contains("bone"), "the password was shown");
    house.close();
}

#[test]
fn a_wrong_password_is_asked_for_again() {
    let Some(tmux) = Tmux::start() else { return };
    let house = House::new();
    account(&tmux, &house, "");
    tmux.fido("");
    for (password, answer) in [("cat", "login refused"), ("bone", "no new messages")] {
        tmux.wait("no messages; G fetches mail");
        tmux.press(&["G"]);
        tmux.wait("Password of fido on");
        tmux.enter(password);
        tmux.wait(answer);
    }
    house.close();
}

#[test]
fn a_search_shows_what_is_found_and_goes_back() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.opens(mail.path(), "newest first");
    tmux.press(&["/"]);
    tmux.enter("caf");
    tmux.wait_until("what is found", |screen| {
        screen.contains("INBOX, \"caf\"") && screen.contains("Café") && !screen.contains("Signed")
    });
    tmux.press(&["Escape"]);
    tmux.wait("Signed");
    tmux.press(&["b"]);
    tmux.enter("old tree");
    tmux.wait_until("what is found", |screen| {
        screen.contains("found in") && screen.contains("The bone") && !screen.contains("Signed")
    });
    tmux.press(&["Enter"]);
    tmux.wait("behind the house");
    tmux.press(&["q", "Escape"]);
    tmux.wait("Signed");
}

#[test]
fn attachments_are_saved_beside_what_is_there_and_opened() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    script(
        &tmux.path("opener"),
        &format!(
            "cat \"$1\" > '{0}/seen.tmp'; basename \"$1\" >> '{0}/seen.tmp'; mv '{0}/seen.tmp' '{0}/seen'",
            tmux.path("").display()
        ),
    );
    tmux.enter(&format!("export FIDO_OPENER='{}'", tmux.path("opener").display()));
    tmux.opens(mail.path(), "newest first");
    tmux.press(&["/"]);
    tmux.enter("pictures");
    tmux.press(&["Enter"]);
    tmux.wait("Attached: 1 ");
    let target = tmux.path("taken.txt");
    fs::write(&target, "mine").unwrap();
    for _ in 0..2 {
        tmux.press(&["s"]);
        tmux.wait("Save m message, 1-");
        tmux.enter("1");
        tmux.wait("Save attachment 1 to: ");
        tmux.press(&["C-u"]);
        tmux.enter(&target.display().to_string());
        tmux.wait("saved as");
    }
    assert_eq!(tmux.read("taken.txt"), "mine");
    let names = fs::read_dir(tmux.path("")).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(names.filter(|it| it.to_string_lossy().starts_with("taken")).count(), 3);
    tmux.press(&["s"]);
    tmux.wait("Save m message");
    tmux.enter("m");
    tmux.wait("Save message to: ");
    tmux.press(&["C-u"]);
    tmux.enter(&target.display().to_string());
    tmux.wait("cannot save to");
    assert_eq!(tmux.read("taken.txt"), "mine");
    tmux.press(&["o"]);
    tmux.wait("Open attachment 1-");
    tmux.enter("1");
    tmux.wait("is opened by");
    tmux.wait_until("what the opener has seen", |_| tmux.path("seen").exists());
    tmux.press(&["Q"]);
    tmux.is_put_back();
}

#[test]
fn answers_stand_below_what_they_answer() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    for (number, (id, references)) in [("1", ""), ("2", "<1@x>"), ("3", "<1@x> <2@x>")].iter().enumerate() {
        let text = format!(
            "From: Rex <rex@x>\nSubject: Walk {id}\nDate: {} Nov 2026 10:00:00 +0000\nMessage-ID: <{id}@x>\nReferences: {references}\n\nx\n",
            10 + number
        );
        fs::write(mail.path().join(format!("new/180000000{number}.w{number}.h")), text).unwrap();
    }
    tmux.opens(mail.path(), "newest first");
    tmux.press(&["t"]);
    tmux.wait_until("the threads", |screen| {
        let lines =
            ["newest first, threads", " Walk 1", " > Walk 2", "   > Walk 3"].map(|text| screen.find(text));
        lines.iter().all(Option::is_some) && lines.is_sorted()
    });
}

#[test]
fn a_message_is_answered_and_marked_once_it_is_sent() {
    let Some(tmux) = Tmux::start() else { return };
    let smtp = "[[smtp]]\naddress = '127.0.0.1:0'\n[delivery]\ndomains = ['dog-house.example']\n";
    let house = House::with(smtp, |_| {});
    let more = format!(
        "password-command = 'echo bone'\n[account.home.smtp]\nhost = '{}'\nsecurity = 'plain'\n\
         from = 'Rex <rex@dog-house.example>'\n",
        house.addresses().last().unwrap()
    );
    account(&tmux, &house, &more);
    house
        .put(0, "From: Fido <fido@dog-house.example>\nTo: fido@dog-house.example\nSubject: Bone\n\nWhere?\n");
    script(&tmux.path("editor"), "printf 'Behind the house.\\n' >> \"$1\"");
    tmux.enter(&format!("export VISUAL='{}'", tmux.path("editor").display()));
    tmux.fido("");
    tmux.wait("no messages");
    tmux.press(&["G"]);
    tmux.wait("Bone");
    for (answer, told) in
        [("k", "the draft is in the folder Drafts"), ("s", "sent to fido@dog-house.example")]
    {
        tmux.press(&["r"]);
        // The question of the round before may still be there, with its answer.
        tmux.wait_until("a question", |screen| screen.trim_end().ends_with("[t]hrow away?"));
        tmux.enter(answer);
        let screen = tmux.wait(told);
        let mark = screen.lines().nth(1).unwrap().get(..3).unwrap();
        assert_eq!(mark.contains('r'), answer == "s", "{screen}");
    }
    tmux.press(&["G"]);
    // The questions name the subject too, and are seen again while the password's command has the terminal.
    tmux.wait_for_all(&["Rex", "Re: Bone"]);
    tmux.press(&["Q"]);
    tmux.is_put_back();
    house.close();
}
