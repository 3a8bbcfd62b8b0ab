//! A server of SMTP that takes whatever comes, in clear or by TLS.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};

/// How it hides what passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Plain,
    StartTls,
    Tls,
}

/// What was said to it.
#[derive(Default)]
pub(crate) struct Heard {
    /// Commands of all sessions; those that TLS has hidden have a `*` in front.
    pub(crate) lines: Vec<String>,
    /// Messages, with LF.
    pub(crate) messages: Vec<String>,
}

pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    /// Its certificate, which is for 127.0.0.1.
    pub(crate) pem: String,
    heard: Arc<Mutex<Heard>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Serves until it is dropped; `offers` are its extensions beside STARTTLS and AUTH.
    pub(crate) fn new(speaks: Speaks, offers: &'static [&'static str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let (config, pem) = (Arc::new(config), certificate.pem());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, is_over) = (Arc::<Mutex<Heard>>::default(), Arc::new(AtomicBool::new(false)));
        let (for_thread, over) = (Arc::clone(&heard), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let session = Session { config: Arc::clone(&config), speaks, offers, heard: &for_thread };
                // A client may go away at any time.
                let _ = session.serve(stream.unwrap());
            }
        });
        Self { address, pem, heard, is_over, thread: Some(thread) }
    }

    /// The commands that came so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard.lock().unwrap().lines.clone()
    }

    /// The messages that came so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.heard.lock().unwrap().messages.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Session<'a> {
    config: Arc<ServerConfig>,
    speaks: Speaks,
    offers: &'static [&'static str],
    heard: &'a Mutex<Heard>,
}

impl Session<'_> {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let hide =
            |stream| StreamOwned::new(ServerConnection::new(Arc::clone(&self.config)).unwrap(), stream);
        if self.speaks == Speaks::Tls {
            return self.talk(&mut hide(stream), true, true).map(|_| ());
        }
        if self.talk(&mut stream, true, false)? {
            self.talk(&mut hide(stream), false, true)?;
        }
        Ok(())
    }

    /// Talks; whether STARTTLS was said.
    fn talk(&self, stream: &mut (impl Read + Write), greets: bool, is_hidden: bool) -> std::io::Result<bool> {
        if greets {
            stream.write_all(b"220 x\r\n")?;
        }
        loop {
            let line = line(stream)?;
            let mark = if is_hidden { "*" } else { "" };
            self.heard.lock().unwrap().lines.push(format!("{mark}{line}"));
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => {
                    let mut offers = self.offers.to_vec();
                    offers.extend((self.speaks == Speaks::StartTls && !is_hidden).then_some("STARTTLS"));
                    offers.extend((is_hidden || self.speaks == Speaks::Plain).then_some("AUTH PLAIN"));
                    offers.insert(0, "x");
                    format!("250-{}\r\n250 HELP", offers.join("\r\n250-"))
                }
                "STARTTLS" => {
                    stream.write_all(b"220 go\r\n")?;
                    return Ok(true);
                }
                "AUTH" if line == "AUTH PLAIN AGZpZG8AYm9uZQ==" => "235 in".to_owned(),
                "AUTH" => "535 wrong password".to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go\r\n")?;
                    let message = message(stream)?;
                    self.heard.lock().unwrap().messages.push(message);
                    "250 taken".to_owned()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n")?;
                    return Ok(false);
                }
                _ => "250 fine".to_owned(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes())?;
        }
    }
}

/// Octet by octet, so that nothing of TLS is taken.
fn line(stream: &mut impl Read) -> std::io::Result<String> {
    let (mut octets, mut octet) = (Vec::new(), [0]);
    while !octets.ends_with(b"\r\n") {
        stream.read_exact(&mut octet)?;
        octets.push(octet[0]);
    }
    Ok(String::from_utf8_lossy(&octets).trim_end_matches("\r\n").to_owned())
}

fn message(stream: &mut impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let line = line(stream)?;
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}
