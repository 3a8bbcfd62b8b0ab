//! The key of this process, under which names and passwords are kept and compared.

use std::hash::{BuildHasher as _, RandomState};

use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput as _, KeyInit as _, Update as _};
use pop2::Secret;
use zeroize::Zeroizing;

/// A message authentication code of 256 bits.
pub(super) type Mac = [u8; 32];

/// Random octets that nobody outside this process knows and that end with it.
pub(super) struct Key {
    octets: Zeroizing<[u8; 32]>,
    /// A key of its own for [`pick`](Self::pick), whose outcome nobody sees: a quicker hash will do.
    picks: RandomState,
}

impl Key {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut octets = Zeroizing::new([0; 32]);
        getrandom::fill(octets.as_mut())?;
        Ok(Self { octets, picks: RandomState::new() })
    }

    /// What stands in memory for a user and a password that were right together.
    pub(super) fn login(&self, user: &str, password: &Secret) -> Mac {
        // The length keeps "ab" with "c" apart from "a" with "bc".
        self.mac(&[b"login", &user.len().to_le_bytes(), user.as_bytes(), password.expose()])
    }

    /// The same, of a user whose password is stored so.
    pub(super) fn stored_login(&self, user: &str, stored: &[u8], password: &Secret) -> Mac {
        let lengths = [user.len().to_le_bytes(), stored.len().to_le_bytes()].concat();
        self.mac(&[b"stored", &lengths, user.as_bytes(), stored, password.expose()])
    }

    /// One of `choices`, always the same for a name; zero where there is none to choose.
    pub(super) fn pick(&self, user: &str, choices: usize) -> usize {
        let number = self.picks.hash_one(user) % choices.max(1) as u64;
        usize::try_from(number).unwrap_or_default()
    }

    fn mac(&self, parts: &[&[u8]]) -> Mac {
        let mut mac = Blake2sMac256::new(&(*self.octets).into());
        for part in parts {
            mac.update(part);
        }
        mac.finalize_fixed().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_of_one_user_one_password_and_one_process() {
        let key = Key::random().unwrap();
        let login = |user, password| key.login(user, &Secret::from(password));
        assert_eq!(login("ab", "c"), login("ab", "c"));
        for (user, password) in [("a", "bc"), ("abc", ""), ("ac", "c"), ("ab", "d"), ("", "abc")] {
            assert_ne!(login("ab", "c"), login(user, password));
        }
        assert_ne!(login("ab", "c"), Key::random().unwrap().login("ab", &Secret::from("c")));
    }

    #[test]
    fn a_stored_login_is_of_what_is_stored_as_well() {
        let key = Key::random().unwrap();
        let login =
            |user, stored: &str, password| key.stored_login(user, stored.as_bytes(), &Secret::from(password));
        assert_eq!(login("a", "b", "c"), login("a", "b", "c"));
        for (user, stored, password) in [("ab", "", "c"), ("a", "bc", ""), ("", "ab", "c"), ("a", "x", "c")] {
            assert_ne!(login("a", "b", "c"), login(user, stored, password));
        }
    }

    #[test]
    fn there_is_nothing_to_pick_from_nothing() {
        assert_eq!(Key::random().unwrap().pick("ab", 0), 0);
    }
}
