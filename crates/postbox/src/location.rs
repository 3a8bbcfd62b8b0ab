//! What a configuration says of where mail lives: `kind:path`, with `{user}` for the account's name and `{home}`
//! for its home.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "postgres")]
use crate::postgres::Database;
use crate::{
    Store,
    maildir::{Kept, Maildir},
    mbox,
    mh::Mh,
    mtx,
    one_file::{Indexes, MailFile},
    place,
};

/// What stands for the account's name.
pub const USER: &str = "{user}";

/// What stands for the account's home, at the beginning of a path.
pub const HOME: &str = "{home}";

/// Where the mail of every account lives, such as `maildir:/var/mail/{user}` or `maildir:{home}/Maildir`.
///
/// What stands before the part with `{user}`, or is the home, is the operator's, and its links are followed; from
/// there on none is, so no account's owner can lead the server into another's mail.
#[derive(Debug, Clone)]
pub struct Location(Place);

#[derive(Debug, Clone)]
enum Place {
    Files(Files),
    /// Of a database, with the owner's name in it.
    #[cfg(feature = "postgres")]
    Postgres(Database, String),
}

/// A place in the file system.
#[derive(Debug, Clone)]
struct Files {
    kind: Kind,
    base: Base,
    parts: Vec<String>,
}

/// What is the operator's of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    At(PathBuf),
    Home,
}

/// A kind of store, with what the accounts in it share.
#[derive(Debug, Clone)]
enum Kind {
    Maildir(Arc<Kept>),
    MailFile(Arc<Indexes>),
    Mh,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "maildir" => Self::Maildir(Arc::default()),
            "mbox" => Self::MailFile(Indexes::new(&mbox::Format)),
            "mh" => Self::Mh,
            "mtx" => Self::MailFile(Indexes::new(&mtx::Format)),
            _ => return None,
        })
    }

    /// The store of the account whose mail is where `place` says.
    fn open(&self, place: place::Place) -> Store {
        match self {
            Self::Maildir(kept) => Store::Maildir(Maildir::at(place, Arc::clone(kept))),
            Self::Mh => Store::Mh(Mh::at(place)),
            Self::MailFile(indexes) => Store::MailFile(MailFile::at(place, Arc::clone(indexes))),
        }
    }
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// No kind, or one that there is not.
    #[error("{0:?} is no place for mail; write a kind (maildir, mbox, mh, mtx), a colon and a path")]
    Kind(String),
    /// Every account would have the same mail.
    #[error(
        "{0:?} names the same place for every account; put {USER} where the account's name goes, or begin with {HOME}"
    )]
    NoUser(String),
    /// A part after `{user}` or `{home}` would lead elsewhere.
    #[error("{0:?} has .. in or after the part with {USER} or {HOME}; write the path without it")]
    Dots(String),
}

impl Store {
    /// The one store at a place, such as `mbox:/home/fido/mbox`; a relative path starts from the folder `from`.
    /// Links on the way to it are followed.
    pub fn parse(text: impl AsRef<OsStr>, from: &Path) -> Result<Self, LocationError> {
        let (kind, path) = kind_and_path(text.as_ref())?;
        Ok(kind.open(place::Place::new(from.join(path), Vec::new())))
    }
}

fn kind_and_path(text: &OsStr) -> Result<(Kind, &OsStr), LocationError> {
    let mut parts = text.as_bytes().splitn(2, |&octet| octet == b':');
    let kind = parts.next().and_then(|kind| Kind::parse(str::from_utf8(kind).ok()?));
    let path = parts.next().filter(|path| !path.is_empty());
    let parts = kind.zip(path.map(OsStr::from_bytes));
    parts.ok_or_else(|| LocationError::Kind(text.to_string_lossy().into_owned()))
}

