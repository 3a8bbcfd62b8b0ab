//! Passwords of devices: made for POP2 alone, for one machine, known to nobody else.
//!
//! They are random, so that nobody has to slow down guessing them: a digest is all that is kept, and a login is
//! looked up by it, with the same work whosever it is. They stand in a file of their own beside the users file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::vec;

use blake2::{Blake2s256, Digest as _};
use ipnet::IpNet;
use pop2::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::Error;
use super::fields::network;
use crate::{exit::printable, peer::Peer};

/// The characters of a password: none that is taken for another, so that it can be typed on any keyboard.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many there are in a password, which makes 80 bits of chance. KA9Q NOS takes 18 at most.
const LENGTH: usize = 16;

/// The longest label, in characters.
const LABEL: usize = 64;

/// What stands in the file before the devices.
const HEAD: &str = "# Passwords of devices; doghouse user device add, list and remove see to it.\n\n";

/// The devices of all users, as the file has them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Devices {
    device: Vec<Device>,
}

/// A device, which has a password of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Whose mail it fetches.
    pub user: String,
    /// What it is called in lists and in the log; unique for its user.
    pub label: String,
    /// The networks that it may log in from; anywhere, where there are none.
    #[serde(default)]
    pub from: Vec<IpNet>,
    /// Whether ACKD keeps what it marks.
    #[serde(default)]
    pub read_only: bool,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// The digest of user and password, in hexadecimal.
    pub(super) digest: String,
}

/// What a login is looked up by.
type Key = [u8; 32];

/// The devices as logins are looked up.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Key, Device>);

impl Device {
    /// A new one, and its password.
    pub(super) fn make(
        user: &str,
        label: &str,
        from: Vec<IpNet>,
        read_only: bool,
    ) -> Result<(Self, Secret), Error> {
        let is_plain = label.chars().all(|c| !c.is_control());
        if label.trim() != label || label.is_empty() || label.chars().count() > LABEL || !is_plain {
            return Err(Error::Label);
        }
        let password = random()?;
        let mut digest = String::new();
        for octet in self::digest(user, &password) {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{octet:02x}");
        }
        let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let (user, label) = (user.to_owned(), label.to_owned());
        Ok((Self { user, label, from, read_only, made, digest }, password))
    }

    /// One as a login meets it in a database, with commas between the networks; `None` where these are not understood.
    pub(super) fn stored(
        user: &str,
        label: String,
        nets: &str,
        read_only: bool,
        digest: String,
    ) -> Option<Self> {
        let nets = nets.split(',').map(str::trim).filter(|net| !net.is_empty());
        let from = nets.map(network).collect::<Option<_>>()?;
        Some(Self { user: user.to_owned(), label, from, read_only, made: 0, digest })
    }

    /// Whether a client may log in with it.
    pub(super) fn takes(&self, client: Peer) -> bool {
        self.from.is_empty() || client.is_in(&self.from)
    }
}

impl Devices {
    /// Reads the text of the file.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let fault = |what: String| Error::Devices { path: path.to_owned(), what };
        let devices: Self = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(0, |span| text.get(..span.start).unwrap_or(text).matches('\n').count());
            fault(printable(&format!("line {}: {}", line + 1, error.message().replace('\n', "; "))))
        })?;
        for Device { user, label, digest, .. } in &devices.device {
            if key(digest).is_none() {
                return Err(fault(format!(
                    "the digest of {label:?} of {user:?} is not in order; remove that device"
                )));
            }
        }
        Ok(devices)
    }

    /// The file as it is to be written.
    pub(super) fn to_text(&self) -> Result<String, Error> {
        toml::to_string(self).map(|text| format!("{HEAD}{text}")).map_err(Error::Unwritable)
    }

    /// Adds a device and gives it a password, which is told here and never again.
    pub fn add(
        &mut self,
        user: &str,
        label: &str,
        from: Vec<IpNet>,
        read_only: bool,
    ) -> Result<Secret, Error> {
        let (device, password) = Device::make(user, label, from, read_only)?;
        if self.of(user).any(|device| device.label == label) {
            return Err(Error::DeviceExists(label.to_owned()));
        }
        self.device.push(device);
        Ok(password)
    }

    /// Removes a device: its password is good for nothing from the next login on.
    pub fn remove(&mut self, user: &str, label: &str) -> Result<(), Error> {
        let before = self.device.len();
        self.device.retain(|device| device.user != user || device.label != label);
        if self.device.len() == before { Err(Error::NoDevice(label.to_owned())) } else { Ok(()) }
    }

    /// Removes all devices of a user.
    pub fn remove_all(&mut self, user: &str) {
        self.device.retain(|device| device.user != user);
    }

    /// The devices of a user, in the order in which they were made.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &Device> {
        self.device.iter().filter(move |device| device.user == user)
    }

    /// All devices.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.device.iter()
    }
}

