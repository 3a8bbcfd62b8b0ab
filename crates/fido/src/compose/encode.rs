//! Text made fit for mail: quoted-printable and base64 (RFC 2045), words of a header (RFC 2047), parameters (RFC 2231).

use std::fmt::Write;

/// Columns of a line that is encoded (RFC 2045 section 6.7).
const WIDTH: usize = 76;

/// Octets of text in an encoded word: with its ends it has at most 75 characters (RFC 2047 section 2).
const WORD: usize = 42;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 without line ends.
#[must_use]
pub fn base64(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = ALPHABET.get((bits >> (18 - 6 * place) & 63) as usize);
            text.push(if place <= three.len() {
                letter.map_or('=', |&octet| char::from(octet))
            } else {
                '='
            });
        }
    }
    text
}

/// Base64 in lines, each with its end.
#[must_use]
pub fn base64_lines(octets: &[u8]) -> String {
    octets.chunks(WIDTH / 4 * 3).map(|line| base64(line) + "\n").collect()
}

/// Quoted-printable, where LF ends a line and a CR is a character like others.
#[must_use]
pub fn quoted_printable(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 5 / 4);
    let mut column = 0;
    for (at, &octet) in octets.iter().enumerate() {
        let next = octets.get(at + 1);
        let is_last = matches!(next, None | Some(b'\n'));
        if octet == b'\n' {
            text.push('\n');
            column = 0;
            continue;
        }
        let is_plain =
            matches!(octet, b'!'..=b'<' | b'>'..=b'~') || (matches!(octet, b' ' | b'\t') && !is_last);
        // A line that begins so would be changed by mailboxes in mbox form, or be taken for the end of a message.
        let is_plain = is_plain && !(column == 0 && matches!(octet, b'F' | b'.'));
        let width = if is_plain { 1 } else { 3 };
        if column + width + usize::from(!is_last) > WIDTH {
            text.push_str("=\n");
            column = 0;
        }
        if is_plain {
            text.push(char::from(octet));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "={octet:02X}");
        }
        column += width;
    }
    text
}

/// Which of the two is shorter for `octets`.
#[must_use]
pub fn is_mostly_text(octets: &[u8]) -> bool {
    octets.iter().filter(|octet| !matches!(octet, b' '..=b'~' | b'\n' | b'\t')).count()
        < octets.len() / 6 + 16
}

/// Whether a text may stand in a header as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        && !text.contains("=?")
        && text.split(' ').all(|word| !word.is_empty() && word.len() < 200)
}

/// Free text as the words of a header: each fits a line, and no blank between two encoded ones belongs to the text.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    if is_plain(text) {
        return text.split(' ').map(str::to_owned).collect();
    }
    let (mut words, mut piece) = (Vec::new(), String::new());
    for character in text.chars() {
        if piece.len() + character.len_utf8() > WORD {
            words.push(encoded_word(&std::mem::take(&mut piece)));
        }
        piece.push(character);
    }
    if !piece.is_empty() {
        words.push(encoded_word(&piece));
    }
    words
}

fn encoded_word(text: &str) -> String {
    format!("=?utf-8?B?{}?=", base64(text.as_bytes()))
}

/// A display name as the words of a header: atoms, a quoted string, or encoded.
#[must_use]
pub fn phrase(name: &str) -> Vec<String> {
    let is_atoms = is_plain(name)
        && name.bytes().all(|o| o.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&o));
    if is_atoms || name.is_empty() {
        return words(name);
    }
    if is_plain(name) && name.len() < 60 {
        return vec![format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    words(name)
        .into_iter()
        .flat_map(|word| if word.starts_with("=?") { vec![word] } else { words_of(&word) })
        .collect()
}

/// A word that no header may hold as it is in a phrase.
fn words_of(word: &str) -> Vec<String> {
    // A blank that is dropped between encoded words is part of the text here.
    let text = format!("{word} ");
    let (mut words, mut rest) = (Vec::new(), text.as_str());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(WORD));
        words.push(encoded_word(piece));
        rest = after;
    }
    words
}

/// A field of a header, folded between its words.
#[must_use]
pub fn field(name: &str, words: impl IntoIterator<Item = String>) -> String {
    let mut text = format!("{name}:");
    let mut column = text.len();
    for word in words {
        if column + 1 + word.len() > WIDTH && column > name.len() + 1 {
            text.push('\n');
            column = 0;
        }
        text.push(' ');
        text.push_str(&word);
        column += 1 + word.len();
    }
    text.push('\n');
    text
}

/// A parameter such as `filename`, as words of a field: a quoted string, or in pieces (RFC 2231 section 4.1).
#[must_use]
pub fn parameter(name: &str, value: &str) -> Vec<String> {
    let is_plain = value.bytes().all(|octet| matches!(octet, b' '..=b'~') && !b"\"\\%".contains(&octet));
    if is_plain && value.len() <= 50 {
        return vec![format!("{name}=\"{value}\"")];
    }
    let mut pieces = vec![String::new()];
    for octet in value.bytes() {
        let written = match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(octet).to_string(),
            _ => format!("%{octet:02X}"),
        };
        match pieces.last_mut() {
            Some(last) if last.len() + written.len() <= 50 => last.push_str(&written),
            _ => pieces.push(written),
        }
    }
    match pieces.as_slice() {
        [only] => vec![format!("{name}*=utf-8''{only}")],
        pieces => {
            let last = pieces.len() - 1;
            let one = |(at, piece): (usize, &String)| {
                let charset = if at == 0 { "utf-8''" } else { "" };
                let end = if at == last { "" } else { ";" };
                format!("{name}*{at}*={charset}{piece}{end}")
            };
            pieces.iter().enumerate().map(one).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_encoded_as_the_standards_have_it() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|t| base64(t.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
        assert_eq!(quoted_printable("a=é \n.\nFrom x\r\n".as_bytes()), "a=3D=C3=A9=20\n=2E\n=46rom x=0D\n");
        let long = quoted_printable("é".repeat(1000).as_bytes());
        assert!(long.lines().all(|line| line.len() <= 76));
        assert_eq!(words("wo  of"), ["=?utf-8?B?d28gIG9m?="]);
        assert_eq!(phrase("Rex, \"x\""), ["\"Rex, \\\"x\\\"\""]);
        assert_eq!(
            field("To", ["a".repeat(70), "b".to_owned(), "c".repeat(70)]),
            format!("To: {} b\n {}\n", "a".repeat(70), "c".repeat(70))
        );
    }
}
