//! The server's decision table, cell by cell, and the decisions that concern it.

use super::*;

/// A machine whose owner keeps a mailbox of three messages of 10, 20 and 30 octets.
struct House {
    server: Server,
    deleted: Option<Marks>,
    now: Instant,
}

impl House {
    fn new() -> Self {
        let now = Instant::now();
        Self { server: Server::new(&Settings::new("dog-house.example"), now), deleted: None, now }
    }

    /// The session in `state`, with the output so far thrown away.
    fn in_state(state: State) -> Self {
        let mut house = Self::new();
        house.say(match state {
            State::Auth => "",
            State::Mbox => "HELO fred bone\r\n",
            State::Item => "HELO fred bone\r\nREAD\r\n",
            State::Next => "HELO fred bone\r\nREAD\r\nRETR\r\n",
            State::Done => "QUIT\r\n",
        });
        assert_eq!(house.server.state(), state);
        house
    }

    /// Sends `text` and answers what the machine asks; returns what the client sees, `[n]` for message n and
    /// `|` for a close.
    fn say(&mut self, text: &str) -> String {
        self.say_octets(text.as_bytes())
    }

    fn say_octets(&mut self, octets: &[u8]) -> String {
        let mut seen = String::new();
        let mut rest = octets;
        loop {
            match self.server.step() {
                Step::Receive if rest.is_empty() => break,
                Step::Receive => {
                    let room = self.server.room();
                    let count = room.len().min(rest.len());
                    room[..count].copy_from_slice(&rest[..count]);
                    rest = &rest[count..];
                    self.server.filled(count, self.now);
                }
                Step::LogIn(login) if login.passwords().any(|p| p.expose() == b"bone") => {
                    self.server.logged_in(3);
                }
                Step::LogIn(_) => self.server.refused("login refused"),
                Step::Select { mailbox, marks } => {
                    self.deleted = Some(marks);
                    self.server.selected(if mailbox.as_str() == "old" { 2 } else { 0 });
                }
                Step::Measure(number) => self.server.measured(u64::from(number.get()) * 10),
                Step::Transmit(number) => {
                    seen += &self.take_output();
                    seen = format!("{seen}[{number}]\r\n");
                    self.server.transmitted();
                }
                Step::Release(marks) => {
                    self.deleted = Some(marks);
                    self.server.released(0);
                }
                Step::Close => return seen + &self.take_output() + "|",
            }
        }
        seen + &self.take_output()
    }

    fn take_output(&mut self) -> String {
        String::from_utf8(std::mem::take(self.server.output_mut())).unwrap()
    }

    fn deleted(&self) -> Option<Vec<u32>> {
        self.deleted.as_ref().map(|marks| marks.iter().map(|number| number.get()).collect())
    }
}

/// The first character of each line, which is all that the protocol fixes of a reply.
fn marks(seen: &str) -> String {
    seen.split("\r\n").filter_map(|line| line.chars().next()).collect()
}

#[test]
fn the_decision_table_holds_in_every_cell() {
    use State::{Auth, Done, Item, Mbox, Next};
    // RFC 937, page 22: what each input brings in AUTH, MBOX, ITEM and NEXT. "-|" is action 1.
    let table = [
        ("HELO fred bone", [("#", Mbox), ("-|", Done), ("-|", Done), ("-|", Done)]),
        ("FOLD old", [("-|", Done), ("#", Mbox), ("#", Mbox), ("-|", Done)]),
        ("READ", [("-|", Done), ("=", Item), ("=", Item), ("-|", Done)]),
        ("READ 2", [("-|", Done), ("=", Item), ("=", Item), ("-|", Done)]),
        ("RETR", [("-|", Done), ("-|", Done), ("[", Next), ("-|", Done)]),
        ("ACKS", [("-|", Done), ("-|", Done), ("-|", Done), ("=", Item)]),
        ("ACKD", [("-|", Done), ("-|", Done), ("-|", Done), ("=", Item)]),
        ("NACK", [("-|", Done), ("-|", Done), ("-|", Done), ("=", Item)]),
        ("QUIT", [("+|", Done), ("+|", Done), ("+|", Done), ("-|", Done)]),
        ("WOOF", [("-|", Done), ("-|", Done), ("-|", Done), ("-|", Done)]),
    ];
    for (line, row) in table {
        for (state, (seen, after)) in [Auth, Mbox, Item, Next].into_iter().zip(row) {
            let mut house = House::in_state(state);
            assert_eq!(marks(&house.say(&format!("{line}\r\n"))), seen, "{line} in {state:?}");
            assert_eq!(house.server.state(), after, "{line} in {state:?}");
        }
        // In DONE nothing is heard any more: the connection closes (action 9).
        assert_eq!(House::in_state(Done).say(&format!("{line}\r\n")), "|");
    }
}

