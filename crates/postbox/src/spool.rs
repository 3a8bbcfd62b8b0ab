//! Octets on their way: in memory as long as they are few, then in a file that has no name.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
};

use bytes::Bytes;

use crate::{Message, disk};

/// How many octets stay in memory.
const FEW: usize = 1024 * 1024;

/// How many octets are copied at a time.
const PIECE: usize = 64 * 1024;

/// Octets that are kept until they are whole.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: Option<OwnedFd>,
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Spool {
    /// An empty one. Many octets go to the disk that `folder` is on where that can be, so that a full disk
    /// shows early; else to where temporary files go.
    pub(crate) fn new(folder: Option<OwnedFd>) -> Self {
        Self { folder, memory: Vec::new(), file: None, length: 0 }
    }

    /// How many octets it has.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Appends octets.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.length += octets.len() as u64;
        if let Some(file) = &mut self.file {
            return disk::write(file, octets);
        }
        self.memory.extend_from_slice(octets);
        if self.memory.len() > FEW {
            let mut file = disk::make_unnamed(self.folder.as_ref())?;
            disk::write(&mut file, &self.memory)?;
            self.file = Some(file);
            self.memory = Vec::new();
        }
        Ok(())
    }

    /// Hands all octets to `take`, piece by piece.
    pub(crate) fn each(&self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let Some(file) = &self.file else {
            return self.memory.chunks(PIECE).try_for_each(take);
        };
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let count = file.read_at(&mut piece, offset)?;
            if count == 0 {
                return Ok(());
            }
            take(piece.get(..count).unwrap_or_default())?;
            offset += count as u64;
        }
    }

    /// A message with these octets.
    pub(crate) fn into_message(self) -> io::Result<Message> {
        match self.file {
            Some(file) => Message::from_file(file, self.length),
            None => Ok(Message::from_bytes(Bytes::from(self.memory))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_whether_few_or_many() {
        let folder = tempfile::tempdir().unwrap();
        let at = || disk::open_base(folder.path()).ok();
        for (folder, pieces) in [(at(), 0), (at(), 3), (at(), 40), (None, 40)] {
            let mut spool = Spool::new(folder);
            let mut expected = Vec::new();
            for n in 0..pieces {
                let piece = vec![n; 50_000];
                expected.extend_from_slice(&piece);
                spool.write(&piece).unwrap();
            }
            let mut all = Vec::new();
            spool
                .each(&mut |piece| {
                    all.extend_from_slice(piece);
                    Ok(())
                })
                .unwrap();
            assert!(all == expected);
            assert_eq!(spool.length(), expected.len() as u64);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
