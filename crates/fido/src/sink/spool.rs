//! Where a message stays in mboxrd form until it is whole, so that an mbox is locked, and a reader of standard
//! output kept waiting, only while the disk works and never while the network does.

use std::{
    fs::File,
    io::{self, Seek, Write},
    path::Path,
    time::SystemTime,
};

use tokio::io::AsyncReadExt;

use super::mboxrd;
use postbox::letter::Letter;

/// How many octets are written at a time.
const CHUNK: usize = 64 * 1024;

/// One whole message in a file that has no name.
#[derive(Debug)]
pub(super) struct Spool(File);

impl Spool {
    /// Takes a message in. The file is in `folder` where that can be, so that a full disk shows before the
    /// mbox is touched.
    pub(super) async fn fill(folder: Option<&Path>, mut letter: Letter) -> io::Result<Self> {
        let in_folder = folder.and_then(|folder| tempfile::tempfile_in(folder).ok());
        let mut file = in_folder.map_or_else(tempfile::tempfile, Ok)?;
        let (mut stored, mut mbox) = (Vec::with_capacity(CHUNK), Vec::new());
        let mut encoder = mboxrd::Encoder::begin(SystemTime::now(), &mut mbox);
        while letter.read_buf(&mut stored).await? > 0 {
            encoder.encode(&stored, &mut mbox);
            file.write_all(&mbox)?;
            stored.clear();
            mbox.clear();
        }
        encoder.finish(&mut mbox);
        file.write_all(&mbox)?;
        file.rewind()?;
        Ok(Self(file))
    }

    /// Appends the message to a plain file, and it is on the disk; where that fails, the file is as it was.
    pub(super) fn append_to(&mut self, target: &mut File, before: &[u8]) -> io::Result<()> {
        let length = target.metadata()?.len();
        let appended = target
            .write_all(before)
            .and_then(|()| io::copy(&mut self.0, target))
            .and_then(|_| target.sync_all());
        if appended.is_err() {
            target.set_len(length)?;
            target.sync_all()?;
        }
        appended
    }

    /// Writes the message to something that is no plain file.
    pub(super) fn write_to(&mut self, target: &mut impl Write) -> io::Result<()> {
        io::copy(&mut self.0, target)?;
        target.flush()
    }
}
