//! Messages and attachments on their way out: into files, and to other programs.

use std::{
    env,
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::Sender,
    thread,
};

use tempfile::TempDir;

use super::event::Event;
use crate::{
    Exit, Failure,
    message::{Attachment, safe_name},
};

/// Endings of files that openers may run instead of showing them.
const RUN: [&str; 14] =
    ["desktop", "sh", "bash", "py", "pl", "rb", "exe", "bat", "com", "jar", "run", "appimage", "msi", "scr"];

/// Files that leave the mail.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// What was opened; removed when the reader ends.
    folder: Option<TempDir>,
}

impl Files {
    /// Writes a message to a new file, or into a folder under `name`, for its owner alone.
    pub(super) fn save_message(message: &mut File, name: &str, path: &Path) -> Result<String, Failure> {
        let path = if path.is_dir() { path.join(name) } else { path.to_owned() };
        let cannot = |error: io::Error| {
            let text = format!("cannot save to {}: {error}; choose another name or folder", path.display());
            Failure::new(Exit::CannotCreate, text)
        };
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = new.map_err(cannot)?;
        if let Err(error) = io::copy(message, &mut file).and_then(|_| file.sync_all()) {
            // What remains of it would pass for the whole.
            let _ = std::fs::remove_file(&path);
            return Err(cannot(error));
        }
        Ok(format!("saved as {}", path.display()))
    }

    /// Writes an attachment to a new file, or into a folder under its own name.
    pub(super) fn save_attachment(
        mut attachment: Attachment,
        message: &[u8],
        path: &Path,
    ) -> Result<String, Failure> {
        let folder = if path.is_dir() {
            path
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            attachment.name = safe_name(&name, &attachment.name);
            path.parent().unwrap_or(Path::new("."))
        };
        let saved = attachment.save_as(message, folder);
        let saved = saved.map_err(|error| Failure::new(Exit::CannotCreate, error.to_string()))?;
        Ok(format!("saved as {}", saved.display()))
    }

    /// Gives an attachment to the program that opens files, from a folder that nobody else can look into. The file
    /// cannot be executed; one that an opener may run all the same is not opened.
    pub(super) fn open(
        &mut self,
        attachment: &Attachment,
        message: &[u8],
        sender: Sender<Event>,
    ) -> Result<String, Failure> {
        let ending = attachment.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if RUN.contains(&ending.as_str()) {
            let text = format!("{} may be a program, and is not opened; s saves it", attachment.name);
            return Err(Failure::new(Exit::Usage, text));
        }
        let cannot = |error| {
            Failure::new(Exit::CannotCreate, format!("cannot make a folder to open it from: {error}"))
        };
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("fido-").tempdir().map_err(cannot)?,
        };
        let saved = attachment.save_as(message, folder.path());
        self.folder = Some(folder);
        let path = saved.map_err(|error| Failure::new(Exit::CannotCreate, error.to_string()))?;
        let given = env::var_os("FIDO_OPENER").filter(|opener| !opener.is_empty());
        let opener = given.unwrap_or_else(|| OsString::from("xdg-open"));
        let mut command = Command::new(&opener);
        command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let opener = opener.to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| {
            let text =
                format!("cannot start {opener}: {error}; set FIDO_OPENER to a program that opens files");
            Failure::new(Exit::Unavailable, text)
        })?;
        let note = format!("{} is opened by {opener}", attachment.name);
        thread::spawn(move || {
            if let Ok(status) = child.wait()
                && !status.success()
            {
                // The reader may have ended.
                let _ =
                    sender.send(Event::Fault(format!("{opener} could not open it ({status}); s saves it")));
            }
        });
        Ok(note)
    }
}
