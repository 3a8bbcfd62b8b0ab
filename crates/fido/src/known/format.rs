//! The lines of a record: what was known when the last complete session had ended, sealed with a digest, and then
//! what has happened since.

use std::fmt::Write as _;

use blake2::{Blake2s256, Digest as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Entry, Fingerprint, Memory};

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first: the version, and whose record it is.
    Fido { version: u32, folder: String },
    /// A message on the server.
    Message { number: u32, size: u64, digest: Option<Hex> },
    /// A message that is here.
    Here { size: u64, digest: Hex },
    /// [`Memory::turn`].
    Turn(u32),
    /// The digest of all that is above.
    Seal(Hex),
    /// A message is about to be stored.
    Intent { size: u64, digest: Hex },
    /// It is safe.
    Stored { size: u64, digest: Hex },
    /// It is not here.
    Dropped { size: u64, digest: Hex },
}

/// Digests in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hex([u8; 32]);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(D::Error::custom("a digest has 64 hexadecimal digits"));
        }
        for (octet, pair) in digest.iter_mut().zip(pairs) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'));
            *octet = pair
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| D::Error::custom("a digest has hexadecimal digits only"))?;
        }
        Ok(Self(digest))
    }
}

/// Octets in hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// What happens to a message in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Intent(Fingerprint),
    Stored(Fingerprint),
    Dropped(Fingerprint),
}

impl Event {
    /// The event as a line.
    pub(super) fn line(self) -> Result<String, serde_json::Error> {
        line(&match self {
            Self::Intent(Fingerprint { size, digest }) => Line::Intent { size, digest: Hex(digest) },
            Self::Stored(Fingerprint { size, digest }) => Line::Stored { size, digest: Hex(digest) },
            Self::Dropped(Fingerprint { size, digest }) => Line::Dropped { size, digest: Hex(digest) },
        })
    }
}

/// What a record says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) memory: Memory,
    /// The messages that were about to be stored, and may be here.
    pub(super) doubts: Vec<Fingerprint>,
}

impl Known {
    pub(super) fn happen(&mut self, event: Event) {
        let (Event::Intent(message) | Event::Stored(message) | Event::Dropped(message)) = event;
        if !matches!(event, Event::Intent(_))
            && let Some(index) = self.doubts.iter().position(|doubt| doubt.digest == message.digest)
        {
            self.doubts.remove(index);
        }
        match event {
            Event::Intent(_) => self.doubts.push(message),
            Event::Stored(_) => self.memory.here.push(message),
            Event::Dropped(_) => {}
        }
    }

    /// The whole record of `folder`.
    pub(super) fn write(&self, folder: &str) -> Result<String, serde_json::Error> {
        let mut text = line(&Line::Fido { version: VERSION, folder: folder.to_owned() })?;
        for (&number, &Entry { size, digest }) in &self.memory.there {
            text.push_str(&line(&Line::Message { number, size, digest: digest.map(Hex) })?);
        }
        for &Fingerprint { size, digest } in &self.memory.here {
            text.push_str(&line(&Line::Here { size, digest: Hex(digest) })?);
        }
        text.push_str(&line(&Line::Turn(self.memory.turn))?);
        text.push_str(&line(&Line::Seal(seal(text.as_bytes())))?);
        for &doubt in &self.doubts {
            text.push_str(&Event::Intent(doubt).line()?);
        }
        Ok(text)
    }

