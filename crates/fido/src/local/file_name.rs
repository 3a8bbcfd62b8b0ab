//! The names of messages in a Maildir, `unique:2,FLAGS`, and what they say.

use std::fmt;

use postbox::name::unique;

/// Flags of a message: a set of letters. Those of Maildir have names here; other letters are other programs' (Dovecot's
/// keywords are small letters) and stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u64);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The user has seen it.
    pub const SEEN: Self = Self::letter(b'S');
    /// It was replied to.
    pub const REPLIED: Self = Self::letter(b'R');
    /// The user has flagged it.
    pub const FLAGGED: Self = Self::letter(b'F');
    /// It is to be deleted when the folder is purged.
    pub const TRASHED: Self = Self::letter(b'T');
    /// It is a draft.
    pub const DRAFT: Self = Self::letter(b'D');
    /// It was passed on: forwarded, bounced or resent.
    pub const PASSED: Self = Self::letter(b'P');

    const fn letter(letter: u8) -> Self {
        // `@` is before `A`: 26 letters, six others, 26 letters.
        Self(1 << (letter - b'@'))
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of the other set are in this one.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of the other set is in this one.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What a name says, behind `:2,`.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        letters(name).iter().fold(Self::NONE, |flags, &letter| flags.with(Self::letter(letter)))
    }

    fn letters(self) -> impl Iterator<Item = u8> {
        (b'A'..=b'z').filter(move |octet| octet.is_ascii_alphabetic() && self.has(Self::letter(*octet)))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().try_for_each(|letter| fmt::Write::write_char(f, char::from(letter)))
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({self})")
    }
}

/// What is behind `:2,` in a name, if that is there.
fn info(name: &[u8]) -> &[u8] {
    name.get(unique(name).len()..).and_then(|rest| rest.strip_prefix(b":2,")).unwrap_or_default()
}

fn letters(name: &[u8]) -> &[u8] {
    let info = info(name);
    let end = info.iter().position(|octet| !octet.is_ascii_alphabetic()).unwrap_or(info.len());
    info.get(..end).unwrap_or_default()
}

/// The same name with other flags, sorted as Maildir wants them. What else another program has put behind them stays.
pub(super) fn with_flags(name: &[u8], flags: Flags) -> Vec<u8> {
    let rest = info(name).get(letters(name).len()..).unwrap_or_default();
    [unique(name), b":2,", flags.to_string().as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_other_programs_keep_what_is_theirs() {
        let seen = |name: &[u8]| with_flags(name, Flags::of(name).with(Flags::SEEN));
        assert_eq!(seen(b"1.a"), b"1.a:2,S");
        assert_eq!(seen(b"1.a,S=9,W=10:2,TF"), b"1.a,S=9,W=10:2,FST");
        assert_eq!(seen(b"1.a:2,"), b"1.a:2,S");
        assert_eq!(seen(b"1.a:2,Rab"), b"1.a:2,RSab", "Dovecot's keywords");
        assert_eq!(seen(b"1.a:2,F,X=1"), b"1.a:2,FS,X=1");
        assert_eq!(seen(b"1.a:1,x"), b"1.a:2,S", "an experiment's");
        assert_eq!(seen(b"!2,:"), b"!2,:2,S");
        assert_eq!(seen(b":2,F"), b":2,FS");
        assert_eq!(Flags::of(b"1.a,S=9"), Flags::NONE, "a size is no flag");
    }

    proptest! {
        #[test]
        fn flags_are_read_as_they_are_written(name in prop::collection::vec(1_u8.., 0..60), flags in "[A-Za-z]{0,9}") {
            let flags = Flags::of(format!("x:2,{flags}").as_bytes());
            let written = with_flags(&name, flags);
            prop_assert_eq!(Flags::of(&written), flags);
            prop_assert_eq!(unique(&written), unique(&name));
            prop_assert!(letters(&written).is_sorted());
            prop_assert_eq!(with_flags(&written, flags), written);
        }

        #[test]
        fn other_flags_than_the_changed_ones_stay(before in "[A-Za-z]{0,9}", change in "[DFPRST]") {
            let of = |letters: &str| Flags::of(format!("x:2,{letters}").as_bytes());
            let (before, change) = (of(&before), of(&change));
            prop_assert!(before.with(change).has(before) && before.with(change).has(change));
            prop_assert_eq!(before.without(change).with(change), before.with(change));
            prop_assert!(!before.without(change).has_any(change));
        }
    }
}
