//! A whole session of the server, from octets to mail.

use std::net::{IpAddr, Ipv4Addr};

use doghouse::{
    house::House,
    session::{Phase, Session},
};
use pop2::{Login, Reply, server::Settings};
use postbox::{FolderName, Mailbox, Postbox, memory::Memory};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

/// What fido has, as it is stored.
const MAIL: [&[u8]; 3] = [b"Subject: one\n\nwoof\n", b"", b"=1 #2 + - QUIT\r\n.\r\nno end"];

/// A house in which fido has mail, and the password bone.
struct Kennel(Memory);

impl House for Kennel {
    type Postbox = Memory;

    async fn admit(&self, login: &Login, _: IpAddr) -> Result<Memory, &'static str> {
        let right = login.passwords().any(|password| password.expose() == b"bone");
        if right { Ok(self.0.clone()) } else { Err("login refused") }
    }
}

/// Whatever a client says, the server says only what RFC 937 has, each message as long as its length was, and
/// ends; no message goes that was not acknowledged with ACKD and then released. The first octet says in what
/// pieces the client speaks.
pub fn server_session(octets: &[u8]) {
    let Some((&piece, said)) = octets.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return };
    let (heard, left) = runtime.block_on(serve(said, usize::from(piece).max(1)));
    check_replies(&heard);
    let text = said.to_ascii_uppercase();
    let says = |word: &[u8]| text.windows(word.len()).any(|octets| octets == word);
    if !says(b"ACKD") || !(says(b"QUIT") || says(b"FOLD")) {
        assert_eq!(left, MAIL.len(), "mail is gone that was never marked or never released");
    }
}

async fn serve(said: &[u8], piece: usize) -> (Vec<u8>, usize) {
    let memory = Memory::default();
    for message in MAIL {
        assert!(memory.deliver(&FolderName::inbox(), message).await.is_ok());
    }
    let (near, mut far) = tokio::io::duplex(64);
    let (_open, phase) = watch::channel(Phase::Open);
    let kennel = Kennel(memory.clone());
    let settings = Settings::new("dog-house.example");
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let session = Session::new(1, client, &kennel, &settings, near, phase).run();
    let (mut reader, mut writer) = tokio::io::split(&mut far);
    let speak = async {
        for octets in said.chunks(piece) {
            if writer.write_all(octets).await.is_err() {
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let mut heard = Vec::new();
    let ((), (), _) = tokio::join!(session, speak, reader.read_to_end(&mut heard));
    let left = memory.select(&FolderName::inbox()).await.map_or(0, |mailbox| mailbox.count());
    (heard, left as usize)
}

/// Takes the server's octets apart: replies, and where no reply can begin, one of the messages whole.
fn check_replies(heard: &[u8]) {
    assert!(heard.starts_with(b"+ POP2 dog-house.example "));
    let mut rest = heard;
    let mut promised = 0;
    while !rest.is_empty() {
        if promised > 0
            && let Some((message, after)) = rest.split_at_checked(promised)
            && MAIL.iter().any(|stored| wire_form(stored) == message)
            // A message may look like a reply; it is one only where the rest then makes sense too.
            && (after.is_empty() || after.starts_with(b"=") || after.starts_with(b"-"))
        {
            (rest, promised) = (after, 0);
            continue;
        }
        let end = rest.iter().position(|&octet| octet == b'\n');
        let (line, after) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        assert!(line.len() <= pop2::MAX_LINE);
        let line = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no line end: {line:?}"));
        let reply = Reply::parse(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        promised = match reply {
            Reply::Length(length, _) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        };
        assert!(!matches!(reply, Reply::Error(_)) || after.is_empty(), "said more after an error");
        rest = after;
    }
}

fn wire_form(stored: &[u8]) -> Vec<u8> {
    let (mut encoder, mut wire) = (pop2::wire::Encoder::default(), Vec::new());
    encoder.encode(stored, &mut wire);
    encoder.finish(&mut wire);
    wire
}
