//! Sends a message to a server by SMTP (RFC 5321), with STARTTLS (RFC 3207), AUTH PLAIN and LOGIN (RFC 4954),
//! 8BITMIME (RFC 6152) and SIZE (RFC 1870).

use std::{net::IpAddr, time::Duration};

use pop2::{Secret, User};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{Ready, encode::base64};
use crate::{
    Exit, Failure,
    config::{Hiding, Smtp},
    connection::{Connection, Stream},
    escape::Line,
    host::Host,
    tls,
};

/// Octets of a whole reply; servers send a few hundred.
const MAX_REPLY: usize = 16 * 1024;

/// What became of a message: at least one address was taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Addresses that the server has taken the message for.
    pub taken: Vec<String>,
    /// Addresses that it has refused.
    pub refused: Vec<Refused>,
}

/// An address for which a server does not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The address.
    pub address: String,
    /// What the server said, harmlessly written.
    pub why: String,
    /// Whether it will not go better another time.
    pub is_permanent: bool,
}

/// How a server offers to hide what passes, with the certificate that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// From the first octet on.
    Tls(CertificateDer<'static>),
    /// By STARTTLS.
    StartTls(CertificateDer<'static>),
    /// Not at all.
    Plain,
}

/// Finds out what a server offers. Nothing is sent to it that matters, and nothing that it says is trusted.
pub async fn look(host: &Host, patience: Duration) -> Result<Offer, Failure> {
    // A server of SMTP may take its time to greet, and dislikes whoever speaks before; a port of TLS waits for that.
    if ![25, 587].contains(&host.port()) {
        let tcp = host.connect(patience).await?;
        if let Some(shown) = tls::look(tcp, host, patience).await? {
            return Ok(Offer::Tls(shown));
        }
    }
    let mut tcp = host.connect(patience).await?;
    if !greets_with(&mut tcp, host, patience).await?.has("STARTTLS") {
        return Ok(Offer::Plain);
    }
    let reply = said(&mut tcp, host, "STARTTLS", patience).await?;
    if reply.code != 220 {
        return Err(refuses(host, "TLS", &reply));
    }
    match tls::look(tcp, host, patience).await? {
        Some(shown) => Ok(Offer::StartTls(shown)),
        None => Err(strange(host, "no TLS behind STARTTLS")),
    }
}

/// The answer to EHLO in clear, whatever it is.
async fn greets_with(tcp: &mut TcpStream, host: &Host, patience: Duration) -> Result<Reply, Failure> {
    let greeting = read_reply(tcp, host, patience).await?;
    if !greeting.is_good() {
        return Err(refuses(host, "the connection", &greeting));
    }
    said(tcp, host, "EHLO localhost", patience).await
}

/// A session after EHLO, TLS and the login.
pub struct Session {
    stream: Box<dyn Stream>,
    host: Host,
    patience: Duration,
    last_patience: Duration,
    extensions: Vec<String>,
}

struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn is_good(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether this, as the answer to EHLO, has that extension.
    fn has(&self, extension: &str) -> bool {
        let mut lines = self.lines.iter().skip(1).filter_map(|line| line.split(' ').next());
        self.is_good() && lines.any(|line| line.eq_ignore_ascii_case(extension))
    }

    fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }
}