impl IntoIterator for Devices {
    type Item = Device;
    type IntoIter = vec::IntoIter<Device>;

    fn into_iter(self) -> Self::IntoIter {
        self.device.into_iter()
    }
}

impl Index {
    pub(super) fn of(devices: impl IntoIterator<Item = Device>) -> Self {
        let keyed = devices.into_iter().filter_map(|device| Some((key(&device.digest)?, device)));
        Self(keyed.collect())
    }

    /// The device whose password one of these is.
    pub(super) fn find(&self, user: &str, candidates: &[Secret]) -> Option<&Device> {
        let mut found = None;
        for candidate in candidates {
            found = self.0.get(&digest(user, candidate)).filter(|device| device.user == user).or(found);
        }
        found
    }
}

fn digest(user: &str, password: &Secret) -> Key {
    let mut digest = Blake2s256::new();
    digest.update(b"doghouse device");
    // The length keeps "ab" with "c" apart from "a" with "bc".
    digest.update(user.len().to_le_bytes());
    digest.update(user.as_bytes());
    digest.update(password.expose());
    digest.finalize().into()
}

fn key(digest: &str) -> Option<Key> {
    let octets = digest.as_bytes();
    let mut key = [0; 32];
    if octets.len() != 2 * key.len() {
        return None;
    }
    for (octet, digits) in key.iter_mut().zip(octets.as_chunks::<2>().0) {
        *octet = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

pub(super) fn random() -> Result<Secret, Error> {
    let mut octets = Zeroizing::new([0; LENGTH]);
    getrandom::fill(octets.as_mut()).map_err(Error::Random)?;
    let character = |octet: &u8| ALPHABET.get(usize::from(octet % 32)).copied().unwrap_or_default();
    Ok(Secret::new(octets.iter().map(character).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Devices, String> {
        Devices::parse(text, "devices".as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_device_is_written_read_found_and_removed() {
        let mut devices = Devices::default();
        let network = vec!["192.168.7.0/24".parse().unwrap()];
        let vax = devices.add("fido", "MicroVAX", network.clone(), true).unwrap();
        let mac = devices.add("fido", "Mac \"SE\"", Vec::new(), false).unwrap();
        assert!(matches!(devices.add("fido", "MicroVAX", Vec::new(), false), Err(Error::DeviceExists(_))));
        let other = devices.add("smith", "MicroVAX", Vec::new(), false).unwrap();
        assert_eq!(vax.expose().len(), LENGTH);
        assert_ne!(vax.expose(), mac.expose());

        let text = devices.to_text().unwrap();
        assert!(!text.contains(str::from_utf8(vax.expose()).unwrap()), "the password is nowhere");
        let mut read = parse(&text).unwrap();
        let index = Index::of(read.clone());
        let found = index.find("fido", &[Secret::from("wrong"), vax.clone()]).unwrap();
        assert_eq!((found.label.as_str(), found.read_only, &found.from), ("MicroVAX", true, &network));
        assert!(found.takes(Peer::at([192, 168, 7, 9].into())));
        assert!(!found.takes(Peer::at([192, 168, 8, 9].into())) && !found.takes(Peer::Local));
        assert_eq!(index.find("fido", std::slice::from_ref(&mac)).unwrap().label, "Mac \"SE\"");
        assert!(
            index.find("smith", std::slice::from_ref(&vax)).is_none()
                && index.find("fido", &[other]).is_none()
        );

        read.remove("fido", "MicroVAX").unwrap();
        assert!(matches!(read.remove("fido", "MicroVAX"), Err(Error::NoDevice(_))));
        let index = Index::of(read.clone());
        assert!(index.find("fido", &[vax]).is_none() && index.find("fido", &[mac]).is_some());
        read.remove_all("fido");
        assert_eq!(read.iter().count(), 1);
    }

    #[test]
    fn labels_are_short_and_plain() {
        for label in ["", " ", " x", "x\n", "a\u{1b}[2J", &"x".repeat(65)] {
            assert!(
                matches!(Devices::default().add("fido", label, Vec::new(), false), Err(Error::Label)),
                "{label:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_its_line() {
        let device = "[[device]]\nuser = 'fido'\nlabel = 'x'\nmade = 1\n";
        for (text, expected) in [
            ("woof", "devices: line 1: "),
            ("\n[[device]]\nuser = 1\n", "devices: line 3: "),
            (device, "missing field `digest`"),
            (&format!("{device}digest = 'woof'"), "the digest of \"x\" of \"fido\" is not in order"),
            (&format!("{device}digest = '{}'", "é".repeat(32)), "is not in order"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(parse("").unwrap().iter().count(), 0);
    }
}
