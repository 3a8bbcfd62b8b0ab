//! The receiving side of SMTP and LMTP without I/O: it is fed octets and asked what to do next.

use std::borrow::Cow;

use smtp_proto::{Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_SMTPUTF8, MailFrom, RcptTo, Request};

use super::{
    data::Decoder,
    lines::{LineError, Lines},
    reply::Reply,
};

/// After so many refused commands a client is left.
const MOST_ERRORS: u32 = 20;

/// Which of the two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321: one reply to a message.
    Smtp,
    /// RFC 2033: a reply for each recipient.
    Lmtp,
}

impl Protocol {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Lmtp => "LMTP",
        }
    }
}

/// What a machine has to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The protocol.
    pub protocol: Protocol,
    /// This host's name.
    pub hostname: String,
    /// The largest message, in octets.
    pub max_octets: u64,
    /// The most recipients of a message.
    pub max_recipients: usize,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write the output, read from the client, and say so with [`Machine::push`].
    Receive,
    /// Say with [`Machine::resolved`] whether this is the address of a mailbox here.
    Resolve(String),
    /// A message begins.
    Begin,
    /// Keep [`Machine::body`], and go on with [`Machine::kept`].
    Keep,
    /// The message is whole: deliver it and say with [`Machine::delivered`] how that went.
    Deliver,
    /// Write the output and close.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has said who they are.
    Start,
    /// No message is on its way.
    Ready,
    /// A sender was taken, and perhaps recipients.
    Envelope,
    /// Within a message.
    Data,
    Closing,
}

/// The receiving side.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    lines: Lines,
    output: Vec<u8>,
    errors: u32,
    client: String,
    extended: bool,
    sender: String,
    size: u64,
    recipients: usize,
    decoder: Decoder,
    body: Vec<u8>,
    octets: u64,
    ended: bool,
}