impl Location {
    /// Reads a location. A relative path starts from the folder `from`.
    pub fn parse(text: &str, from: &Path) -> Result<Self, LocationError> {
        let files = Files::read(text, from)?;
        if files.parts.is_empty() && files.base != Base::Home {
            return Err(LocationError::NoUser(text.to_owned()));
        }
        Ok(Self(Place::Files(files)))
    }

    /// Reads a location that is one account's own. Where nothing in it stands for the account, the last part of
    /// the path is what begins to be the account's.
    pub fn of_one(text: &str, from: &Path) -> Result<Self, LocationError> {
        let mut files = Files::read(text, from)?;
        if let (Base::At(base), true) = (&mut files.base, files.parts.is_empty()) {
            let last = base.file_name().map(|name| name.to_string_lossy().into_owned());
            files.parts.push(last.ok_or_else(|| LocationError::Dots(text.to_owned()))?);
            base.pop();
        }
        Ok(Self(Place::Files(files)))
    }

    /// Mail in a database, under a name in which something stands for the account.
    #[cfg(feature = "postgres")]
    pub fn in_database(database: Database, owner: &str) -> Result<Self, LocationError> {
        if !owner.contains(USER) {
            return Err(LocationError::NoUser(owner.to_owned()));
        }
        Ok(Self(Place::Postgres(database, owner.to_owned())))
    }

    /// The folder above the accounts' mail; `None` where there is not one of all.
    #[must_use]
    pub fn base(&self) -> Option<&Path> {
        match &self.0 {
            Place::Files(Files { base: Base::At(base), .. }) => Some(base),
            _ => None,
        }
    }

    /// Whether the mail is in each one's home.
    #[must_use]
    pub fn is_in_home(&self) -> bool {
        matches!(&self.0, Place::Files(Files { base: Base::Home, .. }))
    }

    /// Whether the mail is in a database.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn is_in_database(&self) -> bool {
        matches!(&self.0, Place::Postgres(..))
    }

    /// The mail of one account; `None` where its name cannot be part of a path, or it has no home and needs one.
    #[must_use]
    pub fn postbox(&self, user: &str, home: Option<&Path>) -> Option<Store> {
        if user.is_empty() || user.starts_with('.') || user.contains(['/', '\0']) {
            return None;
        }
        match &self.0 {
            Place::Files(files) => files.postbox(user, home),
            #[cfg(feature = "postgres")]
            Place::Postgres(database, owner) => {
                Some(Store::Postgres(database.postbox(&owner.replace(USER, user))))
            }
        }
    }
}

impl Files {
    fn read(text: &str, from: &Path) -> Result<Self, LocationError> {
        let (kind, path) = kind_and_path(text.as_ref())?;
        let in_home = Path::new(path).strip_prefix(HOME).ok();
        let (base, whole) = match in_home {
            Some(rest) => (Base::Home, rest.to_owned()),
            None => (Base::At(PathBuf::new()), from.join(path)),
        };
        let mut location = Self { kind, base, parts: Vec::new() };
        for component in whole.components() {
            // `text` is UTF-8, and so is every component that comes from it.
            let part = component.as_os_str().to_string_lossy();
            match &mut location.base {
                Base::At(base) if location.parts.is_empty() => {
                    if !part.contains(USER) || is_in(from, base, component) {
                        base.push(component);
                        continue;
                    }
                }
                Base::At(_) | Base::Home => {}
            }
            if matches!(component, Component::ParentDir) {
                return Err(LocationError::Dots(text.to_owned()));
            }
            location.parts.push(part.into_owned());
        }
        Ok(location)
    }

    fn postbox(&self, user: &str, home: Option<&Path>) -> Option<Store> {
        let base = match &self.base {
            Base::At(base) => base.clone(),
            Base::Home => home?.to_owned(),
        };
        let parts = self.parts.iter().map(|part| OsString::from(part.replace(USER, user))).collect();
        Some(self.kind.open(place::Place::new(base, parts)))
    }
}

