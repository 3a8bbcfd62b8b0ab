//! Having a text edited: by the program that its writer has chosen, or by another [`Edit`].

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Draft, Kept, Letter, Outbox, TextError};
use crate::{Exit, Failure};

/// Programs that are tried where neither `$VISUAL` nor `$EDITOR` says which.
const USUAL: [&str; 4] = ["sensible-editor", "editor", "nano", "vi"];

/// Whatever can have a text edited.
pub trait Edit {
    /// The text as its writer leaves it.
    fn edit(&mut self, text: &str) -> Result<String, Failure>;
}

/// The program in `$VISUAL` or `$EDITOR`, which are shell commands, or a usual one. It has the terminal while it runs.
#[derive(Debug, Default, Clone)]
pub struct External {
    command: Option<String>,
}

impl External {
    /// This command in place of what the environment says.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self { command: Some(command.to_owned()) }
    }

    fn command(&self) -> Result<String, Failure> {
        let of = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let is_there = |name: &&&str| {
            env::var_os("PATH")
                .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(name).is_file()))
        };
        let usual = || USUAL.iter().find(is_there).map(|name| (*name).to_owned());
        self.command
            .clone()
            .or_else(|| of("VISUAL"))
            .or_else(|| of("EDITOR"))
            .or_else(usual)
            .ok_or_else(|| Failure::new(Exit::Unavailable, "there is no editor; set VISUAL or EDITOR to one"))
    }
}

impl Edit for External {
    /// The text is in a file for its owner alone meanwhile, which stays, and is named, where anything goes wrong.
    fn edit(&mut self, text: &str) -> Result<String, Failure> {
        let command = self.command()?;
        let path = rescue(text)?;
        let failure = |exit, why: String| {
            Failure::new(exit, format!("the editor {command} {why}; the text is in {}", path.display()))
        };
        let status = Command::new("sh")
            .args(["-c", &format!("{command} \"$1\""), "sh"])
            .arg(&path)
            .status()
            .map_err(|error| failure(Exit::Unavailable, format!("cannot be started: {error}")))?;
        if !status.success() {
            return Err(failure(Exit::Unavailable, format!("failed ({status})")));
        }
        let octets = fs::read(&path).map_err(|error| failure(Exit::Io, format!("left no text: {error}")))?;
        let text = String::from_utf8(octets)
            .map_err(|_| failure(Exit::Usage, "wrote a text that is not UTF-8".to_owned()))?;
        // What remains is the user's own to read, and no more than untidy.
        let _ = fs::remove_file(&path);
        Ok(text)
    }
}

/// Puts a text into a new file for its owner alone, which stays, and tells which.
pub fn rescue(text: &str) -> Result<PathBuf, Failure> {
    let failure = |error: &dyn std::fmt::Display| {
        let folder = env::temp_dir();
        Failure::new(Exit::CannotCreate, format!("cannot write the text in {}: {error}", folder.display()))
    };
    // The file's permissions are 0600.
    let mut file = tempfile::Builder::new()
        .prefix("fido-")
        .suffix(".txt")
        .tempfile()
        .map_err(|error| failure(&error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failure(&error))?;
    file.keep().map(|(_, path)| path).map_err(|error| failure(&error))
}

/// Has a draft edited until it can be read: it is kept in Drafts before and after. `again` is told what is wrong, and
/// says whether the writer goes on; who does not finds the text in a file that the failure names.
pub fn edit(
    editor: &mut dyn Edit,
    outbox: &Outbox,
    draft: &Draft,
    kept: Option<&Kept>,
    mut again: impl FnMut(&TextError) -> bool,
) -> Result<(Draft, Kept), Failure> {
    let kept = outbox.save(&Letter::Draft(draft.clone()), kept)?;
    let mut text = draft.to_text();
    loop {
        text = editor.edit(&text)?;
        match draft.from_text(&text) {
            Ok(edited) => {
                let saved = outbox.save(&Letter::Draft(edited.clone()), Some(&kept));
                return match saved {
                    Ok(kept) => Ok((edited, kept)),
                    Err(failure) => Err(failure.and(&named(&rescue(&text)?))),
                };
            }
            Err(error) if again(&error) => {}
            Err(error) => {
                let failure = Failure::new(Exit::Usage, format!("the text cannot be read: {error}"));
                return Err(failure.and(&named(&rescue(&text)?)));
            }
        }
    }
}

fn named(path: &Path) -> String {
    format!("the text is in {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_text_is_edited_in_a_file_that_nobody_else_reads() {
        let edited = External::new("printf more >>").edit("To: \n").unwrap();
        assert_eq!(edited, "To: \nmore");
    }

    #[test]
    fn what_was_typed_stays_where_the_editor_fails() {
        let failure = External::new("false").edit("my text").unwrap_err().to_string();
        let path = failure.rsplit_once("the text is in ").unwrap().1;
        assert_eq!(fs::read_to_string(path).unwrap(), "my text");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(path).unwrap();
    }
}