#[test]
fn the_decision_table_row_timeout() {
    for state in [State::Auth, State::Mbox, State::Item, State::Next] {
        let mut house = House::in_state(state);
        house.server.timed_out();
        assert_eq!(marks(&house.say("")), "-|");
        assert_eq!(house.deleted(), None);
    }
}

#[test]
fn open_brings_the_greeting_and_a_wrong_login_the_end() {
    let mut house = House::new();
    assert_eq!(house.say(""), "+ POP2 dog-house.example Doghouse ready\r\n");
    assert_eq!(house.say("HELO fred cat\r\n"), "- login refused\r\n|");
}

#[test]
fn the_normal_scenario() {
    let mut house = House::in_state(State::Auth);
    assert_eq!(house.say("HELO Fred bone\r\n"), "#3 messages for you\r\n");
    assert_eq!(house.say("READ 3\r\n"), "=30 characters in message 3\r\n");
    assert_eq!(house.say("RETR\r\n"), "[3]\r\n");
    assert_eq!(house.say("ACKS\r\n"), "=0 characters: no message to read\r\n");
    assert_eq!(house.say("QUIT\r\n"), "+ OK, bye\r\n|");
    assert_eq!(house.deleted(), Some(vec![]));
}

#[test]
fn example_1_reads_and_deletes_all() {
    let mut house = House::in_state(State::Mbox);
    assert_eq!(marks(&house.say("READ\r\nRETR\r\nACKD\r\nRETR\r\nACKD\r\nRETR\r\nACKD\r\n")), "=[=[=[=");
    assert_eq!(house.deleted(), None, "nothing is deleted before the release");
    assert_eq!(marks(&house.say("QUIT\r\n")), "+|");
    assert_eq!(house.deleted(), Some(vec![1, 2, 3]));
}

#[test]
fn example_2_selects_another_mailbox() {
    let mut house = House::in_state(State::Mbox);
    assert_eq!(house.say("FOLD old\r\n"), "#2 messages in that mailbox\r\n");
    assert_eq!(marks(&house.say("READ  2\r\nRETR\r\nACKS\r\nQUIT\r\n")), "=[=+|");
}

#[test]
fn decision_2_fold_is_answered_with_a_count() {
    assert_eq!(marks(&House::in_state(State::Item).say("FOLD old\r\n")), "#");
}

#[test]
fn decision_3_read_in_an_empty_mailbox_says_zero_and_goes_on() {
    let mut house = House::in_state(State::Mbox);
    assert_eq!(
        house.say("FOLD none\r\nREAD\r\n"),
        "#0 messages in that mailbox\r\n=0 characters: no message to read\r\n"
    );
    assert_eq!(house.server.state(), State::Item);
    assert_eq!(marks(&house.say("FOLD old\r\nREAD\r\n")), "#=");
}

#[test]
fn decision_9_a_session_is_the_same_in_single_octets_and_with_bare_line_feeds() {
    let text = "HELO fred bone\nREAD 2\nRETR\nACKD\nNACK\n";
    let mut whole = House::in_state(State::Auth);
    let expected = whole.say(text);
    let mut house = House::in_state(State::Auth);
    let seen: String = text.bytes().map(|octet| house.say_octets(&[octet])).collect();
    assert_eq!(seen, expected);
    assert_eq!(marks(&seen), "#=[=-|");
}