/// Whether `component`, next after `base`, is still one of `from`'s own.
fn is_in(from: &Path, base: &Path, component: Component<'_>) -> bool {
    from.starts_with(base.join(component))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Result<(String, Vec<String>), LocationError> {
        Location::parse(text, Path::new("/etc/doghouse")).map(shown)
    }

    fn shown(location: Location) -> (String, Vec<String>) {
        let base = location.base().map_or(HOME.to_owned(), |base| base.display().to_string());
        match location.0 {
            Place::Files(files) => (base, files.parts),
            #[cfg(feature = "postgres")]
            Place::Postgres(..) => (base, Vec::new()),
        }
    }

    #[test]
    fn the_part_with_the_user_begins_what_is_walked_without_links() {
        for (text, base, parts) in [
            ("maildir:mail/{user}", "/etc/doghouse/mail", &["{user}"][..]),
            ("maildir:/home/{user}/Maildir", "/home", &["{user}", "Maildir"]),
            ("maildir:/srv/mail/box-{user}/in/", "/srv/mail", &["box-{user}", "in"]),
            ("maildir:../mail/{user}", "/etc/doghouse/../mail", &["{user}"]),
            ("maildir:{home}/Maildir", "{home}", &["Maildir"]),
            ("mh:{home}/{user}/Mail", "{home}", &["{user}", "Mail"]),
            ("maildir:{home}", "{home}", &[]),
        ] {
            let expected = (base.to_owned(), parts.iter().map(|&part| part.to_owned()).collect());
            assert_eq!(location(text), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_location_says_what_to_write() {
        assert!(matches!(location("mail/{user}"), Err(LocationError::Kind(_))));
        assert!(matches!(location("imap:mail/{user}"), Err(LocationError::Kind(_))));
        assert!(matches!(location("maildir:/var/mail"), Err(LocationError::NoUser(_))));
        assert!(matches!(location("maildir:/home/{user}/../x"), Err(LocationError::Dots(_))));
        assert!(matches!(location("maildir:{home}/../x"), Err(LocationError::Dots(_))));
        assert!(matches!(location("maildir:mail/{home}"), Err(LocationError::NoUser(_))));
    }

    #[test]
    fn a_folder_of_the_operator_may_be_called_like_the_placeholder() {
        let location = Location::parse("maildir:mail/{user}", Path::new("/srv/{user}")).unwrap();
        assert_eq!(location.base(), Some(Path::new("/srv/{user}/mail")));
    }

    #[test]
    fn a_user_who_would_lead_elsewhere_has_no_mail() {
        let location = Location::parse("maildir:mail/{user}", Path::new("/")).unwrap();
        for user in ["", ".", "..", "a/b", "../fred", ".hidden", "a\0b"] {
            assert!(location.postbox(user, None).is_none(), "{user:?}");
        }
        assert!(location.postbox("fred", None).is_some());
        let location = Location::parse("maildir:{home}/Maildir", Path::new("/")).unwrap();
        assert!(location.postbox("fred", None).is_none(), "who has no home");
        assert!(location.postbox("fred", Some(Path::new("/home/fred"))).is_some());
    }

    #[test]
    fn of_a_location_of_ones_own_the_last_part_at_least_follows_no_link() {
        for (text, base, parts) in [
            ("maildir:/srv/mail/fred", "/srv/mail", &["fred"][..]),
            ("maildir:/srv/{user}/Maildir", "/srv", &["{user}", "Maildir"]),
            ("mbox:{home}/mbox", "{home}", &["mbox"]),
            ("mbox:box", "/etc/doghouse", &["box"]),
        ] {
            let location = Location::of_one(text, Path::new("/etc/doghouse")).unwrap();
            assert_eq!(
                shown(location),
                (base.to_owned(), parts.iter().map(|&part| part.to_owned()).collect())
            );
        }
        for text in ["maildir:/", "maildir:/srv/mail/..", "maildir:", "srv/mail"] {
            assert!(Location::of_one(text, Path::new("/etc/doghouse")).is_err(), "{text}");
        }
    }
}
