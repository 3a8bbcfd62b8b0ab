//! Who a message is from or for (RFC 5322 section 3.4).

use std::fmt;

/// A display name and an address, each of which may be empty; both are one line and safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded and without quotes.
    pub name: String,
    /// The address, such as `smith@dog-house.example`.
    pub address: String,
}

impl Mailbox {
    /// Whether the address can be written to: an answer's header takes nothing else.
    pub(super) fn is_usable(&self) -> bool {
        let odd = |character: char| character.is_whitespace() || "<>,;:\"()[]\\".contains(character);
        self.address.len() <= 320 && !self.address.is_empty() && !self.address.contains(odd)
    }

    /// Whether both are one address: the case of letters is not looked at.
    pub(super) fn is_same(&self, address: &str) -> bool {
        self.address.to_lowercase() == address.to_lowercase()
    }
}

impl fmt::Display for Mailbox {
    /// As in a header, but decoded; a name that could be taken for an address or for several is in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address } = self;
        if name.is_empty() {
            return f.write_str(address);
        }
        if name.contains(|character: char| "()<>[]:;@\\,\"".contains(character)) {
            write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))?;
        } else {
            f.write_str(name)?;
        }
        if address.is_empty() { Ok(()) } else { write!(f, " <{address}>") }
    }
}
