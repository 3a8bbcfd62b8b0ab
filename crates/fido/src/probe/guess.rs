//! Which program a server is, where it has shown a sign of it.

use serde::Serialize;

/// A program whose ways are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Program {
    /// Ours.
    Doghouse,
    /// The University of Washington's.
    #[serde(rename = "UW ipop2d")]
    Uw,
    /// Phil Karn's, and what came of it.
    #[serde(rename = "KA9Q NOS or JNOS")]
    Nos,
    /// MH's.
    #[serde(rename = "MH popd")]
    Mh,
}

impl Program {
    const ALL: [Self; 4] = [Self::Doghouse, Self::Uw, Self::Nos, Self::Mh];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Doghouse => "Doghouse",
            Self::Uw => "UW ipop2d",
            Self::Nos => "KA9Q NOS or JNOS",
            Self::Mh => "MH popd",
        }
    }
}

/// What only one program is known to do or say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sign {
    pub(super) program: Program,
    pub(super) evidence: &'static str,
}

/// UW ipop2d keeps the old folder open where the new one does not exist.
pub(super) const OLD_FOLDER_STAYS: Sign =
    Sign { program: Program::Uw, evidence: "FOLD of a folder that does not exist keeps the old one open" };
/// MH popd speaks both protocols at one port.
pub(super) const BOTH_PROTOCOLS: Sign =
    Sign { program: Program::Mh, evidence: "it greets as a POP3 server and answers HELO with a count" };

/// Words in replies that only one program is known to say.
const WORDS: [(&str, Sign); 4] = [
    ("Doghouse ready", Sign { program: Program::Doghouse, evidence: "its greeting says `Doghouse ready`" }),
    ("+ Sayonara", Sign { program: Program::Uw, evidence: "it says `+ Sayonara`" }),
    ("+ No mail, sorry", Sign { program: Program::Nos, evidence: "it says `+ No mail, sorry`" }),
    (
        "- Invalid message number",
        Sign { program: Program::Nos, evidence: "it says `- Invalid message number`" },
    ),
];

impl Sign {
    /// The signs in a reply.
    pub(super) fn of_text(reply: &str) -> impl Iterator<Item = Self> {
        WORDS.iter().filter(|(words, _)| reply.contains(words)).map(|(_, sign)| sign.clone())
    }
}

/// The program that it seems to be, and why. Without signs, or with signs of several, it is unknown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Guess {
    pub(super) program: Option<Program>,
    pub(super) evidence: Vec<&'static str>,
}

impl Guess {
    pub(super) fn of(signs: &[Sign]) -> Self {
        let mut evidence = Vec::new();
        for sign in signs {
            if !evidence.contains(&sign.evidence) {
                evidence.push(sign.evidence);
            }
        }
        let shown = |program: &Program| signs.iter().any(|sign| sign.program == *program);
        let mut programs = Program::ALL.into_iter().filter(shown);
        let program = programs.next().filter(|_| programs.next().is_none());
        Self { program, evidence }
    }

    /// The guess in words.
    pub(super) fn text(&self) -> String {
        match (self.program, self.evidence.as_slice()) {
            (Some(program), evidence) => format!("It may be {}: {}.", program.name(), evidence.join("; ")),
            (None, []) => "Which program it is, nothing shows.".to_owned(),
            (None, evidence) => {
                format!("Which program it is, cannot be told: {}.", evidence.join("; "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_has_evidence_and_is_none_where_that_points_two_ways() {
        assert_eq!(Guess::of(&[]), Guess { program: None, evidence: vec![] });
        let signs: Vec<_> = ["+ No mail, sorry", "+ No mail, sorry", "- Invalid message number 3"]
            .into_iter()
            .flat_map(Sign::of_text)
            .collect();
        let guess = Guess::of(&signs);
        assert_eq!((guess.program, guess.evidence.len()), (Some(Program::Nos), 2));
        let both = Guess::of(&[OLD_FOLDER_STAYS, BOTH_PROTOCOLS]);
        assert_eq!((both.program, both.evidence.len()), (None, 2));
        assert!(both.text().contains("keeps the old one open; it greets"), "{}", both.text());
    }
}
