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
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{
    accounts::{self, Accounts},
    config::{Config, Listener},
    house::{Doghouse, Door},
    session::{Phase, Session},
};

/// How long to wait where connections cannot be accepted, such as for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const QUEUE: u32 = 4096;

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
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
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

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => ": another program listens there; stop it, or change listener.address",
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address; correct listener.address",
        io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs the capability CAP_NET_BIND_SERVICE; give it, or take port 1109"
        }
        _ => "",
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
    places: Arc<Semaphore>,
    next_id: AtomicU64,
}

/// A listener at work.
#[derive(Debug)]
struct Opened {
    /// As configured.
    listener: Listener,
    /// As it turned out.
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Loads the accounts and opens the listeners of a configuration. It has to be called within a runtime of
    /// tokio, on which the server then runs.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let accounts = load_accounts(&config)?;
        let sockets = listen(&config.listeners)?;
        let places = affordable(config.limits.sessions);
        let shared = Arc::new(Shared {
            house: RwLock::new(Arc::new(Doghouse::new(config, accounts))),
            places: Arc::new(Semaphore::new(places)),
            next_id: AtomicU64::new(1),
        });
        let mut daemon = Self { shared, open: Vec::new(), phase: watch::Sender::new(Phase::Open) };
        daemon.open_doors(sockets);
        Ok(daemon)
    }

    /// The addresses that are listened on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|opened| opened.address).collect()
    }

    /// The house as it is now.
    #[must_use]
    pub fn house(&self) -> Arc<Doghouse> {
        self.shared.house()
    }

    /// Takes another configuration for the sessions to come; those at work go on as they began. Where this
    /// fails, everything stays as it was. The number of sessions at once is the one thing that only a restart
    /// changes.
    pub fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let accounts = load_accounts(&config)?;
        let is_open =
            |wanted: &Listener| self.open.iter().any(|opened| opened.listener.address == wanted.address);
        let new: Vec<Listener> = config.listeners.iter().filter(|wanted| !is_open(wanted)).cloned().collect();
        let sockets = listen(&new)?;
        self.open.retain_mut(|opened| {
            let wanted = config.listeners.iter().find(|wanted| wanted.address == opened.listener.address);
            if let Some(listener) = wanted {
                opened.listener = listener.clone();
            } else {
                info!(address = %opened.address, "no longer listening");
                opened.task.abort();
            }
            wanted.is_some()
        });
        self.shared.replace(Doghouse::new(config, accounts));
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

    fn open_doors(&mut self, sockets: Vec<(Listener, SocketAddr, TcpListener)>) {
        for (listener, address, socket) in sockets {
            info!(%address, "listening");
            let answer =
                answer_the_door(socket, listener.address, Arc::clone(&self.shared), self.phase.subscribe());
            let task = tokio::spawn(answer);
            self.open.push(Opened { listener, address, task });
        }
    }
}

impl Shared {
    fn house(&self) -> Arc<Doghouse> {
        Arc::clone(&self.house.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, house: Doghouse) {
        *self.house.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(house);
    }
}

fn load_accounts(config: &Config) -> Result<Accounts, StartError> {
    let accounts = Accounts::load(&config.passwd_file, config.remember)?;
    for warning in accounts.warnings() {
        warn!(file = %config.passwd_file.display(), %warning, "an account is locked");
    }
    Ok(accounts)
}

/// Opens a listener whose queue holds more than come at once: of a connection that finds it full the client
/// believes that it is open, and waits for a greeting that nobody sends.
pub(crate) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

fn listen(listeners: &[Listener]) -> Result<Vec<(Listener, SocketAddr, TcpListener)>, StartError> {
    let mut sockets = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let fail = |source| StartError::Listen { address: listener.address, source };
        let socket = open(listener.address).map_err(fail)?;
        let address = socket.local_addr().map_err(fail)?;
        sockets.push((listener.clone(), address, socket));
    }
    Ok(sockets)
}

/// Accepts connections until it is aborted; each becomes a task of its own.
async fn answer_the_door(
    socket: TcpListener,
    configured: SocketAddr,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) {
    loop {
        let (stream, client) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                error!(address = %configured, %error, "cannot accept a connection");
                sleep(BREATHER).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
            warn!(rip = %client.ip(), "too many sessions");
            tokio::spawn(turn_away(stream));
            continue;
        };
        let (shared, phase) = (Arc::clone(&shared), phase.clone());
        tokio::spawn(async move {
            serve(stream, client, configured, &shared, phase).await;
            drop(place);
        });
    }
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    configured: SocketAddr,
    shared: &Shared,
    phase: watch::Receiver<Phase>,
) {
    let house = shared.house();
    let config = house.config();
    // A reload may have closed this door since.
    let Some(listener) = config.listeners.iter().find(|listener| listener.address == configured) else {
        return;
    };
    // Replies are small and awaited.
    let _ = stream.set_nodelay(true);
    let mut settings = Settings::new(&config.hostname);
    settings.login_timeout = config.limits.login;
    settings.idle_timeout = config.limits.idle;
    let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
    let door = Door { house: &house, listener };
    Session::new(id, client.ip(), &door, &settings, stream, phase).run().await;
}

/// Says why, as far as the client takes it at once.
async fn turn_away(mut stream: TcpStream) {
    let mut line = Vec::new();
    Reply::Error("too many sessions; try again later".into()).encode(&mut line);
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
