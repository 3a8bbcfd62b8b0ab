//! Passwords that leave no trace.

use std::fmt;

use zeroize::Zeroizing;

/// A password: octets that are never shown and are wiped from memory when dropped.
///
/// It has no `Display`, its `Debug` shows nothing of it in any build, and it compares with nothing: whoever
/// checks it asks for the octets by name, in a place that a reader can search for.
///
/// ```
/// use pop2::Secret;
/// let secret = Secret::from("bone");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert_eq!(secret.expose(), b"bone");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes the octets of a password over; the vector's own memory is wiped.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        let octets = Zeroizing::new(octets);
        Self(Zeroizing::new(octets.as_slice().into()))
    }

    /// The octets themselves, for a password check or for the wire.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
