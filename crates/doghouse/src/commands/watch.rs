//! `doghouse who`, `kick`, `trace` and `log-level`: they ask the running server.

use std::io;

use serde::Serialize;

use super::{
    output::{say, say_json, table},
    stop::Stop,
};
use crate::{
    cli::Admin,
    config::{Config, Endpoint},
    exit::{self, Failure, OrExit, printable},
    watch::{
        Row, Whom,
        admin::{Answer, Asked, Request},
        trace::{By, Traced},
    },
};

pub(super) async fn who(admin: &Admin) -> Result<(), Failure> {
    match ask(admin, &Request::Who).await? {
        Answer::Who(rows) if admin.json => say_json(&rows),
        Answer::Who(rows) => {
            let head = ["SESSION", "PROTOCOL", "FROM", "USER", "STATE", "MESSAGES", "OCTETS", "SECONDS"];
            let row = |row: Row| {
                let Row {
                    session,
                    protocol,
                    rip,
                    user,
                    device,
                    state,
                    messages,
                    octets,
                    seconds,
                    hidden,
                    ..
                } = row;
                let user = device.map_or(user.clone(), |device| format!("{user} ({device})"));
                let from = if hidden { format!("{rip} (TLS)") } else { rip };
                [
                    session.to_string(),
                    protocol,
                    from,
                    user,
                    state,
                    messages.to_string(),
                    octets.to_string(),
                    seconds.to_string(),
                ]
            };
            say(&table(head, rows.into_iter().map(row)))
        }
        other => Err(unexpected(other)),
    }
}

pub(super) async fn kick(whom: &str, admin: &Admin) -> Result<(), Failure> {
    match ask(admin, &Request::Kick { whom: Whom(whom.to_owned()) }).await? {
        Answer::Kicked(0) => Err(Failure::new(
            exit::DATA,
            format!("there is no session {whom:?}; doghouse who shows what there is"),
        )),
        Answer::Kicked(ended) if admin.json => say_json(&Ended { ended }),
        Answer::Kicked(ended) => say(&format!("sessions ended: {ended}\n")),
        other => Err(unexpected(other)),
    }
}

#[derive(Serialize)]
struct Ended {
    ended: usize,
}

pub(super) async fn log_level(level: Option<String>, admin: &Admin) -> Result<(), Failure> {
    match ask(admin, &Request::LogLevel { level }).await? {
        Answer::LogLevel(level) if admin.json => say_json(&Level { level }),
        Answer::LogLevel(level) => say(&format!("{level}\n")),
        other => Err(unexpected(other)),
    }
}

#[derive(Serialize)]
struct Level {
    level: String,
}

pub(super) async fn trace(whom: Option<String>, admin: &Admin) -> Result<(), Failure> {
    let mut stop = Stop::new().or_exit(exit::OS)?;
    let mut asked = open(admin, &Request::Trace { whom: whom.map(Whom) }).await?;
    loop {
        let answer = tokio::select! {
            answer = asked.next() => answer.or_exit(exit::IO)?,
            () = stop.told() => return Ok(()),
        };
        match answer {
            Some(answer) if admin.json => {
                let text = serde_json::to_string(&answer).or_exit(exit::SOFTWARE)?;
                say(&(text + "\n"))?;
            }
            Some(Answer::Traced(traced)) => say(&line(&traced))?,
            Some(Answer::Lost(lost)) => say(&format!("({lost} lines were lost: they came too quickly)\n"))?,
            Some(other) => return Err(unexpected(other)),
            None => return Err(Failure::new(exit::UNAVAILABLE, "the server has ended")),
        }
    }
}

/// Something that was said, in a line.
fn line(Traced { session, by, said }: &Traced) -> String {
    let Row { session, rip, user, .. } = session;
    let who = if user.is_empty() { rip.clone() } else { format!("{user}@{rip}") };
    let by = match by {
        By::Client => "C: ",
        By::Server => "S: ",
        By::Remark => "   ",
    };
    // A reply ends a line of the trace as it ends one on the wire.
    let mut text = String::new();
    for said in said.split_inclusive("\\n") {
        text += &printable(&format!("{session} {who}  {by}{said}"));
        text.push('\n');
    }
    text
}

/// The one answer to a request.
async fn ask(admin: &Admin, request: &Request) -> Result<Answer, Failure> {
    let mut asked = open(admin, request).await?;
    let answer = asked.next().await.or_exit(exit::IO)?;
    answer.ok_or_else(|| Failure::new(exit::UNAVAILABLE, "the server has not answered; it may be going down"))
}

async fn open(admin: &Admin, request: &Request) -> Result<Asked, Failure> {
    let config = Config::load(&admin.config.path).or_exit(exit::CONFIG)?;
    let Some(Endpoint::Unix { path, .. }) = &config.admin else {
        let what = "the configuration names no admin socket; set admin.socket and start the server again";
        return Err(Failure::new(exit::CONFIG, what));
    };
    Asked::at(path, request).await.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "use the server's user, or give admin.mode more",
            _ => "is the server running, with this configuration?",
        };
        Failure::new(exit::UNAVAILABLE, format!("cannot ask at {}: {error}; {remedy}", path.display()))
    })
}

fn unexpected(answer: Answer) -> Failure {
    match answer {
        Answer::Refused(why) => Failure::new(exit::DATA, why),
        _ => Failure::new(exit::SOFTWARE, "the server answered something else; is it of another version?"),
    }
}
