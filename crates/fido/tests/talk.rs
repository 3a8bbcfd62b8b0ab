//! `fido talk` with its standard input in a pipe.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod common;

use common::{Outcome, Peer, fido, run};

fn talk(script: &str, arguments: &[&str], input: &str) -> Outcome {
    let peer = Peer::plays(&[script]);
    let outcome = run(&mut fido(peer.address, "talk", arguments), input);
    peer.done();
    outcome
}

#[test]
fn the_wire_is_shown_without_the_password() {
    let script = "S: + POP2 dog-house.example Server Ready
                  C: helo fred bone
                  S: #1 message
                  C: read 1
                  S: =22 characters
                  C: retr
                  S: Subject: \x1b[2J
                  S:
                  S: W\t.
                  C: acks
                  S: =0
                  C: quit
                  S: + OK";
    let outcome = talk(script, &[], "helo fred bone\nread 1\r\nretr\nacks\nquit\nnever sent\n");
    outcome.ends(0, "");
    assert_eq!(
        outcome.stdout,
        "S: + POP2 dog-house.example Server Ready\n\
         C: HELO fred ********\n\
         S: #1 message\n\
         C: read 1\n\
         S: =22 characters\n\
         C: retr\n\
         S: Subject: \\x1b[2J\n\
         S: \n\
         S: W\t.\n\
         (22 octets)\n\
         C: acks\n\
         S: =0\n\
         C: quit\n\
         S: + OK\n"
    );
}

#[test]
fn garbage_is_sent_as_it_is_and_the_answer_shown() {
    let script = "S: + POP2 dog-house.example
                  C: woof \\x
                  S: - no such command
                  close";
    let outcome = talk(script, &[], "woof \\x\nQUIT\n");
    outcome.ends(75, "the server closed the connection");
    assert!(outcome.stdout.contains("\nC: woof \\x\nS: - no such command\n"), "{outcome:?}");
}

#[test]
fn the_end_of_the_input_ends_the_session() {
    talk("S: + POP2 dog-house.example\nC: HELO fred\nclose", &[], "HELO fred").ends(75, "closed");
    talk("S: + POP2 dog-house.example\nC: NACK\nS: - no", &[], "NACK\n").ends(0, "");
}

#[test]
fn a_user_is_logged_in_first() {
    let script = "S: + POP2 dog-house.example
                  C: HELO fred my\\ bone
                  S: #1 message
                  C: QUIT
                  S: + OK";
    let outcome = talk(script, &["--user", "fred", "--password-stdin"], "my bone\nQUIT\n");
    outcome.ends(0, "");
    assert!(outcome.stdout.contains("\nC: HELO fred ********\n"), "{outcome:?}");
}

#[test]
fn a_retr_of_nothing_is_answered_by_a_line() {
    // UW ipop2d does so.
    let script = "S: + POP2 uw.example
                  C: READ 9
                  S: =0
                  C: RETR
                  S: + Sayonara
                  close";
    let outcome = talk(script, &[], "READ 9\nRETR\n");
    assert!(outcome.stdout.ends_with("C: RETR\nS: + Sayonara\n"), "{outcome:?}");
}

#[test]
fn a_message_that_does_not_come_whole_and_a_silent_server_are_said() {
    let script = "S: + POP2 dog-house.example\nC: READ 1\nS: =999999999999999999\nC: RETR\nS: Woof";
    talk(&format!("{script}\nclose"), &[], "READ 1\nRETR\n").ends(75, "closed the connection");
    talk(&format!("{script}\nsilence"), &["--timeout", "1"], "READ 1\nRETR\n").ends(75, "within 1 seconds");
    talk("silence", &["--timeout", "1"], "QUIT\n").ends(75, "no answer within 1 seconds");
}

#[test]
fn a_line_without_end_is_no_reply() {
    let script = format!("S: {}\nsilence", "+".repeat(600));
    talk(&script, &[], "QUIT\n").ends(76, "at most 512 octets");
}
