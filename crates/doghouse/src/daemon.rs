//! The running server: listeners, the sessions behind them, reload and shutdown.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pop2::{Reply, server::Settings};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{
    accounts::{self, Accounts},
    config::{Config, Endpoint},
    house::{self, Doghouse, Door},
    recipients::AliasesError,
    session::{Phase, Session},
    smtp::{self, machine::Protocol},
};

mod gate;
mod places;
mod sockets;

pub(crate) use gate::{Gate, gates};
use places::{Place, Places};
pub(crate) use sockets::open;
use sockets::{Connection, Socket};

/// How long to wait where connections cannot be accepted, such as for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Descriptors that a session may hold at once: its socket, its folder and a message.
const DESCRIPTORS: u64 = 4;

/// Why a server does not start, or does not take a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The users file is not there or not in order.
    #[error("{cause}{}", first_user(cause))]
    Accounts {
        /// What is wrong with it.
        #[from]
        cause: accounts::Error,
    },
    /// The aliases file is not there or not in order.
    #[error(transparent)]
    Aliases(#[from] AliasesError),
    /// An address cannot be listened on.
    #[error("cannot listen on {endpoint}: {source}{}", remedy(source, key))]
    Listen {
        /// The address.
        endpoint: Endpoint,
        /// The key of the configuration that says so.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn first_user(error: &accounts::Error) -> &'static str {
    match error {
        accounts::Error::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
            ": doghouse user add USER makes it, with its first user"
        }
        _ => "",
    }
}

fn remedy(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(": another program listens there; stop it, or change {key}"),
        io::ErrorKind::AddrNotAvailable => format!(": this machine has no such address; correct {key}"),
        io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs the capability CAP_NET_BIND_SERVICE; give it, or take a port above; a socket needs a folder that can be written".to_owned()
        }
        io::ErrorKind::NotFound => format!(": make the folder, or correct {key}"),
        _ => String::new(),
    }
}

/// A server at work. Dropping it does not stop it; [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Daemon {
    shared: Arc<Shared>,
    open: Vec<Opened>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug)]
struct Shared {
    house: RwLock<Arc<Doghouse>>,
    places: Arc<Places>,
    mail_places: Arc<Places>,
    next_id: AtomicU64,
}

/// A gate at work.
#[derive(Debug)]
struct Opened {
    gate: Gate,
    /// As it turned out.
    endpoint: Endpoint,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Loads the accounts and opens the listeners of a configuration. It has to be called within a runtime of
    /// tokio, on which the server then runs.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let (sessions, mail_sessions) = (config.limits.sessions, config.limits.mail_sessions);
        let wanted = gates(&config);
        let house = load(config)?;
        let sockets = listen(wanted)?;
        let shared = Arc::new(Shared {
            house: RwLock::new(Arc::new(house)),
            places: Places::new(affordable(sessions)),
            mail_places: Places::new(mail_sessions),
            next_id: AtomicU64::new(1),
        });
        let mut daemon = Self { shared, open: Vec::new(), phase: watch::Sender::new(Phase::Open) };
        daemon.open_doors(sockets);
        Ok(daemon)
    }

    /// The addresses that are listened on: for POP2, for SMTP and for LMTP, each in the order of the
    /// configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let tcp = self.open.iter().filter_map(|opened| match opened.endpoint {
            Endpoint::Tcp(address) => Some(address),
            Endpoint::Unix { .. } => None,
        });
        tcp.collect()
    }

    /// The house as it is now.
    #[must_use]
    pub fn house(&self) -> Arc<Doghouse> {
        self.shared.house()
    }

    /// Takes another configuration for the sessions to come; those at work go on as they began. Where this
    /// fails, everything stays as it was. The numbers of sessions at once are the one thing that only a restart
    /// changes.
    pub fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let wanted = gates(&config);
        let is_open = |gate: &Gate| self.open.iter().any(|opened| opened.gate == *gate);
        let house = load(config)?;
        let sockets = listen(wanted.iter().filter(|gate| !is_open(gate)).cloned().collect())?;
        self.open.retain(|opened| {
            let stays = wanted.contains(&opened.gate);
            if !stays {
                info!(address = %opened.endpoint, "no longer listening");
                opened.task.abort();
            }
            stays
        });
        self.shared.replace(house);
        self.open_doors(sockets);
        Ok(())
    }

    /// Accepts no more sessions, lets those that have logged in finish within the configured time, and then
    /// ends the rest; they delete nothing.
    pub async fn stop(self) {
        let patience = self.house().config().limits.shutdown;
        for opened in &self.open {
            opened.task.abort();
        }
        self.phase.send_replace(Phase::Draining);
        if timeout(patience, self.phase.closed()).await.is_err() {
            warn!(sessions = self.phase.receiver_count(), "time is up for the sessions that are left");
            self.phase.send_replace(Phase::Closing);
            self.phase.closed().await;
        }
    }

    fn open_doors(&mut self, sockets: Vec<(Gate, Endpoint, Socket)>) {
        for (gate, endpoint, socket) in sockets {
            info!(address = %endpoint, protocol = gate.protocol(), "listening");
            let answer =
                answer_the_door(socket, gate.clone(), Arc::clone(&self.shared), self.phase.subscribe());
            let task = tokio::spawn(answer);
            self.open.push(Opened { gate, endpoint, task });
        }
    }
}