#[test]
fn decision_10_a_line_without_an_end_is_cut_off() {
    let mut house = House::in_state(State::Auth);
    assert_eq!(house.say(&"x".repeat(512)), "");
    assert_eq!(house.say("x"), "- a line is at most 512 octets long, its end included\r\n|");
}

#[test]
fn decision_11_numbers_out_of_range_are_no_message_and_set_the_indicator() {
    for number in ["0", "4", "4294967296", "99999999999999999999999999"] {
        let mut house = House::in_state(State::Mbox);
        assert_eq!(marks(&house.say(&format!("READ {number}\r\n"))), "=");
        assert_eq!(house.say("READ\r\n"), "=0 characters: no message to read\r\n");
        assert_eq!(house.say("READ 1\r\n"), "=10 characters in message 1\r\n");
    }
    assert_eq!(marks(&House::in_state(State::Mbox).say("READ one\r\n")), "-|");
}

#[test]
fn decision_12_after_the_last_message_the_indicator_is_past_the_end() {
    let mut house = House::in_state(State::Mbox);
    assert_eq!(marks(&house.say("READ 3\r\nRETR\r\nACKS\r\n")), "=[=");
    assert_eq!(house.say("READ\r\n"), "=0 characters: no message to read\r\n");
    assert_eq!(house.say("READ 3\r\n"), "=30 characters in message 3\r\n");
}

#[test]
fn decision_13_quit_before_the_acknowledgment_is_garbage_and_deletes_nothing() {
    let mut house = House::in_state(State::Mbox);
    house.say("READ\r\nRETR\r\nACKD\r\nRETR\r\n");
    assert_eq!(marks(&house.say("QUIT\r\n")), "-|");
    assert_eq!(house.deleted(), None);
}

#[test]
fn decision_14_marks_become_real_at_fold_and_quit_only() {
    let mut house = House::in_state(State::Mbox);
    house.say("READ 2\r\nRETR\r\nACKD\r\n");
    house.say("FOLD old\r\n");
    assert_eq!(house.deleted(), Some(vec![2]));
    house.say("READ 1\r\nRETR\r\nACKD\r\nQUIT\r\n");
    assert_eq!(house.deleted(), Some(vec![1]), "the marks of the mailbox before are gone");

    let mut broken = House::in_state(State::Mbox);
    assert_eq!(marks(&broken.say("READ 2\r\nRETR\r\nACKD\r\nWOOF\r\n")), "=[=-|");
    assert_eq!(broken.deleted(), None);
}

#[test]
fn decision_15_quit_is_always_answered_with_plus() {
    let mut house = House::in_state(State::Mbox);
    house.server.filled(0, house.now);
    house.server.released(2);
    let seen = house.say("");
    assert_eq!(seen, "+ OK, but 2 marked messages could not be deleted and are still there; bye\r\n|");
}

#[test]
fn decision_17_a_message_that_is_gone_has_no_octets() {
    let mut house = House::in_state(State::Mbox);
    house.server.measured(0);
    assert_eq!(marks(&house.say("RETR\r\n")), "=|");
}

#[test]
fn decision_24_the_first_seven_octets_and_the_word_messages() {
    let mut house = House::new();
    let seen = house.say("HELO fred bone\r\nREAD\r\nQUIT\r\n");
    assert!(seen.starts_with("+ POP2 dog-house.example "));
    assert!(seen.contains("#3 messages "));
    assert!(seen.contains("=10 characters "));
    assert!(seen.split("\r\n").all(|line| line.len() < 120));
}

