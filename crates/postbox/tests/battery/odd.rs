//! Messages as people and programs make them.

/// A name for what is odd, and the message as stored.
pub fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let long = |count: usize| b"Subject: x\n\n".iter().copied().chain(vec![b'x'; count]).collect::<Vec<u8>>();
    let to_piece = |length: usize, tail: &[u8]| [vec![b'y'; length - tail.len()], tail.to_vec()].concat();
    let attachment = b"QmFzZSA2NCBvZiBhIGJvbmUsIGluIGxpbmVzIG9mIHNldmVudHktc2l4IGNoYXJhY3RlcnMuLi4h\n";
    vec![
        ("plain", b"Subject: plain\n\nWoof.\n".to_vec()),
        ("8-bit", "Subject: acht\n\nFür heute: Knochen, groß. 犬\n".into()),
        ("octets that are no text", (0..=255).rev().cycle().take(5000).collect()),
        ("no final line end", b"Subject: x\n\ndone".to_vec()),
        ("CR LF", b"Subject: x\r\n\r\nwoof\r\n".to_vec()),
        ("mixed line ends", b"a\r\nb\nc\rd\r\r\n\n\r\n\r".to_vec()),
        ("NUL", b"Subject: \0\n\n\0\0\n\0".to_vec()),
        ("a line of 200,000 octets", long(200_000)),
        ("dots", b".\n..\n.\r\n...".to_vec()),
        ("From lines", b"From me Fri Feb  1 09:12:33 1985\nSubject: x\n\nFrom you\n>From\n".to_vec()),
        ("empty body", b"Subject: x\n\n".to_vec()),
        ("headers only", b"Subject: x\n".to_vec()),
        ("no octets", Vec::new()),
        ("one LF", b"\n".to_vec()),
        ("one CR", b"\r".to_vec()),
        (
            "CR at the end of a piece, LF in the next",
            [to_piece(64 * 1024, b"\r"), b"\nwoof\n".to_vec()].concat(),
        ),
        ("a piece exactly", to_piece(64 * 1024, b"\n")),
        ("a piece and an octet", to_piece(64 * 1024 + 1, b"\n")),
        ("two pieces but an octet", to_piece(128 * 1024 - 1, b"\r")),
        ("25 MB of attachments", [long(0), attachment.repeat(25_000_000 / attachment.len())].concat()),
    ]
}
