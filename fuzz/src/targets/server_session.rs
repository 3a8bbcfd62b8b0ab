//! A whole session of the server, from octets to mail.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
};

use doghouse::{
    house::{Admitted, House, Refusal},
    peer::Peer,
    phase::Phase,
    session::Session,
    watch::Watch,
};
use pop2::{
    Command, LineBuffer, Login, MAX_LINE, Reply, Verdict,
    server::{Settings, State},
};
use postbox::{FolderName, Mailbox, Postbox, memory::Memory};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::watch,
    time::Instant,
};

use crate::{
    choices::{self, Choices},
    lines::cut,
    targets::wire_form::expected,
};

/// User, folder and message as it is stored. No two are alike.
const MAIL: [(&str, &str, &[u8]); 7] = [
    ("fido", "INBOX", b"Subject: one\n\nwoof\n"),
    ("fido", "INBOX", b""),
    ("fido", "INBOX", b"=1 #2 + - QUIT\r\n.\r\n=3\r\n+ \xff\0lone\r, no end"),
    ("fido", "INBOX", &[b'\n'; 700]),
    ("fido", "old.bones", b"Subject: three\n\ngrr\n"),
    ("fido", "old.bones", b"Subject: four\r\n\r\ngrr grr\r\n"),
    ("smith", "INBOX", b"Subject: secret\n\nmeow\n"),
];

/// What a client does when it has said all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Closes its side, and reads to the end.
    Politely,
    /// Says nothing more, and reads to the end.
    InSilence,
    /// Breaks the connection.
    AtOnce,
    /// Never reads, and stays.
    Deaf,
}

/// Whatever a client says, the server answers as RFC 937 has it, sends each message to the octet and to its
/// owner only, and ends. What goes is what was marked and released, and nothing else.
///
/// The first line says how many octets are on their way at most, as a power of two; how the client leaves; after
/// which piece the house closes, 0 for never; and the sizes of the pieces in which the client speaks.
pub fn server_session(input: &[u8]) {
    let (mut choices, said) = Choices::split(input);
    let capacity = 1 << (choices.number() % 13);
    let leave = match choices.number() % 4 {
        0 => Leave::Politely,
        1 => Leave::InSilence,
        2 => Leave::AtOnce,
        _ => Leave::Deaf,
    };
    let closing = choices.number();
    let (heard, gone) = choices::run(serve(said, capacity, leave, closing, choices));

    // Who reads to the end of a house that stays open hears everything, and the outcome is known to the octet.
    let whole = closing == 0 && matches!(leave, Leave::Politely | Leave::InSilence);
    let mut witness = Witness::new(&heard, whole);
    witness.listen(said);
    if whole {
        assert_eq!(gone, witness.deleted);
    } else {
        assert!(gone.is_superset(&witness.deleted), "answered, but not deleted");
        assert!(gone.is_empty() || releases_a_mark(said), "gone without a mark, or without its release");
    }
}

/// A house in which fido has the password bone, and smith the password cat.
struct Kennel {
    fido: Memory,
    smith: Memory,
}

impl Kennel {
    fn postbox(&self, user: &str) -> &Memory {
        if user == "smith" { &self.smith } else { &self.fido }
    }
}

impl House for Kennel {
    type Postbox = Memory;

    async fn admit(&self, login: &Login, _: Peer, _: Instant) -> Result<Admitted<Memory>, Refusal> {
        if is_right(login) {
            let postbox = self.postbox(login.user.as_str()).clone();
            let user = login.user.as_str().to_owned();
            Ok(Admitted { user, postbox, home: None, device: None, read_only: false, place: None })
        } else {
            Err(Refusal::Password)
        }
    }

    fn mapped(&self, _: &Admitted<Memory>, _: &str) -> Option<Memory> {
        None
    }
}

fn is_right(login: &Login) -> bool {
    let right: &[u8] = match login.user.as_str() {
        "fido" => b"bone",
        "smith" => b"cat",
        _ => return false,
    };
    login.passwords().any(|password| password.expose() == right)
}

/// Holds the session; gives what the client heard, and which of the mail is gone after it.
async fn serve(
    said: &[u8],
    capacity: usize,
    leave: Leave,
    closing: u8,
    sizes: Choices<'_>,
) -> (Vec<u8>, BTreeSet<usize>) {
    let kennel = Kennel { fido: Memory::default(), smith: Memory::default() };
    for (user, folder, stored) in MAIL {
        assert!(kennel.postbox(user).deliver(&name(folder), stored).await.is_ok());
    }
    let (near, far) = tokio::io::duplex(capacity);
    let (house, phase) = watch::channel(Phase::Open);
    let settings = Settings::new("dog-house.example");
    let seen = Arc::<Watch>::default().enter(1, "POP2", Peer::Local);
    let session =
        Session::new(1, (Peer::Local, Instant::now().into_std()), &kennel, &settings, near, (phase, seen))
            .run();
    let ((), heard) = tokio::join!(session, speak(said, sizes, far, leave, closing, &house));
    let mut gone: BTreeSet<usize> = (0..MAIL.len()).collect();
    for (user, folder) in [("fido", "INBOX"), ("fido", "old.bones"), ("smith", "INBOX")] {
        for wire in read_all(kennel.postbox(user), folder).await {
            assert!(gone.remove(&whose(user, &wire)), "a message is there twice");
        }
    }
    (heard, gone)
}

