//! How octets get to the client: converted or as they are, and each that it takes gives it more time.

use std::{fmt::Display, fs::File, io, num::NonZeroU32, time::Instant};

use postbox::Message;
use tokio::io::{AsyncWriteExt, Interest};
use tracing::{error, info};

use super::{End, Session, patience::Waited};
use crate::{
    house::House,
    stream::Stream,
    watch::metrics::{Fault, Hit},
};

/// How much is collected before it is written, in octets.
const FULL: usize = 64 * 1024;

/// How much of a file the kernel is asked to send before others have their turn, in octets.
const AT_ONCE: usize = 1024 * 1024;

/// What an idle session may keep of its output's memory, in octets.
const KEPT: usize = 8 * 1024;

impl<H, S> Session<'_, H, S>
where
    H: House,
    S: Stream,
{
    /// Sends all of a message, or breaks off.
    pub(super) async fn send(&mut self, number: NonZeroU32, message: &Message) -> Result<(), End> {
        let Some(file) = message.wire_file().filter(|_| self.stream.bare().is_some()) else {
            return self.send_octets(number, message).await;
        };
        let is_all = self.send_file(file, message.length()).await?;
        if is_all && message.wire_file().is_some() {
            return Ok(());
        }
        Err(self.broke_off(number, "the file was changed while it was sent"))
    }

    /// Converts a message piece by piece.
    async fn send_octets(&mut self, number: NonZeroU32, message: &Message) -> Result<(), End> {
        let mut octets = message.octets();
        loop {
            let more = octets.next(self.server.output_mut()).await;
            // Mail is nobody's to see but its owner's.
            self.traced = self.server.output().len();
            match more {
                Ok(true) if self.server.output().len() < FULL => {}
                Ok(true) => self.flush().await?,
                Ok(false) => return Ok(()),
                Err(fault) => return Err(self.broke_off(number, fault)),
            }
        }
    }

    /// Has the kernel send a file's first octets as they are; false where it has become shorter.
    async fn send_file(&mut self, file: &File, length: u64) -> Result<bool, End> {
        self.flush().await?;
        let mut done = 0;
        while done < length {
            let deadline = self.server.deadline().into();
            let most = usize::try_from(length - done).unwrap_or(AT_ONCE).min(AT_ONCE);
            let Some(socket) = self.stream.bare() else { return Err(End::Gone) };
            let send = socket.async_io(Interest::WRITABLE, || {
                let mut offset = done;
                Ok(rustix::fs::sendfile(socket, file, Some(&mut offset), most)?)
            });
            let waited = self.patience.wait(deadline, send).await;
            if matches!(waited, Waited::For(Ok(0))) {
                return Ok(false);
            }
            done += self.taken(waited).await? as u64;
        }
        Ok(true)
    }

    /// Writes all of the output. Each octet that the client takes gives it more time.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.trace();
        let mut done = 0;
        loop {
            let deadline = self.server.deadline().into();
            let rest = self.server.output().get(done..).unwrap_or_default();
            let is_all = rest.is_empty();
            let write = async {
                // What a stream of TLS has taken is not yet on its way.
                if is_all { self.stream.flush().await.map(|()| 0) } else { self.stream.write(rest).await }
            };
            let waited = self.patience.wait(deadline, write).await;
            if is_all && matches!(waited, Waited::For(Ok(_))) {
                break;
            }
            done += self.taken(waited).await?;
        }
        let output = self.server.output_mut();
        output.clear();
        output.shrink_to(KEPT);
        self.traced = 0;
        Ok(())
    }

    /// How many octets went, after some were written: none where the client is only slow.
    async fn taken(&mut self, written: Waited<io::Result<usize>>) -> Result<usize, End> {
        match written {
            Waited::For(Ok(0)) | Waited::Stopped(_) => Err(End::Gone),
            Waited::For(Ok(count)) => {
                self.untaken = None;
                self.server.progressed(Instant::now());
                Ok(count)
            }
            Waited::For(Err(error)) => Err(self.broken(&error)),
            Waited::TooLong if self.still_takes_octets().await => Ok(0),
            Waited::TooLong => {
                self.seen.metrics().hit(Hit::Idle);
                info!(session = self.id, rip = %self.client, user = ?self.user(), "timed out: takes no octets");
                Err(End::Gone)
            }
        }
    }

    fn broke_off(&self, number: NonZeroU32, fault: impl Display) -> End {
        self.seen.metrics().fault(Fault::Transfer);
        error!(session = self.id, user = ?self.user(), number, %fault, "broke off a message");
        End::Gone
    }
}