impl Session {
    /// Opens a session: connects, hides it by TLS where that is configured, and logs in with `password`.
    ///
    /// # Errors
    /// [`Exit::Protocol`] where the server is not trusted or does not speak SMTP, [`Exit::NoPermission`] where it
    /// refuses the login, else as connecting.
    pub async fn open(smtp: &Smtp, login: Option<(&User, &Secret)>) -> Result<Self, Failure> {
        let tcp = smtp.host.connect(smtp.timeout).await?;
        let own = tcp.local_addr().ok().map(|address| address.ip().to_canonical());
        let peer = tcp.peer_addr();
        let greet = |stream: Connection| Self {
            stream,
            host: smtp.host.clone(),
            patience: smtp.timeout,
            last_patience: smtp.last_timeout,
            extensions: Vec::new(),
        };
        let mut session = match &smtp.hiding {
            Hiding::Tls(trust) => {
                let mut session = greet(Box::new(tls::hide(tcp, &smtp.host, trust, smtp.timeout).await?));
                session.greeting().await?;
                session
            }
            Hiding::Plain => {
                if let (Ok(peer), Some(_)) = (peer, login) {
                    smtp.consent.to_clear_text(&smtp.host, peer)?;
                }
                let mut session = greet(Box::new(tcp));
                session.greeting().await?;
                session
            }
            Hiding::StartTls(trust) => {
                let tcp = start_tls(tcp, &smtp.host, smtp.timeout).await?;
                greet(Box::new(tls::hide(tcp, &smtp.host, trust, smtp.timeout).await?))
            }
        };
        session.hello(own).await?;
        if let Some((user, password)) = login {
            session.log_in(user, password).await?;
        }
        Ok(session)
    }

    /// Sends a message. Where the server takes some addresses and refuses others, it goes to those.
    ///
    /// # Errors
    /// Where nobody gets it: [`Exit::Unavailable`] where that will not change, [`Exit::Temporary`] where it may. The
    /// failure says so where it is not known whether the server has taken it.
    pub async fn send(&mut self, ready: &Ready) -> Result<Delivered, Failure> {
        let mut parameters = String::new();
        if !ready.octets.is_ascii() {
            if !self.has("8BITMIME") {
                let text = format!(
                    "{}: the server takes no 8-bit mail (8BITMIME), and a message in this one is such: save it to a file and attach that; what comes to `fido send` whole is to be encoded",
                    self.host
                );
                return Err(Failure::new(Exit::Unavailable, text));
            }
            parameters += " BODY=8BITMIME";
        }
        let wire = on_the_wire(&ready.octets);
        if self.has("SIZE") {
            parameters.push_str(" SIZE=");
            parameters.push_str(&wire.len().to_string());
        }
        let reply = self.say(&format!("MAIL FROM:<{}>{parameters}", ready.from)).await?;
        self.expect(&reply, "the sender")?;
        let mut delivered = Delivered::default();
        for address in &ready.recipients {
            let reply = self.say(&format!("RCPT TO:<{address}>")).await?;
            if reply.is_good() {
                delivered.taken.push(address.clone());
            } else {
                delivered.refused.push(Refused {
                    address: address.clone(),
                    why: reply.text(),
                    is_permanent: reply.code >= 500,
                });
            }
        }
        if delivered.taken.is_empty() {
            let all = refusals(&delivered.refused);
            let is_permanent = delivered.refused.iter().any(|refused| refused.is_permanent);
            let exit = if is_permanent { Exit::Unavailable } else { Exit::Temporary };
            return Err(Failure::new(exit, format!("{}: the server takes it for nobody: {all}", self.host)));
        }
        let reply = self.say("DATA").await?;
        if reply.code != 354 {
            self.expect(&reply, "the message")?;
            return Err(self.strange(&reply.text()));
        }
        self.write(&wire).await?;
        let last = self.last_patience;
        let reply = self.reply(last).await.map_err(|failure| {
            failure
                .and("it is not known whether the server has taken the message; ask before you send it again")
        })?;
        self.expect(&reply, "the message")?;
        Ok(delivered)
    }

    /// Ends the session. Nothing depends on how that goes.
    pub async fn quit(mut self) {
        // The message is the server's; there is nothing more to wait for than politeness wants.
        let _ = timeout(Duration::from_secs(2).min(self.patience), self.say("QUIT")).await;
    }

    fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|line| line.split(' ').next() == Some(extension))
    }

    async fn greeting(&mut self) -> Result<(), Failure> {
        let reply = self.reply(self.patience).await?;
        self.expect(&reply, "the connection")
    }

    async fn hello(&mut self, own: Option<IpAddr>) -> Result<(), Failure> {
        let name = match own {
            Some(IpAddr::V4(ip)) => format!("[{ip}]"),
            Some(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            None => "localhost".to_owned(),
        };
        let mut reply = self.say(&format!("EHLO {name}")).await?;
        if (500..600).contains(&reply.code) {
            reply = self.say(&format!("HELO {name}")).await?;
            reply.lines.clear();
        }
        self.expect(&reply, "the greeting")?;
        self.extensions = reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    async fn log_in(&mut self, user: &User, password: &Secret) -> Result<(), Failure> {
        let offered = |way: &str| {
            self.extensions.iter().any(|line| {
                let mut words = line.split([' ', '=']);
                words.next() == Some("AUTH") && words.any(|word| word == way)
            })
        };
        let encoded = |octets: &[u8]| Zeroizing::new(base64(octets));
        let user = user.to_string();
        let reply = if offered("PLAIN") {
            let octets = Zeroizing::new([b"\0", user.as_bytes(), b"\0", password.expose()].concat());
            let line = Zeroizing::new(format!("AUTH PLAIN {}", *encoded(&octets)));
            self.say(&line).await?
        } else if offered("LOGIN") {
            let reply = self.say("AUTH LOGIN").await?;
            if reply.code == 334 {
                let reply = self.say(&encoded(user.as_bytes())).await?;
                if reply.code == 334 { self.say(&encoded(password.expose())).await? } else { reply }
            } else {
                reply
            }
        } else {
            let text = format!(
                "{}: the server offers no login by PLAIN or LOGIN; use TLS, or leave `user` out if it wants none",
                self.host
            );
            return Err(Failure::new(Exit::NoPermission, text));
        };
        if reply.code == 235 {
            return Ok(());
        }
        let (exit, remedy) = if (400..500).contains(&reply.code) {
            (Exit::Temporary, "try again later")
        } else {
            (Exit::NoPermission, "check user and password in [account.NAME.smtp]")
        };
        Err(Failure::new(
            exit,
            format!("{}: the server refuses the login: {}; {remedy}", self.host, reply.text()),
        ))
    }

    async fn say(&mut self, line: &str) -> Result<Reply, Failure> {
        let line = Zeroizing::new(format!("{line}\r\n"));
        self.write(line.as_bytes()).await?;
        self.reply(self.patience).await
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        for piece in octets.chunks(16 * 1024) {
            match timeout(self.patience, self.stream.write_all(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(broken(&self.host, &error.to_string())),
                Err(_elapsed) => return Err(silent(&self.host)),
            }
        }
        match timeout(self.patience, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&self.host, &error.to_string())),
            Err(_elapsed) => Err(silent(&self.host)),
        }
    }

    async fn reply(&mut self, patience: Duration) -> Result<Reply, Failure> {
        read_reply(&mut self.stream, &self.host, patience).await
    }

    fn expect(&self, reply: &Reply, what: &str) -> Result<(), Failure> {
        if reply.is_good() { Ok(()) } else { Err(refuses(&self.host, what, reply)) }
    }

    fn strange(&self, what: &str) -> Failure {
        strange(&self.host, what)
    }
}

/// Says EHLO and STARTTLS in clear; nothing that is said before TLS is believed afterwards.
pub async fn start_tls(mut tcp: TcpStream, host: &Host, patience: Duration) -> Result<TcpStream, Failure> {
    // Who calls is nobody's business before TLS.
    for (line, code) in [("", 220), ("EHLO localhost", 250), ("STARTTLS", 220)] {
        let reply = if line.is_empty() {
            read_reply(&mut tcp, host, patience).await?
        } else {
            said(&mut tcp, host, line, patience).await?
        };
        if reply.code != code {
            let (exit, remedy) = match reply.code {
                400..500 => (Exit::Temporary, "try again later"),
                _ => (Exit::Protocol, "security = \"tls\" or \"plain\" may be what it wants"),
            };
            let text = format!("{host}: no TLS by STARTTLS: {}; {remedy}", reply.text());
            return Err(Failure::new(exit, text));
        }
    }
    Ok(tcp)
}

