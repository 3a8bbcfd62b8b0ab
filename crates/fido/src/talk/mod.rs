//! `fido talk`: a session by hand. What is typed is sent, right or wrong, and the wire is shown.

mod typed;

use std::{
    fmt::Display,
    io::{self, BufRead, IsTerminal, Write},
    time::Duration,
};

use pop2::{Command, LineBuffer, Quoting, Reply, Secret, User, wire};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{
    Exit, Failure, accounts,
    args::Talk,
    config::Config,
    connection::{Connection, Route},
    escape::{Line, Text},
    host::Host,
    password,
};

use typed::{hidden, lone_user};

/// A line as it was typed, which may hold a password; none at the end.
type Typed = Option<Zeroizing<Vec<u8>>>;

/// The largest piece, in octets, in which a message is shown.
const CHUNK: usize = 64 * 1024;

/// Holds the session until either side ends it.
pub async fn run(config: &Config, args: &Talk) -> Result<(), Failure> {
    let (profile, route) = accounts::account_or_server(config, &args.name, &args.way)?;
    let quoting = profile.as_ref().map_or(Quoting::Rfc, |profile| profile.quoting);
    let quoting = if args.way.raw { Quoting::Raw } else { quoting };
    let mut talking = Talking::start(&route, quoting).await?;
    let user = args.login.user.as_ref().or(profile.as_ref().map(|profile| &profile.user));
    if let Some(user) = user {
        let source = args.login.password.given();
        let source = source.or(profile.as_ref().map(|profile| profile.password.clone())).unwrap_or_default();
        let password = password::get(&source, user, &route.host)?;
        talking.log_in(user, &password).await?;
    }
    while let Some(line) = talking.next_line().await? {
        if let Some(user) = lone_user(&line).filter(|_| talking.can_ask) {
            let password = password::ask(&user, talking.host)?;
            talking.log_in(&user, &password).await?;
        } else {
            talking.show_typed(&line)?;
            talking.say(&line).await?;
        }
    }
    Ok(())
}

/// A session on its way.
struct Talking<'a> {
    host: &'a Host,
    stream: Connection,
    timeout: Duration,
    quoting: Quoting,
    lines: LineBuffer,
    /// The length of the message that RETR would bring, in octets.
    promised: u64,
    /// Whether the server has answered QUIT, so that it may close.
    quit: bool,
    /// Whether a password can be asked for.
    can_ask: bool,
    /// Whether the typed lines stand on the screen among the shown ones, each behind a prompt.
    prompts: bool,
}

impl<'a> Talking<'a> {
    async fn start(route: &'a Route, quoting: Quoting) -> Result<Self, Failure> {
        let stream = route.open().await?;
        let mut talking = Self {
            host: &route.host,
            stream,
            timeout: route.timeout,
            quoting,
            lines: LineBuffer::new(),
            promised: 0,
            quit: false,
            can_ask: io::stdin().is_terminal(),
            prompts: io::stdin().is_terminal() && io::stdout().is_terminal(),
        };
        talking.hear().await?;
        Ok(talking)
    }

    async fn log_in(&mut self, user: &User, password: &Secret) -> Result<(), Failure> {
        let mut line = Zeroizing::new(Vec::new());
        let helo = Command::Helo(pop2::Login::new(user.clone(), password.clone()));
        helo.encode(self.quoting, &mut line)
            .map_err(|error| Failure::new(Exit::Usage, format!("cannot send the login: {error}")))?;
        let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
        print("C: ", hidden(line))?;
        self.say(line).await
    }

    /// The next line that is typed; `None` at the end. What the server says meanwhile is shown.
    async fn next_line(&mut self) -> Result<Typed, Failure> {
        if self.quit {
            return Ok(None);
        }
        let mut typing = self.begin_typing()?;
        loop {
            tokio::select! {
                biased;
                line = &mut typing => {
                    let line = line.map_err(io::Error::from).and_then(|line| line).map_err(|error| {
                        Failure::new(Exit::Io, format!("cannot read standard input: {error}"))
                    })?;
                    if line.is_none() {
                        self.leave_prompt()?;
                    }
                    return Ok(line);
                }
                read = self.stream.read(self.lines.room()) => {
                    self.leave_prompt()?;
                    let count = self.came(read)?;
                    self.lines.filled(count);
                    while self.show_reply()? {}
                    self.prompt()?;
                }
            }
        }
    }

    /// Reads a line in the background: only while one is wanted, for a password may be asked for after it.
    fn begin_typing(&self) -> Result<JoinHandle<io::Result<Typed>>, Failure> {
        self.prompt()?;
        Ok(spawn_blocking(|| {
            let mut line = Zeroizing::new(Vec::new());
            if io::stdin().lock().read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let typed = line.strip_suffix(b"\n").unwrap_or(&line);
            Ok(Some(Zeroizing::new(typed.strip_suffix(b"\r").unwrap_or(typed).to_vec())))
        }))
    }

