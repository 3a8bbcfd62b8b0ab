//! The socket by which commands ask a running server: one line of JSON each way, or many for a trace.

use std::{io, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::{Row, Watch, Whom, trace::Traced};
use crate::{logging, stream::Stream};

/// The longest request, in octets.
const LONGEST: u64 = 4096;

/// How long a command may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Which sessions there are.
    Who,
    /// To end sessions.
    Kick {
        /// Which.
        whom: Whom,
    },
    /// To tell what sessions say from now on.
    Trace {
        /// Which; all of them without this.
        whom: Option<Whom>,
    },
    /// How much is logged, and to change it.
    LogLevel {
        /// What `DOGHOUSE_LOG` may hold; unchanged without this.
        level: Option<String>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The sessions.
    Who(Vec<Row>),
    /// How many were ended.
    Kicked(usize),
    /// Something that was said.
    Traced(Box<Traced>),
    /// So many things were said that were not read in time.
    Lost(u64),
    /// How much is logged now.
    LogLevel(String),
    /// It cannot be done, and why.
    Refused(String),
}

/// Answers one command.
pub async fn answer(stream: Box<dyn Stream>, watch: Arc<Watch>) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader.take(LONGEST));
    let mut line = String::new();
    if !matches!(timeout(PATIENCE, reader.read_line(&mut line)).await, Ok(Ok(1..))) {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Ok(Request::Who) => Answer::Who(watch.who()),
        Ok(Request::Kick { whom }) => {
            let count = watch.kick(&whom);
            tracing::info!(whom = whom.0, count, "sessions ended by the operator");
            Answer::Kicked(count)
        }
        Ok(Request::LogLevel { level }) => match logging::level(level.as_deref()) {
            Ok(level) => Answer::LogLevel(level),
            Err(why) => Answer::Refused(why),
        },
        Ok(Request::Trace { whom }) => {
            let mut trace = watch.trace(whom);
            // Its own clone of the watch would keep the trace from ending.
            drop(watch);
            let mut unread = [0; 1];
            loop {
                let next = tokio::select! {
                    next = trace.next() => next,
                    // It says no more: it is gone.
                    _ = reader.read(&mut unread) => return,
                };
                let answer = match next {
                    Some(Ok(traced)) => Answer::Traced(Box::new(traced)),
                    Some(Err(lost)) => Answer::Lost(lost),
                    None => return,
                };
                if tell(&mut writer, &answer).await.is_err() {
                    return;
                }
            }
        }
        Err(error) => Answer::Refused(format!("this is no request: {error}")),
    };
    // Whoever is gone does not hear it.
    let _ = tell(&mut writer, &answer).await;
}

async fn tell(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// A command's connection to a running server.
#[derive(Debug)]
pub struct Asked(tokio::io::Lines<BufReader<UnixStream>>);

impl Asked {
    /// Asks the server whose socket is at `path`.
    ///
    /// # Errors
    /// Where nobody answers there.
    pub async fn at(path: &Path, request: &Request) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path).await?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        Ok(Self(BufReader::new(stream).lines()))
    }

    /// The next answer; `None` where there are no more.
    ///
    /// # Errors
    /// Where it is not to be understood.
    pub async fn next(&mut self) -> io::Result<Option<Answer>> {
        match self.0.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}
