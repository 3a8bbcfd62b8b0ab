//! Having a draft edited: by the program that its writer has chosen, or by the editor that is built in.

use std::{
    env, fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::Command,
};

use super::{Draft, Kept, Letter, Outbox, TextError, command::answer, screen::Screen};
use crate::{Exit, Failure, config::Editor};

/// Whatever can have a draft edited.
pub trait Edit {
    /// The draft as its writer leaves it. Meanwhile the desk keeps what it is given.
    fn edit(&mut self, draft: &Draft, desk: &mut Desk<'_>) -> Result<Draft, Failure>;
}

/// The editor to be used: the one that is configured, else the one of the environment, else the one that is built in.
#[must_use]
pub fn chosen(configured: Option<&Editor>) -> Box<dyn Edit> {
    match External::chosen(configured, |name| env::var(name).ok()) {
        Some(external) => Box::new(external),
        None => Box::new(Screen),
    }
}

/// A draft that is being edited, and where it is kept.
#[derive(Debug)]
pub struct Desk<'a> {
    outbox: &'a Outbox,
    kept: Kept,
}

impl Desk<'_> {
    /// Puts the draft into Drafts, in place of its older form.
    pub fn keep(&mut self, draft: &Draft) -> Result<(), Failure> {
        self.kept = self.outbox.save(&Letter::Draft(draft.clone()), Some(&self.kept))?;
        Ok(())
    }

    /// Keeps a draft whose editor has failed; the failure tells where.
    #[must_use]
    pub fn rescue(&mut self, draft: &Draft, failure: Failure) -> Failure {
        match self.keep(draft) {
            Ok(()) => failure.and(&format!(
                "the draft is in {}; `fido write --resume` goes on with it",
                self.outbox.drafts()
            )),
            Err(also) => match rescue(&draft.to_text()) {
                Ok(path) => failure.and(&also.to_string()).and(&named(&path)),
                Err(also) => failure.and(&also.to_string()),
            },
        }
    }
}

/// The program in `$VISUAL` or `$EDITOR`, which are shell commands. It has the terminal while it runs.
#[derive(Debug, Clone)]
pub struct External {
    command: String,
}

impl External {
    /// This shell command.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self { command: command.to_owned() }
    }

    fn chosen(configured: Option<&Editor>, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        match configured {
            Some(Editor::BuiltIn) => None,
            Some(Editor::Command(command)) => Some(Self::new(command)),
            None => {
                let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
                set("VISUAL").or_else(|| set("EDITOR")).map(|command| Self::new(&command))
            }
        }
    }

    /// The text as its writer leaves it. It is in a file for its owner alone meanwhile, which stays, and is named, where
    /// anything goes wrong.
    fn run(&self, text: &str) -> Result<String, Failure> {
        let command = &self.command;
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

impl Edit for External {
    /// Until the text can be read, if there is somebody who goes on; else the failure names a file with it.
    fn edit(&mut self, draft: &Draft, _: &mut Desk<'_>) -> Result<Draft, Failure> {
        let mut text = draft.to_text();
        loop {
            text = self.run(&text)?;
            match draft.from_text(&text) {
                Ok(edited) => return Ok(edited),
                Err(error) if is_to_go_on(&error) => {}
                Err(error) => {
                    let failure = Failure::new(Exit::Usage, format!("the text cannot be read: {error}"));
                    return Err(failure.and(&named(&rescue(&text)?)));
                }
            }
        }
    }
}

/// Tells what is wrong with a text, and asks what to do.
fn is_to_go_on(error: &TextError) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    eprintln!("fido: {error}");
    !matches!(answer("[e]dit again, or [k]eep the text in a file? ").as_deref(), Some("k" | "keep") | None)
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

/// Has a draft edited: it is kept in Drafts before and after.
pub fn edit(
    editor: &mut dyn Edit,
    outbox: &Outbox,
    draft: &Draft,
    kept: Option<&Kept>,
) -> Result<(Draft, Kept), Failure> {
    let kept = outbox.save(&Letter::Draft(draft.clone()), kept)?;
    let mut desk = Desk { outbox, kept };
    let edited = editor.edit(draft, &mut desk)?;
    match desk.keep(&edited) {
        Ok(()) => Ok((edited, desk.kept)),
        Err(failure) => Err(failure.and(&named(&rescue(&edited.to_text())?))),
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
        let edited = External::new("printf more >>").run("To: \n").unwrap();
        assert_eq!(edited, "To: \nmore");
    }

    #[test]
    fn the_editor_is_the_one_that_is_configured_or_set_and_else_the_built_in_one() {
        let chosen = |configured: Option<Editor>, set: &[(&str, &str)]| {
            let variable = |name: &str| set.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
            External::chosen(configured.as_ref(), variable).map(|external| external.command)
        };
        let both = [("VISUAL", "emacs"), ("EDITOR", "ed")];
        assert_eq!(chosen(None, &both).unwrap(), "emacs");
        assert_eq!(chosen(None, &[("VISUAL", " "), ("EDITOR", "ed")]).unwrap(), "ed");
        assert_eq!(chosen(Some(Editor::Command("joe".into())), &both).unwrap(), "joe");
        assert_eq!(chosen(Some(Editor::BuiltIn), &both), None);
        assert_eq!(chosen(None, &[]), None);
    }

    #[test]
    fn what_was_typed_stays_where_the_editor_fails() {
        let failure = External::new("false").run("my text").unwrap_err().to_string();
        let path = failure.rsplit_once("the text is in ").unwrap().1;
        assert_eq!(fs::read_to_string(path).unwrap(), "my text");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(path).unwrap();
    }
}