    /// Shows a line of the client, unless it stands there already as it was typed.
    fn show_typed(&self, line: &[u8]) -> Result<(), Failure> {
        let shown = hidden(line);
        if self.prompts && shown.as_bytes() == line { Ok(()) } else { print("C: ", shown) }
    }

    /// Sends a line and shows what comes of it.
    async fn say(&mut self, line: &[u8]) -> Result<(), Failure> {
        let mut wire = Zeroizing::new(Vec::with_capacity(line.len() + 2));
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
        match timeout(self.timeout, self.stream.write_all(&wire)).await {
            Err(_elapsed) => return Err(self.silent()),
            // A server that has closed may have said why; that is still to be read.
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                return self.came(Err(error)).map(|_| ());
            }
            Ok(_) => {}
        }
        match Command::parse(line) {
            Ok(Command::Retr) if self.promised > 0 => self.hear_message().await,
            Ok(Command::Quit) => {
                self.hear().await?;
                self.quit = true;
                Ok(())
            }
            _ => self.hear().await,
        }
    }

    /// Waits for a reply and shows it.
    async fn hear(&mut self) -> Result<(), Failure> {
        while !self.show_reply()? {
            let read = timeout(self.timeout, self.stream.read(self.lines.room())).await;
            let count = self.came(read.map_err(|_elapsed| self.silent())?)?;
            self.lines.filled(count);
        }
        Ok(())
    }

    /// Shows a reply that has come; false where none has come whole.
    fn show_reply(&mut self) -> Result<bool, Failure> {
        let line = match self.lines.next_line() {
            Ok(None) => return Ok(false),
            Ok(Some(line)) => line.to_vec(),
            Err(error) => {
                return Err(Failure::new(
                    Exit::Protocol,
                    format!("{}: the server's line: {error}", self.host),
                ));
            }
        };
        self.promised = match Reply::parse(&line) {
            Ok(Reply::Length(length, _)) => length,
            _ => 0,
        };
        print("S: ", Line(&line)).map(|()| true)
    }

    /// Waits for a message's octets and shows them as they come.
    async fn hear_message(&mut self) -> Result<(), Failure> {
        let length = std::mem::take(&mut self.promised);
        let mut missing = length;
        let mut chunk = self.lines.take(missing).to_vec();
        let mut message = Message::default();
        loop {
            message.show(&chunk).map_err(|error| unwritable(&error))?;
            missing = missing.saturating_sub(chunk.len() as u64);
            if missing == 0 {
                break;
            }
            chunk.resize(usize::try_from(missing).unwrap_or(CHUNK).min(CHUNK), 0);
            let read = timeout(self.timeout, self.stream.read(&mut chunk)).await;
            let count = self.came(read.map_err(|_elapsed| self.silent())?)?;
            chunk.truncate(count);
        }
        message.end(length).map_err(|error| unwritable(&error))
    }

    /// How many octets a read brought.
    fn came(&self, read: io::Result<usize>) -> Result<usize, Failure> {
        let why = match read {
            Ok(0) => "the server closed the connection".to_owned(),
            Ok(count) => return Ok(count),
            Err(error) => format!("the connection failed: {error}"),
        };
        Err(Failure::new(Exit::Temporary, format!("{}: {why}", self.host)))
    }

    fn silent(&self) -> Failure {
        let seconds = self.timeout.as_secs();
        let text = format!("{}: no answer within {seconds} seconds; try a longer --timeout", self.host);
        Failure::new(Exit::Temporary, text)
    }

    fn prompt(&self) -> Result<(), Failure> {
        if !self.prompts {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(b"C: ").and_then(|()| out.flush()).map_err(|error| unwritable(&error))
    }

    /// Begins a new line where the prompt stands in this one.
    fn leave_prompt(&self) -> Result<(), Failure> {
        if self.prompts { print("", "") } else { Ok(()) }
    }
}

/// Shows a message piece by piece, each line marked as the server's.
#[derive(Default)]
struct Message {
    decoder: wire::Decoder,
    inside_line: bool,
}

impl Message {
    fn show(&mut self, wire: &[u8]) -> io::Result<()> {
        let mut text = Vec::new();
        self.decoder.decode(wire, &mut text);
        let mut out = io::stdout().lock();
        for line in text.split_inclusive(|&octet| octet == b'\n') {
            let mark = if self.inside_line { "" } else { "S: " };
            write!(out, "{mark}{}", Text(line))?;
            self.inside_line = !line.ends_with(b"\n");
        }
        out.flush()
    }

    fn end(self, length: u64) -> io::Result<()> {
        let line_end = if self.inside_line { "\n" } else { "" };
        writeln!(io::stdout(), "{line_end}({length} octets)")
    }
}

fn print(mark: &str, line: impl Display) -> Result<(), Failure> {
    writeln!(io::stdout(), "{mark}{line}").map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(Exit::Io, format!("cannot write to standard output: {error}"))
}
