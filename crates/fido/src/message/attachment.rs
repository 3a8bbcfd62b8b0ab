//! Parts that are saved as files.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{clean::safe, decode::Encoding};

/// Octets that a name of a file may have.
pub const MAX_NAME: usize = 200;

/// How many files of one name are saved in one folder.
const MAX_SAME: usize = 1000;

/// Where a part stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Beside the text.
    Attached,
    /// Within the text, such as a picture; or shown as text, in part or as well as it can be.
    Inline,
    /// Another form of the text that is shown.
    Alternative,
}

/// A part that can be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name that its sender gave it, or one by its type: the name of a file as [`safe_name`] makes it.
    pub name: String,
    /// Its type and subtype in lower case, such as `image/png`.
    pub media: String,
    /// Its size in octets, decoded.
    pub size: usize,
    /// Where it stands.
    pub disposition: Disposition,
    pub(super) place: Range<usize>,
    pub(super) encoding: Encoding,
}

/// Why an attachment is not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// It was found in another message than this.
    #[error("{0}: not in this message; open the message again")]
    Missing(String),
    /// There are too many files of its name.
    #[error("{}: {MAX_SAME} files of this name are there; save it in another folder", .0.display())]
    Taken(PathBuf),
    /// The file cannot be made or written.
    #[error("{}: {error}; save it in a folder where you can write and that has room", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Attachment {
    /// Writes its octets, decoded, to a new file in `folder`, for its owner alone, and tells which.
    ///
    /// `message` is the one whose view it is from. No file that exists is touched and no link followed: where
    /// the name is taken, a number is added to it. A file that cannot be written in full is removed.
    pub fn save_as(&self, message: &[u8], folder: &Path) -> Result<PathBuf, SaveError> {
        let octets = message.get(self.place.clone()).ok_or_else(|| SaveError::Missing(self.name.clone()))?;
        let content = self.encoding.decode(octets);
        for number in 1..=MAX_SAME {
            let path = folder.join(numbered(&self.name, number));
            let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(SaveError::Write { path, error }),
            };
            if let Err(error) = file.write_all(&content).and_then(|()| file.sync_all()) {
                // What remains of it would pass for the whole.
                let _ = fs::remove_file(&path);
                return Err(SaveError::Write { path, error });
            }
            return Ok(path);
        }
        Err(SaveError::Taken(folder.join(&self.name)))
    }
}

/// The name of a file in the folder where it is saved, and nowhere else, of at most [`MAX_NAME`] octets.
///
/// Parts of a path are dropped, and so is what is invisible, blanks and dots at either end; what means something
/// to a shell or to other systems becomes `_`, and so does a `-` at the beginning. Of a long name, the beginning
/// and what follows its last dot stay. `otherwise` is taken where nothing is left; it must be such a name.
#[must_use]
pub fn safe_name(name: &str, otherwise: &str) -> String {
    // Of more, nothing would be left anyway.
    let name: String = name.chars().rev().take(4 * MAX_NAME).collect::<Vec<_>>().into_iter().rev().collect();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain =
        safe(name).filter(|(character, _)| *character != '\t').map(|(character, _)| match character {
            '\u{2400}'..='\u{2421}' | char::REPLACEMENT_CHARACTER => '_',
            ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\'' | '`' | '$' | '&' | ';' => '_',
            _ if character.is_whitespace() => ' ',
            _ => character,
        });
    let plain: String = plain.collect();
    let ends = |character: char| character == '.' || character == ' ';
    let mut name = fitted(plain.trim_matches(ends), "");
    if name.starts_with('-') || is_reserved(&name) {
        name.insert(0, '_');
        name = fitted(&name, "");
    }
    if name.is_empty() { otherwise.to_owned() } else { name }
}

/// The names of devices on Windows, with any ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |stem: &str| stem.len() == 4 && stem.ends_with(|c: char| c.is_ascii_digit());
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || (stem.starts_with("com") || stem.starts_with("lpt")) && numbered(&stem)
}

fn numbered(name: &str, number: usize) -> String {
    if number == 1 { name.to_owned() } else { fitted(name, &format!("-{number}")) }
}

/// A name cut to [`MAX_NAME`] octets, with `mark` before its ending.
fn fitted(name: &str, mark: &str) -> String {
    let ending = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= 20).unwrap_or(name.len());
    let (stem, ending) = name.split_at(ending);
    let mut end = stem.len().min(MAX_NAME - mark.len() - ending.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let stem = stem.get(..end).unwrap_or_default().trim_end_matches(['.', ' ']);
    format!("{stem}{mark}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        safe_name(name, "attachment")
    }

    #[test]
    fn names_stay_in_their_folder() {
        for (name, safe) in [
            ("../../.bashrc", "bashrc"),
            ("/etc/passwd", "passwd"),
            ("C:\\autoexec.bat", "autoexec.bat"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1", "_com1"),
            ("", "attachment"),
            ("..", "attachment"),
            ("a/", "attachment"),
            ("a\0b\nc", "a_b_c"),
            (" name. . ", "name"),
            ("-rf", "_-rf"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("bone.tar.gz", "bone.tar.gz"),
            ("$(x)`y`", "_(x)_y_"),
        ] {
            assert_eq!(named(name), safe, "{name:?}");
        }
        let long = named(&format!("{}.pdf", "ä".repeat(1 << 20)));
        assert!(long.len() <= MAX_NAME && long.len() > 190 && long.ends_with("ä.pdf"));
        assert_eq!(numbered("bone.pdf", 2), "bone-2.pdf");
        assert!(numbered(&long, 1000).ends_with("ä-1000.pdf") && numbered(&long, 1000).len() <= MAX_NAME);
    }

    #[test]
    fn a_file_is_new_and_its_owners_and_never_reached_through_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let attachment = Attachment {
            name: "bone.txt".into(),
            media: "text/plain".into(),
            size: 4,
            disposition: Disposition::Attached,
            place: 2..10,
            encoding: Encoding::Base64,
        };
        let message = b"..d29vZg==..";
        symlink(folder.path().join("elsewhere"), folder.path().join("bone.txt")).unwrap();
        let second = attachment.save_as(message, folder.path()).unwrap();
        assert_eq!(second, folder.path().join("bone-2.txt"));
        assert!(!folder.path().join("elsewhere").exists());
        assert_eq!(fs::read(&second).unwrap(), b"woof");
        assert_eq!(fs::metadata(&second).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(attachment.save_as(message, folder.path()).unwrap(), folder.path().join("bone-3.txt"));

        let error = attachment.save_as(b"", folder.path()).unwrap_err().to_string();
        assert_eq!(error, "bone.txt: not in this message; open the message again");
        let error = attachment.save_as(message, &folder.path().join("none")).unwrap_err().to_string();
        assert!(
            error.contains("none/bone.txt: No such file") && error.contains("save it in a folder"),
            "{error}"
        );
    }
}
