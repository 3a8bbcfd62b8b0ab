//! Encoded words (RFC 2047) that stand side by side.

use super::decode::{base64, quoted_printable};

/// Makes one encoded word of those that follow each other in one character set.
///
/// RFC 2047 section 5 forbids it, but programs cut the encoded octets wherever a word is full, also within a
/// character; decoded one by one, as mail-parser does it, the halves would be lost.
pub(super) fn join_words(text: String) -> String {
    if text.matches("=?").nth(1).is_none() {
        return text;
    }
    let mut joined = String::with_capacity(text.len());
    let mut open: Option<(&str, Vec<u8>)> = None;
    let mut rest = text.as_str();
    // Behind the last end there is no word: looking for one at each beginning would take quadratic time.
    let last_end = text.rfind("?=").unwrap_or(0);
    while let Some(start) = rest.find("=?") {
        let (before, at) = rest.split_at(start);
        let has_end = text.len() - at.len() < last_end;
        let Some((word, after)) = Some(at).filter(|_| has_end).and_then(Word::at) else {
            close(&mut joined, open.take());
            joined.push_str(before);
            joined.push_str("=?");
            rest = at.get(2..).unwrap_or_default();
            continue;
        };
        rest = after;
        match &mut open {
            Some((charset, octets))
                if charset.eq_ignore_ascii_case(word.charset) && before.trim().is_empty() =>
            {
                octets.extend(word.octets());
            }
            _ => {
                close(&mut joined, open.take());
                joined.push_str(before);
                open = Some((word.charset, word.octets()));
            }
        }
    }
    close(&mut joined, open);
    joined.push_str(rest);
    joined
}

/// Writes the word that has been gathered.
fn close(joined: &mut String, open: Option<(&str, Vec<u8>)>) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let Some((charset, octets)) = open else { return };
    joined.extend(["=?", charset, "?q?"]);
    for octet in octets {
        joined.push('=');
        joined.extend(DIGITS.get(usize::from(octet >> 4)));
        joined.extend(DIGITS.get(usize::from(octet & 15)));
    }
    joined.push_str("?=");
}

struct Word<'a> {
    charset: &'a str,
    is_base64: bool,
    encoded: &'a str,
}

impl<'a> Word<'a> {
    /// The word that `text` begins with, and what follows it.
    fn at(text: &'a str) -> Option<(Self, &'a str)> {
        let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let is_base64 = encoding.eq_ignore_ascii_case("b");
        if charset.is_empty() || charset.len() > 80 || !(is_base64 || encoding.eq_ignore_ascii_case("q")) {
            return None;
        }
        let (encoded, rest) = rest.split_once("?=")?;
        // RFC 2231 section 5: a language may follow the character set.
        let charset = charset.split('*').next().unwrap_or(charset);
        Some((Self { charset, is_base64, encoded }, rest))
    }

    fn octets(&self) -> Vec<u8> {
        if self.is_base64 {
            base64(self.encoded.as_bytes())
        } else {
            let mut octets = quoted_printable(self.encoded.replace('_', "=20").as_bytes());
            octets.retain(|&octet| !matches!(octet, b'\r' | b'\n'));
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_character_set_become_one_and_others_stay_apart() {
        let joined = |text: &str| join_words(text.to_owned());
        assert_eq!(joined("a =?x?b?d28=?=  =?X?q?o_f?= b"), "a =?x?q?=77=6F=6F=20=66?= b");
        assert_eq!(joined("=?x?q?a?= =?y?q?b?="), "=?x?q?=61?= =?y?q?=62?=");
        assert_eq!(joined("=?x?q?a?= and =?x?q?b?="), "=?x?q?=61?= and =?x?q?=62?=");
        assert_eq!(joined("=? =?x?z?a?= =?"), "=? =?x?z?a?= =?");
    }
}
