//! SMTP and LMTP, from the receiver's side.

use doghouse::smtp::machine::{Machine, Protocol, Settings, Step};

/// Whatever a client sends, and wherever it is split: the same replies, the same messages, every reply whole,
/// and no octet behind the end of a message or of the session in a message.
pub fn receiving(input: &[u8]) {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let at_once = hold(protocol, input, input.len().max(1));
        for piece in [1, 7] {
            let split = hold(protocol, input, piece);
            // What comes behind DATA before its reply ends a session, so it matters whether it does.
            if !at_once.0.contains("wait for the reply") {
                assert_eq!(split, at_once);
            }
        }
    }
}

/// What the client heard, and the messages.
fn hold(protocol: Protocol, input: &[u8], piece: usize) -> (String, Vec<Vec<u8>>) {
    let settings = Settings { protocol, hostname: "h".to_owned(), max_octets: 1000, max_recipients: 3 };
    let mut machine = Machine::new(settings);
    let (mut pieces, mut heard, mut messages, mut message) =
        (input.chunks(piece), Vec::new(), Vec::new(), Vec::new());
    loop {
        match machine.step() {
            Step::Receive => {
                heard.append(machine.output_mut());
                match pieces.next() {
                    Some(piece) => machine.push(piece),
                    None => break,
                }
            }
            Step::Resolve(address) => {
                let known = address.starts_with('f');
                let unknown = doghouse::smtp::reply::Reply::new(550, "5.1.1", &address);
                machine.resolved(if known { Ok(()) } else { Err(unknown) });
            }
            Step::Begin => message.clear(),
            Step::Keep => {
                message.extend_from_slice(machine.body());
                machine.kept();
            }
            Step::Deliver => {
                assert!(message.len() <= 1000 && !message.contains(&b'\r'));
                messages.push(message.clone());
                machine.delivered(&vec![Ok(()); machine.recipients()]);
            }
            Step::Close => {
                heard.append(machine.output_mut());
                break;
            }
        }
    }
    let Ok(heard) = String::from_utf8(heard) else { panic!("replies are ASCII") };
    for line in heard.split_inclusive("\r\n") {
        assert!(line.ends_with("\r\n") && line.len() <= 512, "{line:?}");
        assert!(line.bytes().take(3).all(|octet| octet.is_ascii_digit()), "{line:?}");
    }
    (heard, messages)
}