impl Machine {
    /// A client has connected, and is greeted.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let protocol = match settings.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        let output = format!("220 {} {protocol} Doghouse\r\n", settings.hostname).into_bytes();
        Self {
            settings,
            state: State::Start,
            lines: Lines::default(),
            output,
            errors: 0,
            client: String::new(),
            extended: false,
            sender: String::new(),
            size: 0,
            recipients: 0,
            decoder: Decoder::new(),
            body: Vec::new(),
            octets: 0,
            ended: false,
        }
    }

    /// What to write to the client; take it away when it is written.
    pub fn output_mut(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The name that the client gave itself; empty before it did.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// How this message came, in the words of RFC 3848.
    #[must_use]
    pub fn with(&self) -> &'static str {
        match self.settings.protocol {
            Protocol::Lmtp => "LMTP",
            Protocol::Smtp if self.extended => "ESMTP",
            Protocol::Smtp => "SMTP",
        }
    }

    /// Who sends the message; empty for one that nobody is to answer.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// How many octets the client says that the message has; 0 where it does not say.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many recipients of the message were taken so far.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.recipients
    }

    /// The part of the message that came last, as stores keep it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether what comes next is of a message.
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        self.state == State::Data
    }

    /// How many octets the message has so far, as stores keep it.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Octets have come from the client.
    pub fn push(&mut self, octets: &[u8]) {
        self.lines.push(octets);
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        loop {
            match self.state {
                State::Closing => return Step::Close,
                State::Data => return self.data(),
                State::Start | State::Ready | State::Envelope => {}
            }
            let step = match self.lines.next() {
                None => Some(Step::Receive),
                Some(Ok(line)) => self.line(&line),
                Some(Err(error)) => {
                    let text = match error {
                        LineError::TooLong => "this line is too long",
                        LineError::Bare => "a line ends in CR LF, and has neither nor NUL within",
                    };
                    // What follows may be anything.
                    self.part(&Reply::new(500, "5.5.2", text));
                    None
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Whether the address that was asked for takes mail.
    pub fn resolved(&mut self, answer: Result<(), Reply>) {
        match answer {
            Ok(()) => {
                self.recipients += 1;
                self.say(250, "2.1.5", "recipient taken");
            }
            Err(reply) => self.refuse(&reply),
        }
    }

    /// The body has been kept, or cannot be: then the message is refused when it has come.
    pub fn kept(&mut self) {
        self.body.clear();
    }

    /// How delivery went for each recipient, in the order in which they were taken. SMTP knows one reply: it
    /// is a success only where all went well, else the first failure, of those that pass if there is one.
    pub fn delivered(&mut self, outcomes: &[Result<(), Reply>]) {
        let done = Reply::new(250, "2.0.0", "delivered");
        match self.settings.protocol {
            Protocol::Lmtp => {
                for outcome in outcomes {
                    let reply = outcome.as_ref().err().unwrap_or(&done).clone();
                    self.reply(&reply);
                }
            }
            Protocol::Smtp => {
                let failures = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
                let failure = failures().find(|reply| reply.code < 500).or_else(|| failures().next());
                let reply = failure.unwrap_or(&done).clone();
                self.reply(&reply);
            }
        }
        self.reset();
    }

    /// The session ends before its time.
    pub fn interrupted(&mut self, text: &str) {
        self.part(&Reply::new(421, "4.3.2", text));
    }

    fn line(&mut self, line: &[u8]) -> Option<Step> {
        let local = with_domain(line, &self.settings.hostname);
        let request = Request::parse(&mut line.iter());
        let request = match (request, &local) {
            (Err(Error::InvalidRecipientAddress | Error::InvalidSenderAddress), Some(local)) => {
                Request::parse(&mut local.iter())
            }
            (request, _) => request,
        };
        match request {
            Ok(request) => self.command(request),
            Err(error) => {
                let reply = refusal(&error);
                self.refuse(&reply);
                None
            }
        }
    }

    /// Nothing else decides what is legal.
    fn command(&mut self, request: Request<Cow<'_, str>>) -> Option<Step> {
        use Protocol::{Lmtp, Smtp};
        use State::{Envelope, Ready, Start};
        match (self.state, self.settings.protocol, request) {
            (_, Smtp, Request::Helo { host }) => self.hello(&host, false),
            (_, Smtp, Request::Ehlo { host }) | (_, Lmtp, Request::Lhlo { host }) => self.hello(&host, true),
            (_, Smtp, Request::Lhlo { .. }) => self.bad("this is SMTP: say EHLO"),
            (_, Lmtp, Request::Helo { .. } | Request::Ehlo { .. }) => self.bad("this is LMTP: say LHLO"),
            (Ready, _, Request::Mail { from }) => self.mail(&from),
            (Envelope, _, Request::Rcpt { to }) => return self.rcpt(to),
            (Envelope, _, Request::Data) => return self.begin(),
            (_, _, Request::Rset) => {
                self.reset();
                self.say(250, "2.0.0", "as if nothing had been said");
            }
            (_, _, Request::Noop { .. }) => self.say(250, "2.0.0", "woof"),
            (_, _, Request::Vrfy { .. }) => self.say(252, "2.5.0", "send it and see"),
            (_, _, Request::Help { .. }) => {
                self.say(214, "2.0.0", "RFC 5321, RFC 2033; mail for this host only");
            }
            (_, _, Request::Quit) => {
                self.say(221, "2.0.0", "bye");
                self.state = State::Closing;
            }
            (Start, _, Request::Mail { .. } | Request::Rcpt { .. } | Request::Data) => {
                self.out_of_order("say who you are first");
            }
            (Ready, _, Request::Rcpt { .. } | Request::Data) => self.out_of_order("say MAIL first"),
            (Envelope, _, Request::Mail { .. }) => self.out_of_order("one message at a time"),
            _ => self.refuse(&Reply::new(502, "5.5.1", "this server does not do that")),
        }
        None
    }

    fn hello(&mut self, host: &str, extended: bool) {
        self.reset();
        self.state = State::Ready;
        self.extended = extended;
        self.client = host.trim().chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
        let name = &self.settings.hostname;
        let lines = if extended {
            let size = self.settings.max_octets;
            format!(
                "250-{name}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE {size}\r\n250 ENHANCEDSTATUSCODES\r\n"
            )
        } else {
            format!("250 {name}\r\n")
        };
        self.output.extend_from_slice(lines.as_bytes());
    }

    fn mail(&mut self, from: &MailFrom<Cow<'_, str>>) {
        let plain = MailFrom { address: "", ..MailFrom::default() };
        let own = MAIL_BODY_7BIT | MAIL_BODY_8BITMIME;
        let others = from.trans_id.is_some()
            || from.by != plain.by
            || from.env_id.is_some()
            || from.solicit.is_some()
            || from.mtrk.is_some()
            || from.auth.is_some()
            || from.hold_for != plain.hold_for
            || from.hold_until != plain.hold_until
            || from.mt_priority != plain.mt_priority;
        let size = from.size as u64;
        if from.flags & MAIL_SMTPUTF8 != 0 {
            let text = "this server does not know SMTPUTF8; please use addresses in ASCII";
            self.refuse(&Reply::new(555, "5.6.7", text));
        } else if others || from.flags & !own != 0 {
            self.refuse(&Reply::new(555, "5.5.4", "only SIZE, BODY=7BIT and BODY=8BITMIME are known here"));
        } else if !is_plain(&from.address) {
            self.refuse(&Reply::new(553, "5.6.7", "an address is written in ASCII"));
        } else if size > self.settings.max_octets {
            self.refuse(&self.too_big());
        } else {
            from.address.as_ref().clone_into(&mut self.sender);
            self.size = size;
            self.state = State::Envelope;
            self.say(250, "2.1.0", "sender taken");
        }
    }

    fn rcpt(&mut self, to: RcptTo<Cow<'_, str>>) -> Option<Step> {
        if to.orcpt.is_some() || to.flags != 0 || to.rrvs != 0 {
            self.refuse(&Reply::new(555, "5.5.4", "no parameters are known here"));
        } else if !is_plain(&to.address) {
            self.refuse(&Reply::new(553, "5.6.7", "an address is written in ASCII"));
        } else if self.recipients >= self.settings.max_recipients {
            let text = "enough recipients for one message; send it again to the others";
            self.reply(&Reply::new(452, "4.5.3", text));
        } else {
            let address =
                if to.address.is_empty() { "postmaster".to_owned() } else { to.address.into_owned() };
            return Some(Step::Resolve(address));
        }
        None
    }

    fn begin(&mut self) -> Option<Step> {
        if self.recipients == 0 {
            self.out_of_order("no recipient was taken");
            return None;
        }
        if !self.lines.rest().is_empty() {
            // Whoever does not wait for 354 may not be who speaks next.
            self.part(&Reply::new(554, "5.5.0", "wait for the reply to DATA"));
            return None;
        }
        self.output.extend_from_slice(b"354 send the message, then a dot on a line of its own\r\n");
        self.state = State::Data;
        self.decoder = Decoder::new();
        (self.octets, self.ended) = (0, false);
        Some(Step::Begin)
    }

    fn data(&mut self) -> Step {
        if self.ended {
            return self.end();
        }
        if self.lines.rest().is_empty() {
            return Step::Receive;
        }
        let rest = self.lines.rest();
        let before = self.body.len();
        let end = self.decoder.decode(rest, &mut self.body);
        let count = end.unwrap_or(rest.len());
        self.lines.skip(count);
        self.octets += (self.body.len() - before) as u64;
        self.ended = end.is_some();
        if self.octets > self.settings.max_octets || self.decoder.has_bare() {
            // It will be refused.
            self.body.clear();
        }
        Step::Keep
    }

    fn end(&mut self) -> Step {
        if self.decoder.has_bare() {
            // A client that does so may have meant what follows for commands, or for another's message.
            let text = "the message has a CR or an LF on its own; every line ends in CR LF";
            self.fail_all(&Reply::new(550, "5.6.0", text));
            self.state = State::Closing;
            return Step::Close;
        }
        if self.octets > self.settings.max_octets {
            let reply = self.too_big();
            self.fail_all(&reply);
            self.reset();
            return self.step();
        }
        Step::Deliver
    }

    /// The message as a whole is refused.
    fn fail_all(&mut self, reply: &Reply) {
        let replies = match self.settings.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => self.recipients,
        };
        for _ in 0..replies {
            self.reply(reply);
        }
    }

    fn reset(&mut self) {
        if self.state != State::Start && self.state != State::Closing {
            self.state = State::Ready;
        }
        self.sender.clear();
        self.body.clear();
        self.recipients = 0;
    }

    fn too_big(&self) -> Reply {
        let text = format!("a message has at most {} octets here", self.settings.max_octets);
        Reply::new(552, "5.3.4", text)
    }

    fn bad(&mut self, text: &str) {
        self.refuse(&Reply::new(500, "5.5.1", text));
    }

    fn out_of_order(&mut self, text: &str) {
        self.refuse(&Reply::new(503, "5.5.1", text));
    }

    fn refuse(&mut self, reply: &Reply) {
        self.reply(reply);
        self.errors += 1;
        if self.errors >= MOST_ERRORS {
            self.part(&Reply::new(421, "4.7.0", "too many errors"));
        }
    }

    fn part(&mut self, reply: &Reply) {
        self.reply(reply);
        self.state = State::Closing;
    }

    fn say(&mut self, code: u16, status: &'static str, text: &str) {
        self.reply(&Reply::new(code, status, text));
    }

    fn reply(&mut self, reply: &Reply) {
        self.output.extend_from_slice(reply.to_string().as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }
}

/// The line with `@HOST` in an address that has no domain, as the grammar wants one; `None` where there is
/// nothing to add.
fn with_domain(line: &[u8], host: &str) -> Option<Vec<u8>> {
    let (open, close) =
        (line.iter().position(|&octet| octet == b'<')?, line.iter().rposition(|&octet| octet == b'>')?);
    let address = line.get(open + 1..close)?;
    if address.is_empty() || address.contains(&b'@') {
        return None;
    }
    Some([line.get(..close)?, b"@", host.as_bytes(), line.get(close..)?].concat())
}

/// Whether an address can stand in a header field as it is.
fn is_plain(address: &str) -> bool {
    address.chars().all(|c| matches!(c, ' '..='~') && c != '<' && c != '>')
}

fn refusal(error: &Error) -> Reply {
    match error {
        Error::InvalidSenderAddress => Reply::new(553, "5.1.7", "this is no address"),
        Error::InvalidRecipientAddress => Reply::new(553, "5.1.3", "this is no address"),
        Error::SyntaxError { syntax } => Reply::new(501, "5.5.4", format_args!("write {syntax}")),
        Error::InvalidParameter { param } => {
            Reply::new(501, "5.5.4", format_args!("{param} is not written so"))
        }
        Error::UnsupportedParameter { .. } => {
            Reply::new(555, "5.5.4", "only SIZE, BODY=7BIT and BODY=8BITMIME are known here")
        }
        _ => Reply::new(500, "5.5.2", "this is no command"),
    }
}
