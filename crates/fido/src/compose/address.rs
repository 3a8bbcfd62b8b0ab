//! Addresses as a person writes them (RFC 5322 section 3.4), told apart and checked.

use crate::message::Mailbox;

/// Octets of an address (RFC 5321 sections 4.5.3.1.1 to 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// Reads `Name <address>, "Name, the" <address>, address`; empty pieces do not count.
///
/// # Errors
/// With the piece that is no address, and why.
pub fn list(text: &str) -> Result<Vec<Mailbox>, String> {
    if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("an address holds {control:?}; take it out"));
    }
    pieces(text).into_iter().filter(|piece| !piece.trim().is_empty()).map(|piece| one(piece.trim())).collect()
}

/// What stands between commas, where these are neither in quotes nor in angle brackets.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_escaped, mut is_angled) = (false, false, false);
    for character in text.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '<' if !is_quoted => is_angled = true,
            '>' if !is_quoted => is_angled = false,
            ',' | ';' if !is_quoted && !is_angled => {
                pieces.push(std::mem::take(&mut piece));
                continue;
            }
            _ => {}
        }
        piece.push(character);
    }
    pieces.push(piece);
    pieces
}

fn one(text: &str) -> Result<Mailbox, String> {
    let wrong = |why: &str| Err(format!("{text:?} is no address: {why}"));
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim(), address.trim()),
        None if text.contains(['<', '>', '"']) => return wrong("write it as Name <user@host>"),
        None => ("", text),
    };
    let Some((user, domain)) = address.rsplit_once('@') else { return wrong("write it as user@host") };
    if !address.is_ascii() {
        return wrong("it has letters beyond ASCII; write the domain in its xn-- form");
    }
    let is_atom = |text: &str| {
        text.split('.').all(|atom| {
            !atom.is_empty()
                && atom.bytes().all(|o| o.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&o))
        })
    };
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_domain = match literal {
        Some(literal) => {
            !literal.is_empty() && literal.bytes().all(|o| o.is_ascii_alphanumeric() || b".:-".contains(&o))
        }
        None => is_atom(domain),
    };
    if address.len() > MAX_ADDRESS || user.len() > 64 {
        return wrong("it is too long");
    }
    if !is_atom(user) || !is_domain {
        return wrong("write it as user@host, without spaces and brackets");
    }
    Ok(Mailbox { name: unquoted(name), address: address.to_owned() })
}

/// A display name without its quotes.
fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.split_whitespace().collect::<Vec<_>>().join(" ");
    };
    let (mut plain, mut is_escaped) = (String::new(), false);
    for character in inner.chars() {
        if character == '\\' && !is_escaped {
            is_escaped = true;
        } else {
            plain.push(character);
            is_escaped = false;
        }
    }
    plain
}

/// Mailboxes as [`list`] reads them.
#[must_use]
pub fn text(mailboxes: &[Mailbox]) -> String {
    mailboxes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text| -> Vec<(String, String)> {
            list(text).unwrap().into_iter().map(|m| (m.name, m.address)).collect()
        };
        assert_eq!(read(" , "), []);
        let both = read("a@b.example, \"Rex, \\\"the\\\" dog\" <rex@[192.0.2.1]>,Bjørn  B <b+x@c>,");
        assert_eq!(both[0], (String::new(), "a@b.example".into()));
        assert_eq!(both[1], ("Rex, \"the\" dog".into(), "rex@[192.0.2.1]".into()));
        assert_eq!(both[2], ("Bjørn B".into(), "b+x@c".into()));
        for wrong in [
            "a",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "<a@b",
            "a@b> x",
            "a@b\r\nRCPT TO:<c@d>",
            "a@<b>",
            "é@b",
            "a..b@c",
        ] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }
}
