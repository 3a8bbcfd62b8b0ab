//! A stream joined to the client's machine.

use std::{fmt, io, time::Instant};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout_at,
};

use super::{Error, Trace, Watcher};
use crate::{
    Command, ReplyError,
    workstation::{Event, Fault, Workstation},
};

/// A stream and the machine that says what passes over it.
pub(super) struct Wire<S> {
    pub(super) stream: S,
    pub(super) machine: Workstation,
    pub(super) trace: Option<Watcher>,
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("state", &self.machine.state()).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) async fn say(&mut self, command: &Command) -> Result<Event, Error> {
        self.send(command).await?;
        self.hear().await
    }

    pub(super) async fn send(&mut self, command: &Command) -> Result<(), Error> {
        self.machine.say(command, Instant::now())?;
        self.trace(Trace::Said(command));
        match self.flush().await {
            // A server that has closed may have said why; the answer is still to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }

    pub(super) async fn hear(&mut self) -> Result<Event, Error> {
        loop {
            match self.machine.event() {
                Event::Receive => {}
                Event::Failed(fault) => return Err(self.give_up(fault).await),
                event => {
                    self.trace_reply();
                    return Ok(event);
                }
            }
            let read =
                timeout_at(self.machine.deadline().into(), self.stream.read(self.machine.room())).await;
            match read {
                Ok(Ok(0)) => return Err(self.fail(Workstation::closed).await),
                Ok(Ok(count)) => self.machine.filled(count, Instant::now()),
                Ok(Err(error)) => return Err(error.into()),
                Err(_elapsed) => return Err(self.fail(Workstation::timed_out).await),
            }
        }
    }

    /// Tells the machine what went wrong, and the caller what that means.
    pub(super) async fn fail(&mut self, what: impl FnOnce(&mut Workstation) -> Event) -> Error {
        match what(&mut self.machine) {
            Event::Failed(fault) => self.give_up(fault).await,
            event => surprise(&event),
        }
    }

    /// Says the QUIT of action 1, as far as the server still listens, without waiting for its answer.
    async fn give_up(&mut self, fault: Fault) -> Error {
        // Of these no line came, or not a whole one.
        let unheard = matches!(
            fault,
            Fault::Closed(_) | Fault::TimedOut(_) | Fault::NoBye | Fault::BadReply(ReplyError::TooLong(_))
        );
        if !unheard {
            self.trace_reply();
        }
        let _ = self.flush().await;
        fault.into()
    }

    async fn flush(&mut self) -> io::Result<()> {
        let send = async {
            self.stream.write_all(self.machine.output()).await?;
            self.stream.flush().await
        };
        let outcome = timeout_at(self.machine.deadline().into(), send).await;
        self.machine.written();
        outcome.unwrap_or_else(|_elapsed| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the server takes no octets"))
        })
    }

    fn trace_reply(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace(Trace::Heard(self.machine.heard()));
        }
    }

    pub(super) fn trace(&mut self, what: Trace<'_>) {
        if let Some(trace) = &mut self.trace {
            trace(what);
        }
    }
}

/// The machine never gives an event that does not answer the last command.
pub(super) fn surprise(event: &Event) -> Error {
    Fault::Unexpected { got: format!("{event:?}"), expected: "another answer" }.into()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        Secret, User,
        client::{Options, connect},
    };

    /// What a watcher is told was heard, where a server says just this and closes.
    async fn heard(said: &str) -> (String, Vec<String>) {
        let (near, mut far) = tokio::io::duplex(2048);
        far.write_all(said.as_bytes()).await.unwrap();
        drop(far);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&lines);
        let trace: Watcher = Box::new(move |trace| {
            if let Trace::Heard(line) = trace {
                told.lock().unwrap().push(line.to_string());
            }
        });
        let session = async {
            let greeted = connect(near, Options { trace: Some(trace), ..Options::default() }).await?;
            greeted.login(User::new("fred").unwrap(), Secret::from("bone")).await
        };
        let error = session.await.unwrap_err().to_string();
        let lines = lines.lock().unwrap().clone();
        (error, lines)
    }

    #[tokio::test]
    async fn a_watcher_is_told_each_line_once() {
        let (_, lines) = heard("+ POP2 dog-house ready\r\n220 ESMTP\r\n").await;
        assert_eq!(lines, ["+ POP2 dog-house ready", "220 ESMTP"]);
        let (error, lines) = heard(&format!("+ POP2 dog-house ready\r\n#{}", "3".repeat(600))).await;
        assert!(error.contains("512 octets"), "{error}");
        assert_eq!(lines, ["+ POP2 dog-house ready"], "a line without an end is not the one before it");
    }
}