/// Says a line in clear.
async fn said(tcp: &mut TcpStream, host: &Host, line: &str, patience: Duration) -> Result<Reply, Failure> {
    let written = timeout(patience, tcp.write_all(format!("{line}\r\n").as_bytes())).await;
    written.map_err(|_elapsed| silent(host))?.map_err(|error| broken(host, &error.to_string()))?;
    read_reply(tcp, host, patience).await
}

async fn read_reply(
    stream: &mut (impl Stream + ?Sized),
    host: &Host,
    patience: Duration,
) -> Result<Reply, Failure> {
    match timeout(patience, whole_reply(stream, host)).await {
        Ok(reply) => reply,
        Err(_elapsed) => Err(silent(host)),
    }
}

/// Reads octet by octet, so that nothing behind the reply is taken from what comes next: behind STARTTLS that is TLS.
async fn whole_reply(stream: &mut (impl Stream + ?Sized), host: &Host) -> Result<Reply, Failure> {
    let (mut lines, mut line, mut total) = (Vec::new(), Vec::new(), 0);
    loop {
        let octet = match stream.read_u8().await {
            Ok(octet) => octet,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(broken(host, "it closed the connection"));
            }
            Err(error) => return Err(broken(host, &error.to_string())),
        };
        total += 1;
        if total > MAX_REPLY {
            return Err(strange(host, "a reply without an end"));
        }
        if octet != b'\n' {
            line.push(octet);
            continue;
        }
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        let shown = || Line(text).to_string();
        let (digits, rest) = text.split_at_checked(3).ok_or_else(|| strange(host, &shown()))?;
        let code = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u16>().ok());
        let code = code.filter(|code| (200..600).contains(code)).ok_or_else(|| strange(host, &shown()))?;
        let (mark, rest) = rest.split_first().map_or((b' ', rest), |(mark, rest)| (*mark, rest));
        lines.push(Line(rest).to_string());
        match mark {
            b' ' => return Ok(Reply { code, lines }),
            b'-' => line.clear(),
            _ => return Err(strange(host, &shown())),
        }
    }
}

fn refuses(host: &Host, what: &str, reply: &Reply) -> Failure {
    let (exit, remedy) = match reply.code {
        400..500 => (Exit::Temporary, "try again later"),
        500..600 => (Exit::Unavailable, "it will not go better another time as it is"),
        _ => return strange(host, &reply.text()),
    };
    Failure::new(exit, format!("{host}: the server refuses {what}: {}; {remedy}", reply.text()))
}

fn strange(host: &Host, what: &str) -> Failure {
    let short: String = what.chars().take(200).collect();
    Failure::new(
        Exit::Protocol,
        format!("{host}: this is no answer of SMTP: {short}; is that the right port?"),
    )
}

fn broken(host: &Host, why: &str) -> Failure {
    Failure::new(Exit::Temporary, format!("{host}: the connection broke: {why}; try again later"))
}

fn silent(host: &Host) -> Failure {
    let text = format!(
        "{host}: the server is silent; try again later, or with a longer timeout in [account.NAME.smtp]"
    );
    Failure::new(Exit::Temporary, text)
}

/// Addresses and what the server said of each.
#[must_use]
pub fn refusals(refused: &[Refused]) -> String {
    refused.iter().map(|one| format!("{}: {}", one.address, one.why)).collect::<Vec<_>>().join("; ")
}

/// The message with CR LF, dots at the beginnings of lines doubled (RFC 5321 section 4.5.2), and the dot at the end.
fn on_the_wire(octets: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(octets.len() + octets.len() / 32 + 8);
    for line in octets.strip_suffix(b"\n").unwrap_or(octets).split(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
