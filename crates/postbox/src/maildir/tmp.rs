//! What deliveries that were cut off have left in `tmp`, removed once it is old.

use std::{
    ffi::OsStr,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::fs::{AtFlags, FileType, RawDir};

use super::open_part;
use crate::{disk, name};

/// Maildir's own rule: nobody still writes a file that is 36 hours old.
const AGE: Duration = Duration::from_hours(36);

/// Removes what is old in `tmp`. It is housekeeping: what cannot be removed now is left for the next time.
pub(super) fn sweep(folder: &OwnedFd, place: &Path) {
    let Ok(Some(tmp)) = open_part(folder, "tmp", place) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let Ok(limit) = i64::try_from(now.saturating_sub(AGE).as_secs()) else { return };
    let mut old = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 4 * 1024];
    let mut names = RawDir::new(&tmp, &mut buffer);
    while let Some(Ok(entry)) = names.next() {
        let name = entry.file_name();
        if name.to_bytes().starts_with(b".") {
            continue;
        }
        let Ok(status) = rustix::fs::statat(&tmp, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        // Programs that copy mail set a file's mtime back while they still write it; its ctime they cannot.
        let touched = if name::is_ours(name.to_bytes()) {
            status.st_mtime
        } else {
            status.st_mtime.max(status.st_ctime)
        };
        if FileType::from_raw_mode(status.st_mode) == FileType::RegularFile && touched < limit {
            old.push(name.to_owned());
        }
    }
    for name in old {
        match disk::unlink(&tmp, OsStr::from_bytes(name.to_bytes())) {
            Ok(_) => tracing::info!(place = %place.display(), file = ?name, "removed an old file from tmp"),
            Err(error) => {
                tracing::warn!(place = %place.display(), file = ?name, %error, "cannot remove an old file from tmp");
            }
        }
    }
}