impl Shared {
    fn house(&self) -> Arc<Doghouse> {
        Arc::clone(&self.house.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number for the next session.
    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn replace(&self, house: Doghouse) {
        *self.house.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(house);
    }
}

/// Reads the files that a configuration names.
fn load(config: Config) -> Result<Doghouse, StartError> {
    let accounts = Accounts::load(&config.passwd_file, config.remember)?;
    for warning in accounts.warnings() {
        warn!(file = %config.passwd_file.display(), %warning, "an account is locked");
    }
    let recipients = house::recipients(&config)?;
    Ok(Doghouse::new(config, accounts, recipients))
}

fn listen(gates: Vec<Gate>) -> Result<Vec<(Gate, Endpoint, Socket)>, StartError> {
    let mut sockets = Vec::with_capacity(gates.len());
    for gate in gates {
        let configured = gate.endpoint();
        let fail = |source| StartError::Listen { endpoint: configured.clone(), key: gate.key(), source };
        let socket = open(&configured).map_err(fail)?;
        let endpoint = socket.endpoint(&configured).map_err(fail)?;
        sockets.push((gate, endpoint, socket));
    }
    Ok(sockets)
}

/// Accepts connections until it is aborted; each becomes a task of its own.
async fn answer_the_door(socket: Socket, gate: Gate, shared: Arc<Shared>, phase: watch::Receiver<Phase>) {
    loop {
        let connection = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                error!(address = %gate.endpoint(), %error, "cannot accept a connection");
                sleep(BREATHER).await;
                continue;
            }
        };
        let (gate, shared, phase) = (gate.clone(), Arc::clone(&shared), phase.clone());
        match (connection, gate) {
            (Connection::Tcp(stream, client), Gate::Pop2(address)) => {
                if let Some(place) = shared.places.take(None, usize::MAX) {
                    tokio::spawn(async move { fetch(stream, client, address, &shared, phase, place).await });
                } else {
                    warn!(rip = %client.ip(), "too many sessions");
                    let mut line = Vec::new();
                    Reply::Error("too many sessions; try again later".into()).encode(&mut line);
                    tokio::spawn(turn_away(stream, line));
                }
            }
            (Connection::Tcp(stream, client), Gate::Mail(protocol, _)) => {
                take_in(stream, Some(client.ip()), protocol, shared, phase);
            }
            (Connection::Unix(stream), Gate::Mail(protocol, _)) => {
                take_in(stream, None, protocol, shared, phase);
            }
            // POP2 has no gate in the file system.
            (Connection::Unix(_), Gate::Pop2(_)) => {}
        }
    }
}

/// A session in which mail is fetched.
async fn fetch(
    stream: TcpStream,
    client: SocketAddr,
    configured: SocketAddr,
    shared: &Shared,
    phase: watch::Receiver<Phase>,
    _place: Place,
) {
    let house = shared.house();
    let config = house.config();
    // A reload may have closed this door since.
    let Some(listener) = config.listeners.iter().find(|listener| listener.address == configured) else {
        return;
    };
    let mut settings = Settings::new(&config.hostname);
    settings.login_timeout = config.limits.login;
    settings.idle_timeout = config.limits.idle;
    let door = Door { house: &house, listener };
    Session::new(shared.id(), client.ip(), &door, &settings, stream, phase).run().await;
}

/// A session in which mail comes in.
fn take_in<S>(
    stream: S,
    client: smtp::session::Client,
    protocol: Protocol,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let house = shared.house();
    let limits = house.config().limits;
    let Some(place) = shared.mail_places.take(client, limits.mail_sessions_per_address) else {
        warn!(rip = client.map(tracing::field::display), "too many delivery sessions");
        tokio::spawn(turn_away(stream, b"421 4.7.0 too many sessions; try again later\r\n".to_vec()));
        return;
    };
    let settings = smtp::machine::Settings {
        protocol,
        hostname: house.config().hostname.clone(),
        max_octets: house.config().delivery.max_octets,
        max_recipients: house.config().delivery.max_recipients,
    };
    tokio::spawn(async move {
        let _place = place;
        smtp::session::Session::new(shared.id(), client, &*house, settings, limits.mail_idle, stream, phase)
            .run()
            .await;
    });
}

/// Says why, as far as the client takes it at once.
async fn turn_away(mut stream: impl AsyncWrite + Unpin, line: Vec<u8>) {
    let _ = timeout(BREATHER, stream.write_all(&line)).await;
}

/// The number of sessions that the limit of open files has room for, after raising it as far as it goes.
fn affordable(wanted: usize) -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let mut raised = limit;
    raised.current = raised.maximum;
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    let room = limit.current.map_or(usize::MAX, |files| {
        usize::try_from(files.saturating_sub(64) / DESCRIPTORS).unwrap_or(usize::MAX).max(1)
    });
    if room < wanted {
        warn!(
            wanted,
            sessions = room,
            "the limit of open files allows fewer sessions; raise it (LimitNOFILE)"
        );
    }
    wanted.min(room).min(Semaphore::MAX_PERMITS)
}
