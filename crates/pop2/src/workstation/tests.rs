//! The client's decision table, cell by cell, and how it lives with the servers there are.

use std::collections::VecDeque;

use super::*;
use crate::{Login, MailboxName, MessageNumber, Secret, User, Verdict};

fn helo() -> Command {
    Command::Helo(Login::new(User::new("fred").unwrap(), Secret::from("bone")))
}

fn fold() -> Command {
    Command::Fold(MailboxName::new("old").unwrap())
}

fn read(number: MessageNumber) -> Command {
    Command::Read(Some(number))
}

/// A machine, and the commands that it is told to say when it is its turn.
struct Fido {
    workstation: Workstation,
    now: Instant,
}

impl Fido {
    fn new() -> Self {
        let now = Instant::now();
        Self { workstation: Workstation::new(Settings::default(), now), now }
    }

    /// The session in `state`, with the answer still to come.
    fn awaiting(state: State) -> Self {
        let mut fido = Self::new();
        let script: &[&str] = match state {
            State::Call => &[],
            State::Nmbr => &["+ POP2 dog-house ready"],
            State::Size => &["+ POP2 dog-house ready", "#3 messages"],
            State::Xfer => &["+ POP2 dog-house ready", "#3 messages", "=4 characters"],
            State::Exit => &["+ POP2 dog-house ready", "#0 messages"],
        };
        for line in script {
            let event = fido.hear(&format!("{line}\r\n"));
            match event {
                Event::Greeted(_) => fido.workstation.say(&helo(), fido.now).unwrap(),
                Event::Counted(0) => fido.workstation.say(&Command::Quit, fido.now).unwrap(),
                Event::Counted(_) => fido.workstation.say(&read(MessageNumber::FIRST), fido.now).unwrap(),
                Event::Measured(_) => fido.workstation.say(&Command::Retr, fido.now).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(fido.workstation.state(), state);
        fido.workstation.written();
        fido
    }

    fn put(&mut self, octets: &[u8]) {
        self.workstation.room()[..octets.len()].copy_from_slice(octets);
        self.workstation.filled(octets.len(), self.now);
    }

    fn hear(&mut self, text: &str) -> Event {
        self.put(text.as_bytes());
        self.workstation.event()
    }

    fn said(&mut self) -> String {
        let said = String::from_utf8(self.workstation.output().to_vec()).unwrap();
        self.workstation.written();
        said
    }
}

/// The outcome of one cell: what the event is, or `QUIT` for action 1.
fn outcome(fido: &mut Fido, event: &Event) -> String {
    match event {
        Event::Failed(_) if fido.said() == "QUIT\r\n" => "1 quit".into(),
        Event::Failed(_) => "close".into(),
        Event::Greeted(_) => "2".into(),
        Event::Counted(_) => "3".into(),
        Event::Measured(_) => "4".into(),
        Event::Received => "5".into(),
        Event::Bye => "6".into(),
        Event::Octets => "octets".into(),
        Event::Receive => "nothing".into(),
    }
}

#[test]
fn the_decision_table_holds_in_every_cell() {
    use State::{Call, Exit, Nmbr, Size};
    // RFC 937, page 20, without XFER, in which every octet is the message's. A `-` is the RFC's "other"; the
    // cells that the old servers of `PEERS` need are marked.
    let table = [
        ("+ POP2 dog-house ready\r\n", ["2", "3" /* JNOS */, "1 quit", "6"]),
        ("#3 messages\r\n", ["1 quit", "3", "1 quit", "close"]),
        ("=4 characters\r\n", ["1 quit", "1 quit", "4", "close"]),
        ("- error\r\n", ["1 quit", "1 quit", "4" /* NOS */, "close"]),
        ("garbage\r\n", ["1 quit", "1 quit", "1 quit", "close"]),
        ("#x\r\n", ["1 quit", "1 quit", "1 quit", "close"]),
    ];
    for (line, row) in table {
        for (state, cell) in [Call, Nmbr, Size, Exit].into_iter().zip(row) {
            let mut fido = Fido::awaiting(state);
            let event = fido.hear(line);
            assert_eq!(outcome(&mut fido, &event), cell, "{line:?} in {state:?}: {event:?}");
        }
    }
}

#[test]
fn the_decision_table_column_xfer_and_row_data() {
    let mut fido = Fido::awaiting(State::Xfer);
    assert_eq!(fido.hear("a\r\n="), Event::Octets);
    assert_eq!(fido.workstation.missing(), 4);
    assert_eq!(fido.workstation.take(), b"a\r\n=");
    assert_eq!(fido.workstation.event(), Event::Received);
    assert_eq!(fido.workstation.say(&Command::Ack(Verdict::Delete), fido.now), Ok(()));
    assert_eq!(fido.said(), "ACKD\r\n");
    assert_eq!(fido.workstation.state(), State::Size);
}

#[test]
fn the_decision_table_rows_close_and_timeout() {
    for state in [State::Call, State::Nmbr, State::Size, State::Xfer] {
        let mut fido = Fido::awaiting(state);
        assert!(matches!(fido.workstation.closed(), Event::Failed(Fault::Closed(_))), "{state:?}");
        assert_eq!(fido.workstation.state(), State::Exit);

        let mut fido = Fido::awaiting(state);
        assert!(matches!(fido.workstation.timed_out(), Event::Failed(Fault::TimedOut(_))), "{state:?}");
        assert_eq!(fido.said(), "QUIT\r\n", "action 1 in {state:?}");
    }
    assert_eq!(Fido::awaiting(State::Exit).workstation.closed(), Event::Failed(Fault::NoBye));
    assert_eq!(Fido::awaiting(State::Exit).workstation.timed_out(), Event::Failed(Fault::NoBye));
}

#[test]
fn commands_are_legal_where_the_state_diagram_has_them() {
    use State::{Call, Exit, Nmbr, Size, Xfer};
    let answered = |state| {
        let mut fido = Fido::awaiting(state);
        match state {
            Call => fido.hear("+ POP2 dog-house ready\r\n"),
            Nmbr => fido.hear("#3\r\n"),
            Size => fido.hear("=4\r\n"),
            Xfer => {
                fido.put(b"a\r\n=");
                fido.workstation.take();
                fido.workstation.event()
            }
            Exit => fido.hear("+ OK\r\n"),
        };
        fido
    };
    let commands: [(Command, &[State]); 6] = [
        (helo(), &[Call]),
        (fold(), &[Nmbr, Size]),
        (read(MessageNumber::FIRST), &[Nmbr, Size]),
        (Command::Retr, &[Size]),
        (Command::Ack(Verdict::Save), &[Xfer]),
        (Command::Quit, &[Call, Nmbr, Size]),
    ];
    for (command, legal) in commands {
        for state in [Call, Nmbr, Size, Xfer, Exit] {
            let mut fido = answered(state);
            let result = fido.workstation.say(&command, fido.now);
            assert_eq!(result.is_ok(), legal.contains(&state), "{command} in {state:?}");
            assert_eq!(fido.said().is_empty(), result.is_err());

            let mut early = Fido::awaiting(state);
            assert!(early.workstation.say(&command, early.now).is_err(), "before the answer in {state:?}");
            assert_eq!(early.said(), "");
        }
    }
}

#[test]
fn retr_is_never_said_for_a_message_of_no_octets() {
    let mut fido = Fido::awaiting(State::Size);
    assert_eq!(fido.hear("=0 no more\r\n"), Event::Measured(0));
    assert!(fido.workstation.say(&Command::Retr, fido.now).is_err());
    assert_eq!(fido.workstation.say(&read(MessageNumber::new(2)), fido.now), Ok(()));
    assert_eq!(fido.said(), "READ 2\r\n");
}

#[test]
fn a_refused_login_says_why_harmlessly() {
    let mut fido = Fido::awaiting(State::Nmbr);
    assert_eq!(
        fido.hear("- bad \x1b[2Jdog\r\n"),
        Event::Failed(Fault::LoginRefused("bad \\x1b[2Jdog".into()))
    );
}

#[test]
fn an_old_server_that_refuses_fold_is_not_an_empty_mailbox() {
    let mut fido = Fido::awaiting(State::Nmbr);
    fido.hear("#3\r\n");
    fido.workstation.say(&fold(), fido.now).unwrap();
    assert_eq!(fido.hear("- no such folder\r\n"), Event::Failed(Fault::Refused("no such folder".into())));
}

#[test]
fn t1_begins_with_each_command_and_each_octet() {
    let mut fido = Fido::awaiting(State::Nmbr);
    let minute = Duration::from_mins(1);
    fido.now += minute / 2;
    fido.hear("#");
    assert_eq!(fido.workstation.deadline(), fido.now + minute);
    fido.hear("3\r\n");
    fido.now += 100 * minute;
    fido.workstation.say(&read(MessageNumber::FIRST), fido.now).unwrap();
    assert_eq!(fido.workstation.deadline(), fido.now + minute);
    fido.hear("=9\r\n");
    fido.workstation.say(&Command::Retr, fido.now).unwrap();
    fido.now += minute / 2;
    fido.workstation.took(4, fido.now);
    assert_eq!((fido.workstation.missing(), fido.workstation.deadline()), (5, fido.now + minute));
}

#[test]
fn a_reply_without_an_end_is_cut_off() {
    let mut fido = Fido::awaiting(State::Nmbr);
    assert_eq!(fido.hear(&"#".repeat(512)), Event::Receive);
    assert!(matches!(fido.hear("x"), Event::Failed(Fault::BadReply(ReplyError::TooLong(_)))));
}

/// The two machines joined in memory, octets handed over in pieces of every size.
#[test]
fn client_and_server_get_along_however_the_streams_are_split() {
    use crate::server::{Server, Step};

    const MESSAGES: [&[u8]; 3] = [b"Subject: one\r\n\r\nwoof\r\n", b"#1 =2 + - \r\nQUIT\r\n", b"\r\n"];

    for piece in 1..=64 {
        let now = Instant::now();
        let mut server = Server::new(&crate::server::Settings::new("dog-house"), now);
        let mut fido = Workstation::new(Settings::default(), now);
        let (mut to_server, mut to_client) = (VecDeque::new(), VecDeque::new());
        let (mut received, mut deleted) = (vec![Vec::new()], None);
        let mut number = MessageNumber::FIRST;
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 10_000, "they wait for each other");
            match server.step() {
                Step::Receive => {
                    to_client.extend(server.output_mut().drain(..));
                    let room = server.room();
                    let count = piece.min(room.len()).min(to_server.len());
                    for (place, octet) in room.iter_mut().zip(to_server.drain(..count)) {
                        *place = octet;
                    }
                    server.filled(count, now);
                }
                Step::LogIn(_) => server.logged_in(3),
                Step::Select { .. } => server.selected(0),
                Step::Measure(n) => server.measured(MESSAGES[n.get() as usize - 1].len() as u64),
                Step::Transmit(n) => {
                    server.output_mut().extend_from_slice(MESSAGES[n.get() as usize - 1]);
                    server.transmitted();
                }
                Step::Release(marks) => {
                    deleted = Some(marks.len());
                    server.released(0);
                }
                Step::Close => to_client.extend(server.output_mut().drain(..)),
            }
            match fido.event() {
                Event::Receive => {
                    let room = fido.room();
                    let count = piece.min(room.len()).min(to_client.len());
                    for (place, octet) in room.iter_mut().zip(to_client.drain(..count)) {
                        *place = octet;
                    }
                    fido.filled(count, now);
                }
                Event::Octets => {
                    let octets = fido.take().to_vec();
                    if octets.is_empty() {
                        let count = piece.min(to_client.len()).min(usize::try_from(fido.missing()).unwrap());
                        received.last_mut().unwrap().extend(to_client.drain(..count));
                        fido.took(count as u64, now);
                    }
                    received.last_mut().unwrap().extend(octets);
                }
                Event::Greeted(_) => fido.say(&helo(), now).unwrap(),
                Event::Counted(count) => {
                    assert_eq!(count, 3);
                    fido.say(&read(number), now).unwrap();
                }
                Event::Measured(0) => fido.say(&Command::Quit, now).unwrap(),
                Event::Measured(_) => fido.say(&Command::Retr, now).unwrap(),
                Event::Received => {
                    received.push(Vec::new());
                    number = number.next();
                    fido.say(&Command::Ack(Verdict::Delete), now).unwrap();
                }
                Event::Bye => break,
                Event::Failed(fault) => panic!("{fault} in pieces of {piece}"),
            }
            to_server.extend(fido.output().iter().copied());
            fido.written();
        }
        assert_eq!(received[..3], MESSAGES, "in pieces of {piece}");
        assert_eq!(deleted, Some(3));
    }
}
