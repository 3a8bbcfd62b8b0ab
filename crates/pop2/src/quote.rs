//! Quoting: a back slash takes the octet after it for itself (RFC 937, "Quoting"; `DECISIONS` 4 to 7).

const QUOTE: u8 = b'\\';

/// How a client writes arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// As RFC 937 says: what the syntax does not allow as it stands is quoted.
    #[default]
    Rfc,
    /// Nothing is quoted: KA9Q NOS and other old servers take the octets as they come.
    Raw,
}

/// Splits `octets` at the first blank that is not quoted: the word as sent, and what follows the blanks.
pub(crate) fn split_word(octets: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let end = octets
        .iter()
        .position(|&octet| {
            let ends = !quoted && is_blank(octet);
            quoted = !quoted && octet == QUOTE;
            ends
        })
        .unwrap_or(octets.len());
    let (word, rest) = octets.split_at(end);
    (word, trim_start(rest))
}

/// `octets` without the blanks at their end; a blank that is quoted stays.
pub(crate) fn trim_end(octets: &[u8]) -> &[u8] {
    let mut kept = octets;
    while let [before @ .., last] = kept
        && is_blank(*last)
        && !ends_in_quote(before)
    {
        kept = before;
    }
    kept
}

pub(crate) fn trim_start(octets: &[u8]) -> &[u8] {
    let blanks = octets.iter().take_while(|&&octet| is_blank(octet)).count();
    octets.get(blanks..).unwrap_or_default()
}

/// Whether `octets` hold a quote at all.
pub(crate) fn is_quoted(octets: &[u8]) -> bool {
    octets.contains(&QUOTE)
}

/// `octets` with each `\x` made `x`; `None` where a quote has nothing after it.
pub(crate) fn decode(octets: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        decoded.push(if octet == QUOTE { *rest.next()? } else { octet });
    }
    Some(decoded)
}

/// Appends a `<word>`: blanks are quoted too.
pub(crate) fn encode_word(octets: &[u8], quoting: Quoting, line: &mut Vec<u8>) {
    for &octet in octets {
        push(octet, quoting == Quoting::Rfc && needs_quote(octet), line);
    }
}

/// Appends a `<string>`: a blank is quoted only at an end, where it would be dropped.
pub(crate) fn encode_string(octets: &[u8], quoting: Quoting, line: &mut Vec<u8>) {
    let last = octets.len().saturating_sub(1);
    for (at, &octet) in octets.iter().enumerate() {
        let inner_space = octet == b' ' && at != 0 && at != last;
        push(octet, quoting == Quoting::Rfc && needs_quote(octet) && !inner_space, line);
    }
}

fn push(octet: u8, quoted: bool, line: &mut Vec<u8>) {
    if quoted {
        line.push(QUOTE);
    }
    line.push(octet);
}

fn needs_quote(octet: u8) -> bool {
    octet == QUOTE || !octet.is_ascii_graphic()
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Whether the last octet is a quote that quotes what follows, and is not itself quoted.
fn ends_in_quote(octets: &[u8]) -> bool {
    octets.iter().rev().take_while(|&&octet| octet == QUOTE).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decision_5_a_quoted_octet_stands_for_itself() {
        assert_eq!(decode(br"a\ b\\c\d").as_deref(), Some(&br"a b\cd"[..]));
        assert_eq!(decode(br"abc\"), None);
        assert_eq!(decode(b""), Some(vec![]));
    }

    #[test]
    fn decision_9_blanks_at_the_end_are_dropped_unless_quoted() {
        assert_eq!(trim_end(b"QUIT \t "), b"QUIT");
        assert_eq!(trim_end(br"secret\  "), br"secret\ ");
        assert_eq!(trim_end(br"secret\\  "), br"secret\\");
        assert_eq!(trim_end(b"  "), b"");
    }

    #[test]
    fn words_end_at_a_blank_that_is_not_quoted() {
        assert_eq!(split_word(br"fr\ ed  se cret"), (&br"fr\ ed"[..], &b"se cret"[..]));
        assert_eq!(split_word(br"fred\\ x"), (&br"fred\\"[..], &b"x"[..]));
        assert_eq!(split_word(b"fred"), (&b"fred"[..], &b""[..]));
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(octets in prop::collection::vec(1..=127_u8, 1..40)) {
            let (mut word, mut string) = (Vec::new(), Vec::new());
            encode_word(&octets, Quoting::Rfc, &mut word);
            prop_assert_eq!(split_word(&word), (&word[..], &b""[..]));
            prop_assert_eq!(decode(&word), Some(octets.clone()));

            encode_string(&octets, Quoting::Rfc, &mut string);
            prop_assert_eq!(trim_start(trim_end(&string)), &string[..]);
            prop_assert_eq!(decode(&string), Some(octets));
        }
    }
}