    /// Reads the record of `folder`, and says how many octets of it count: a last line without an end was being
    /// written when the machine stopped.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub(super) fn read(octets: &[u8], folder: &str) -> Result<(Self, usize), String> {
        let mut known = Self::default();
        let mut length = 0;
        let (mut begun, mut sealed) = (false, false);
        for (index, text) in octets.split_inclusive(|&octet| octet == b'\n').enumerate() {
            if !text.ends_with(b"\n") {
                break;
            }
            let number = index + 1;
            let wrong = |what: &str| Err(format!("line {number}: {what}"));
            let parsed = serde_json::from_slice(text).map_err(|error| format!("line {number}: {error}"))?;
            match parsed {
                Line::Fido { version, .. } if begun || version != VERSION => {
                    return wrong("that is no record of this version of fido");
                }
                Line::Fido { folder: found, .. } if found != folder => {
                    return wrong("that is the record of another folder");
                }
                Line::Fido { .. } => begun = true,
                _ if !begun => return wrong("a record does not begin so"),
                Line::Message { number, size, digest } if !sealed => {
                    let digest = digest.map(|Hex(digest)| digest);
                    let last = known.memory.there.last_key_value().map_or(0, |(&last, _)| last);
                    if number <= last {
                        return wrong("a message is out of order");
                    }
                    known.memory.there.insert(number, Entry { size, digest });
                }
                Line::Here { size, digest: Hex(digest) } if !sealed => {
                    known.memory.here.push(Fingerprint { size, digest });
                }
                Line::Turn(turn) if !sealed => known.memory.turn = turn,
                Line::Seal(found) if !sealed => {
                    if octets.get(..length).map(seal) != Some(found) {
                        return wrong("what is above it has been changed");
                    }
                    sealed = true;
                }
                Line::Intent { size, digest: Hex(digest) } if sealed => {
                    known.happen(Event::Intent(Fingerprint { size, digest }));
                }
                Line::Stored { size, digest: Hex(digest) } if sealed => {
                    known.happen(Event::Stored(Fingerprint { size, digest }));
                }
                Line::Dropped { size, digest: Hex(digest) } if sealed => {
                    known.happen(Event::Dropped(Fingerprint { size, digest }));
                }
                _ => return wrong("it is in the wrong place"),
            }
            length += text.len();
        }
        if sealed { Ok((known, length)) } else { Err("it is not whole".to_owned()) }
    }
}

fn line(line: &Line) -> Result<String, serde_json::Error> {
    serde_json::to_string(line).map(|text| text + "\n")
}

fn seal(octets: &[u8]) -> Hex {
    Hex(Blake2s256::digest(octets).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fingerprints() -> impl Strategy<Value = Fingerprint> {
        (any::<u64>(), 0..4_u8).prop_map(|(size, octet)| Fingerprint { size, digest: [octet * 60; 32] })
    }

    fn events() -> impl Strategy<Value = Event> {
        (0..3_u8, fingerprints()).prop_map(|(kind, fingerprint)| match kind {
            0 => Event::Intent(fingerprint),
            1 => Event::Stored(fingerprint),
            _ => Event::Dropped(fingerprint),
        })
    }

    prop_compose! {
        fn known()(
            there in prop::collection::btree_map(1..50_u32, (any::<u64>(), any::<Option<[u8; 32]>>()), 0..6),
            here in prop::collection::vec(fingerprints(), 0..4),
            doubts in prop::collection::vec(fingerprints(), 0..2),
            turn in any::<u32>(),
        ) -> Known {
            let there = there.into_iter().map(|(number, (size, digest))| (number, Entry { size, digest }));
            Known { memory: Memory { there: there.collect(), here, turn }, doubts }
        }
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written_up_to_where_it_is_cut_off(
            before in known(), events in prop::collection::vec(events(), 0..5), cut in 0..200_usize,
        ) {
            let mut text = before.write("a \"folder\"\n").unwrap();
            let mut states = vec![(text.len(), before)];
            for event in events {
                text += &event.line().unwrap();
                let mut known = states.last().unwrap().1.clone();
                known.happen(event);
                states.push((text.len(), known));
            }
            let sealed = text.find("{\"seal").unwrap();
            let sealed = sealed + text[sealed..].find('\n').unwrap() + 1;
            let cut = text.len().saturating_sub(cut);
            let read = Known::read(&text.as_bytes()[..cut], "a \"folder\"\n");
            if let Some((length, known)) = states.iter().rev().find(|(length, _)| *length <= cut) {
                prop_assert_eq!(read, Ok((known.clone(), *length)));
            } else {
                prop_assert_eq!(read.is_ok(), cut >= sealed);
            }
            prop_assert!(Known::read(text.as_bytes(), "another").is_err());
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Known::read(&octets, "folder");
        }

        #[test]
        fn a_record_with_any_change_is_read_or_refused_and_what_is_sealed_is_refused(
            known in known(), events in prop::collection::vec(events(), 0..4),
            place in any::<prop::sample::Index>(), put in any::<u8>(), remove in 0..3_usize,
        ) {
            let mut text = known.write("folder").unwrap().into_bytes();
            let sealed = known.write("folder").unwrap().find("{\"seal").unwrap();
            for event in events {
                text.extend(event.line().unwrap().bytes());
            }
            let place = place.index(text.len());
            let mut changed = text.clone();
            changed.splice(place..(place + remove).min(text.len()), [put]);
            let read = Known::read(&changed, "folder");
            if changed != text && place < sealed {
                prop_assert!(read.is_err(), "{:?}", String::from_utf8_lossy(&changed));
            }
        }
    }
}