/// The client's part; gives what it heard.
async fn speak(
    said: &[u8],
    sizes: Choices<'_>,
    stream: DuplexStream,
    leave: Leave,
    closing: u8,
    house: &watch::Sender<Phase>,
) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        for (number, piece) in (1_usize..).zip(sizes.pieces(said)) {
            if writer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
            if number == usize::from(closing) {
                house.send_replace(Phase::draining());
                tokio::task::yield_now().await;
                house.send_replace(Phase::Closing);
            }
        }
        if leave == Leave::Politely {
            // It fails where the server has closed.
            let _ = writer.shutdown().await;
        }
    };
    let mut heard = Vec::new();
    match leave {
        Leave::AtOnce => writing.await,
        Leave::Deaf => {
            writing.await;
            house.closed().await;
        }
        Leave::Politely | Leave::InSilence => {
            let ((), read) = tokio::join!(writing, reader.read_to_end(&mut heard));
            assert!(read.is_ok());
        }
    }
    heard
}

/// Every message of a folder, in wire form.
async fn read_all(memory: &Memory, folder: &str) -> Vec<Vec<u8>> {
    let Ok(mut mailbox) = memory.select(&name(folder)).await else { panic!("{folder} cannot be selected") };
    let mut messages = Vec::new();
    for number in (1..=mailbox.count()).filter_map(NonZeroU32::new) {
        let Ok(Some(message)) = mailbox.message(number).await else {
            panic!("message {number} is not there")
        };
        let (mut octets, mut wire) = (message.octets(), Vec::new());
        while octets.next(&mut wire).await.is_ok_and(|more| more) {}
        messages.push(wire);
    }
    messages
}

/// Who reads along: what the client said tells what each octet that it heard has to be.
#[derive(Debug)]
struct Witness<'a> {
    /// What was heard and has not been explained.
    rest: &'a [u8],
    /// Whether all that the server sent was heard.
    whole: bool,
    state: State,
    user: String,
    /// The messages of the mailbox, by their places in [`MAIL`].
    selected: Vec<usize>,
    current: usize,
    promised: usize,
    marked: BTreeSet<usize>,
    deleted: BTreeSet<usize>,
}

impl<'a> Witness<'a> {
    fn new(heard: &'a [u8], whole: bool) -> Self {
        Self {
            rest: heard,
            whole,
            state: State::Auth,
            user: String::new(),
            selected: Vec::new(),
            current: 1,
            promised: 0,
            marked: BTreeSet::new(),
            deleted: BTreeSet::new(),
        }
    }

    fn listen(&mut self, said: &[u8]) {
        match self.reply() {
            Some(Reply::Ok(text)) if text.as_bytes().starts_with(b"POP2 dog-house.example ") => {}
            None if !self.whole => {}
            greeting => panic!("no greeting: {greeting:?}"),
        }
        let goes_on = commands(said).iter().all(|command| self.hear_answer(command.as_ref()));
        if goes_on {
            // Silence and the closing of the house are answered too.
            let farewell = self.reply();
            assert!(matches!(farewell, None | Some(Reply::Error(_))), "said unasked: {farewell:?}");
        }
        assert!(self.rest.is_empty(), "said after the end: {:?}", self.rest.escape_ascii().to_string());
    }

    /// Whether the session goes on.
    fn hear_answer(&mut self, command: Option<&Command>) -> bool {
        if matches!(command, Some(Command::Retr)) && self.promised > 0 {
            return self.hear_message();
        }
        let in_place = command.is_some_and(|command| self.is_in_place(command));
        let Some(reply) = self.reply() else {
            // RETR of nothing is the one command that is answered by closing without a word.
            let of_nothing = in_place && matches!(command, Some(Command::Retr));
            assert!(!self.whole || of_nothing, "{command:?} has no answer");
            return false;
        };
        match (command, reply) {
            (command, Reply::Error(_)) => {
                let refused = matches!(command, Some(Command::Helo(login)) if !is_right(login));
                assert!(!self.whole || !in_place || refused, "{command:?} is answered with {reply}");
                return false;
            }
            (Some(Command::Quit), Reply::Ok(_)) if in_place => {
                self.deleted.append(&mut self.marked);
                return false;
            }
            (Some(Command::Helo(login)), Reply::Count(count, _)) if in_place && is_right(login) => {
                login.user.as_str().clone_into(&mut self.user);
                self.select(Some(&FolderName::inbox()), count);
            }
            (Some(Command::Fold(mailbox)), Reply::Count(count, _)) if in_place => {
                self.deleted.append(&mut self.marked);
                self.select(FolderName::parse(mailbox.as_str()).ok().as_ref(), count);
            }
            (Some(Command::Read(number)), Reply::Length(length, _)) if in_place => {
                self.current = number.map_or(self.current, |number| number.get() as usize);
                self.measure(length);
            }
            (Some(Command::Ack(verdict)), Reply::Length(length, _)) if in_place => {
                if *verdict == Verdict::Delete {
                    self.marked.extend(self.aimed_at());
                }
                if *verdict != Verdict::Again {
                    self.current += 1;
                }
                self.measure(length);
            }
            (command, reply) => panic!("{command:?} is answered with {reply}"),
        }
        true
    }