#[test]
fn decision_26_time_counts_from_the_last_command_and_the_last_octet_taken() {
    let mut house = House::new();
    let opened = house.now;
    let second = Duration::from_secs(1);
    house.say("");
    house.now += 5 * second;
    house.server.progressed(house.now);
    house.say("HELO fre");
    assert_eq!(house.server.deadline(), opened + 60 * second, "before HELO nothing gives more time");
    house.say("d bone\r\n");
    house.server.progressed(house.now);
    assert_eq!(house.server.deadline(), house.now + 600 * second);
    house.now += 100 * second;
    house.say("REA");
    assert_eq!(house.server.deadline(), opened + 605 * second, "half a command gives none");
    house.say("D\r\n");
    assert_eq!(house.server.deadline(), house.now + 600 * second);
    house.now += 100 * second;
    house.server.progressed(house.now);
    assert_eq!(house.server.deadline(), house.now + 600 * second);
}

#[test]
fn decision_27_commands_sent_ahead_are_answered_in_order() {
    let mut house = House::in_state(State::Auth);
    let seen = house
        .say("HELO fred bone\r\nREAD\r\nRETR\r\nACKS\r\nRETR\r\nNACK\r\nRETR\r\nACKD\r\nQUIT\r\nREAD\r\n");
    assert_eq!(marks(&seen), "#=[=[=[=+|");
    assert_eq!(house.deleted(), Some(vec![2]));
}

#[test]
fn decision_29_retr_of_nothing_closes_without_a_word() {
    assert_eq!(
        House::in_state(State::Mbox).say("READ 9\r\nRETR\r\n"),
        "=0 characters: no message to read\r\n|"
    );
}

#[test]
fn decision_30_an_acknowledgment_onto_a_deleted_message_says_zero() {
    let mut house = House::in_state(State::Mbox);
    house.say("READ 2\r\nRETR\r\nACKD\r\n");
    assert_eq!(
        house.say("READ 1\r\nRETR\r\nACKS\r\n"),
        "=10 characters in message 1\r\n[1]\r\n=0 characters: no message to read\r\n"
    );
    assert_eq!(house.say("READ 2\r\n"), "=0 characters: no message to read\r\n");
    assert_eq!(house.say("READ 3\r\n"), "=30 characters in message 3\r\n");
}

#[test]
fn nack_gives_the_same_message_again() {
    let mut house = House::in_state(State::Next);
    assert_eq!(house.say("NACK\r\nRETR\r\n"), "=10 characters in message 1\r\n[1]\r\n");
}

#[test]
fn a_password_does_not_stay_in_memory() {
    let mut house = House::in_state(State::Auth);
    house.say("HELO fred bone\r\nREAD\r\n");
    assert!(!format!("{:?}", house.server).contains("98, 111, 110, 101"), "the octets of the password");
}

#[test]
fn decision_29_an_interruption_is_not_taken_for_a_message() {
    for (state, seen) in [(State::Auth, "-|"), (State::Mbox, "-|"), (State::Item, "|"), (State::Next, "-|")] {
        let mut house = House::in_state(state);
        house.server.interrupted("going down");
        assert_eq!(marks(&house.say("RETR\r\n")), seen, "{state:?}");
        assert_eq!(house.server.fault(), Some("going down"));
        assert_eq!(house.deleted(), None);
    }
    let mut nothing_promised = House::in_state(State::Mbox);
    nothing_promised.say("READ 9\r\n");
    nothing_promised.server.interrupted("going down");
    assert_eq!(nothing_promised.say(""), "- going down\r\n|");
}

#[test]
fn a_session_is_over_by_quit_and_not_by_a_fault() {
    for (said, is_over) in [
        ("", false),
        ("HELO fred bone\r\n", false),
        ("QUIT\r\n", true),
        ("HELO fred bone\r\nREAD\r\nQUIT\r\n", true),
        ("QUIT\r\nx", false),
        ("HELO fred bone\r\nWOOF\r\n", false),
    ] {
        let mut house = House::new();
        house.say(said);
        assert_eq!(house.server.is_over(), is_over, "{said:?}");
    }
}