    /// The cells of RFC 937's table that are not garbage.
    fn is_in_place(&self, command: &Command) -> bool {
        use Command::{Ack, Fold, Helo, Quit, Read, Retr};
        use State::{Auth, Item, Mbox, Next};
        matches!(
            (self.state, command),
            (Auth, Helo(_))
                | (Auth | Mbox | Item, Quit)
                | (Mbox | Item, Fold(_) | Read(_))
                | (Item, Retr)
                | (Next, Ack(_))
        )
    }

    /// `None` is a folder that can be nobody's.
    fn select(&mut self, folder: Option<&FolderName>, count: u32) {
        let is_here = |(place, (user, at, _)): (usize, &(&str, &str, &[u8]))| {
            let here = *user == self.user && folder == Some(&name(at)) && !self.deleted.contains(&place);
            here.then_some(place)
        };
        self.selected = MAIL.iter().enumerate().filter_map(is_here).collect();
        (self.state, self.current, self.promised) = (State::Mbox, 1, 0);
        assert_eq!(self.selected.len(), count as usize, "the count of {folder:?}");
    }

    /// The message that the current number is for, if there is one and it is not marked.
    fn aimed_at(&self) -> Option<usize> {
        let place = self.selected.get(self.current.checked_sub(1)?)?;
        Some(*place).filter(|place| !self.marked.contains(place))
    }

    fn measure(&mut self, length: u64) {
        self.promised = self.aimed_at().map_or(0, |place| wire(place).len());
        assert_eq!(length, self.promised as u64, "the length of message {}", self.current);
        self.state = State::Item;
    }

    /// Exactly the octets that were promised.
    fn hear_message(&mut self) -> bool {
        if !self.whole && self.rest.starts_with(b"- ") {
            // The house closed while RETR was on its way. No message of MAIL begins like this.
            self.reply();
            return false;
        }
        let Some(sent) = self.rest.split_off(..self.promised) else {
            assert!(!self.whole, "fewer octets than promised");
            self.rest = &[];
            return false;
        };
        assert_eq!(Some(whose(&self.user, sent)), self.aimed_at(), "another message");
        (self.state, self.promised) = (State::Next, 0);
        true
    }

    /// The next reply; `None` where nothing more was heard, or the connection broke within it.
    fn reply(&mut self) -> Option<Reply<'a>> {
        let Some(end) = self.rest.iter().position(|&octet| octet == b'\n') else {
            assert!(!self.whole || self.rest.is_empty(), "half a reply");
            self.rest = &[];
            return None;
        };
        let line = self.rest.split_off(..=end).unwrap_or_default();
        assert!(line.len() <= MAX_LINE, "too long");
        let Some(line) = line.strip_suffix(b"\r\n") else { panic!("no line end: {line:?}") };
        Some(Reply::parse(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
    }
}

/// What a client has said: `None` is a line that is no command, or too long to be one, after which the session
/// is over.
fn commands(said: &[u8]) -> Vec<Option<Command>> {
    let (lines, too_long) = cut(LineBuffer::for_commands(), [said]);
    let commands = lines.iter().map(|line| Command::parse(line).ok());
    commands.chain(too_long.then_some(None)).collect()
}

fn releases_a_mark(said: &[u8]) -> bool {
    let mut commands = commands(said).into_iter().flatten();
    commands.any(|command| matches!(command, Command::Ack(Verdict::Delete)))
        && commands.any(|command| matches!(command, Command::Quit | Command::Fold(_)))
}

/// The place in [`MAIL`] of this user's message with this wire form.
fn whose(owner: &str, sent: &[u8]) -> usize {
    let mut messages = MAIL.iter().enumerate();
    let found =
        messages.find_map(|(place, (user, ..))| (*user == owner && wire(place) == sent).then_some(place));
    found.unwrap_or_else(|| panic!("no message of {owner}: {:?}", sent.escape_ascii().to_string()))
}

/// A message of [`MAIL`] as it has to be sent.
fn wire(place: usize) -> &'static [u8] {
    static WIRE: LazyLock<Vec<Vec<u8>>> =
        LazyLock::new(|| MAIL.map(|(_, _, stored)| expected(stored)).into());
    WIRE.get(place).map_or(&[], Vec::as_slice)
}

fn name(folder: &str) -> FolderName {
    FolderName::parse(folder).unwrap_or_else(|error| panic!("{folder}: {error}"))
}
