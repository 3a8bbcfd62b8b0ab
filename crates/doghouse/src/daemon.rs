//! The running server: listeners, the sessions behind them, reload and shutdown.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use postbox::postgres::SettingsError;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::{
    accounts,
    config::{AccountsIn, Config, Endpoint},
    guard::Guard,
    house::{self, Doghouse},
    phase::Phase,
    recipients::AliasesError,
    sandbox::Grant,
    watch::Watch,
};

mod crew;
mod doors;
pub mod entry;
mod gate;
mod handed;
mod reception;
mod sockets;
mod tls;

use crew::Crew;
pub use doors::Doors;
use doors::listen;
pub(crate) use gate::{Gate, Service, gates};
pub use handed::Handed;
use reception::answer_the_door;
pub(crate) use sockets::open;
use sockets::{Bound, SocketFile};
pub use tls::TlsError;
pub(crate) use tls::acceptor;

/// How often it is written down when devices were used last.
const NOTES: Duration = Duration::from_mins(1);

/// How often the database is asked whether it is there, and how long it may take to say so.
const ASKING: Duration = Duration::from_secs(2);

/// How many may ask at once how the server is.
const WATCHERS: usize = 32;

/// How many commands of the operator's may ask at once.
const COMMANDS: usize = 16;

/// How many who are turned away may take their time for it.
const LEAVING: usize = 64;

/// Descriptors that a session may hold at once: its socket, its folder and a message.
const DESCRIPTORS: u64 = 4;

/// Descriptors for everything else: listeners, logs, those who watch, and connections that are turned away.
const SPARE: u64 = 144;

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
    /// A certificate or its key is not there or not in order.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A new configuration names a place that the process has shut itself off from.
    #[error("the sandbox keeps {0} from the server; restart it to use that")]
    Sandbox(String),
    /// The database is not to be used as it is described.
    #[error(transparent)]
    Database(#[from] SettingsError),
    /// The system has no threads for sessions.
    #[error("cannot start the threads that serve sessions: {0}")]
    Threads(#[source] io::Error),
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

/// A server at work. [`stop`](Self::stop) ends it in order; dropping it breaks its sessions off.
#[derive(Debug)]
pub struct Daemon {
    shared: Arc<Shared>,
    crew: Crew,
    open: Vec<Opened>,
    handed: Handed,
    granted: Option<Grant>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug)]
struct Shared {
    loaded: RwLock<Arc<Loaded>>,
    places: Arc<Semaphore>,
    mail_places: Arc<Semaphore>,
    /// For those who watch by HTTP.
    watch_places: Arc<Semaphore>,
    /// For the operator's commands: those who watch need no leave, and could take all.
    admin_places: Arc<Semaphore>,
    /// For those who are turned away.
    leaving: Semaphore,
    guard: Guard,
    watch: Arc<Watch>,
    next_id: AtomicU64,
}

/// What a configuration and its files have come to; a reload puts another in its place.
struct Loaded {
    house: Doghouse,
    /// Of the listeners with TLS.
    tls: HashMap<Endpoint, TlsAcceptor>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("house", &self.house).finish_non_exhaustive()
    }
}

/// A gate at work.
#[derive(Debug)]
struct Opened {
    gate: Gate,
    /// As it turned out.
    endpoint: Endpoint,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    /// Of a socket in the file system; it goes with this.
    _file: Option<SocketFile>,
}

impl Opened {
    fn close(&self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Daemon {
    /// Loads the accounts of a configuration and serves behind its doors. `granted` is what a sandbox lets the
    /// process use, if it is in one. It has to be called within a runtime of tokio, on which the server then runs.
    pub fn start(config: Config, doors: Doors, granted: Option<Grant>) -> Result<Self, StartError> {
        let Doors { bound, handed } = doors;
        let (sessions, mail_sessions) = (config.limits.sessions, config.limits.mail_sessions);
        let takes_mail = !config.smtp.is_empty() || !config.lmtp.is_empty();
        let reserved = if takes_mail { mail_sessions } else { 0 };
        let loaded = load(config)?;
        let shared = Arc::new(Shared {
            loaded: RwLock::new(Arc::new(loaded)),
            places: Arc::new(Semaphore::new(affordable(sessions, reserved))),
            mail_places: Arc::new(Semaphore::new(mail_sessions.min(Semaphore::MAX_PERMITS))),
            watch_places: Arc::new(Semaphore::new(WATCHERS)),
            admin_places: Arc::new(Semaphore::new(COMMANDS)),
            leaving: Semaphore::new(LEAVING),
            guard: Guard::default(),
            watch: Arc::default(),
            next_id: AtomicU64::new(1),
        });
        tokio::spawn(keep_last_use(Arc::clone(&shared)));
        tokio::spawn(keep_asking(Arc::clone(&shared)));
        let phase = watch::Sender::new(Phase::Open);
        let crew = Crew::hire().map_err(StartError::Threads)?;
        let mut daemon = Self { shared, crew, open: Vec::new(), handed, granted, phase };
        daemon.open_doors(bound)?;
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

    /// Takes another configuration for the sessions to come; those at work go on as they began. Where this
    /// fails, everything stays as it was. The numbers of sessions at once are the one thing that only a restart
    /// changes.
    pub fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let outcome = self.take_anew(config);
        self.shared.watch.metrics().reloaded(outcome.is_ok());
        outcome
    }

    fn take_anew(&mut self, config: Config) -> Result<(), StartError> {
        let wanted = gates(&config);
        let is_open = |gate: &Gate| self.open.iter().any(|opened| opened.gate == *gate);
        let is_granted =
            |wanted: &Grant| match self.granted.as_ref().and_then(|granted| granted.lacks(wanted)) {
                Some(place) => Err(StartError::Sandbox(place)),
                None => Ok(()),
            };
        // Before its files are read: else one that cannot be reached would look like one that is not readable.
        is_granted(&Grant::of_configuration(&config))?;
        let loaded = load(config)?;
        is_granted(&Grant::of(loaded.house.config(), loaded.house.accounts()))?;
        let bound = listen(wanted.iter().filter(|gate| !is_open(gate)).cloned().collect(), &self.handed)?;
        self.open.retain(|opened| {
            let stays = wanted.contains(&opened.gate);
            if !stays {
                info!(address = %opened.endpoint, "no longer listening");
                opened.close();
            }
            stays
        });
        self.shared.replace(loaded);
        self.open_doors(bound)
    }

    /// How long sessions may go on when the server is told to stop.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.shared.loaded().house.config().limits.shutdown
    }

    /// Accepts no more sessions, lets those that have logged in finish within the configured time, and then
    /// ends the rest; they delete nothing.
    pub async fn stop(self) {
        self.shared.watch.close();
        let patience = self.patience();
        for opened in self.open {
            opened.close();
            for task in opened.tasks {
                // The socket is closed once all have ended.
                let _ = task.await;
            }
        }
        self.phase.send_replace(Phase::draining());
        if timeout(patience, self.phase.closed()).await.is_err() {
            warn!(sessions = self.phase.receiver_count(), "time is up for the sessions that are left");
            self.phase.send_replace(Phase::Closing);
            self.phase.closed().await;
        }
        write_last_use(&self.shared, &mut false).await;
    }

    fn open_doors(&mut self, bound: Vec<(Gate, Bound)>) -> Result<(), StartError> {
        for (gate, bound) in bound {
            let fail =
                |source| StartError::Listen { endpoint: gate.endpoint.clone(), key: gate.key(), source };
            let endpoint = bound.endpoint(&gate.endpoint).map_err(fail)?;
            // Where much is to be done the crew does it, and each of it at the same door.
            let runtimes = match gate.service {
                Service::Pop2 => self.crew.runtimes(),
                Service::Mail(_) | Service::Metrics | Service::Admin => vec![Handle::current()],
            };
            let mut tasks = Vec::with_capacity(runtimes.len());
            for runtime in runtimes {
                let socket = bound.serve(&runtime).map_err(fail)?;
                let answer =
                    answer_the_door(socket, gate.clone(), Arc::clone(&self.shared), self.phase.subscribe());
                tasks.push(runtime.spawn(answer));
            }
            info!(address = %endpoint, protocol = gate.protocol(), "listening");
            self.open.push(Opened { gate, endpoint, tasks, _file: bound.file() });
        }
        Ok(())
    }
}

impl Shared {
    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number for the next session.
    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn replace(&self, loaded: Loaded) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }
}

/// Asks the database now and then whether it is there, for those who want to know whether this server is of use.
async fn keep_asking(shared: Arc<Shared>) {
    loop {
        let database = shared.loaded().house.config().database.clone();
        let trouble = match database {
            Some(database) => database.answers(ASKING).await.err().map(|error| error.to_string()),
            None => None,
        };
        shared.watch.note_trouble(trouble);
        sleep(ASKING).await;
    }
}

/// Writes down now and then when devices were used last.
async fn keep_last_use(shared: Arc<Shared>) {
    let mut told = false;
    loop {
        sleep(NOTES).await;
        write_last_use(&shared, &mut told).await;
    }
}

/// Writes down when devices were used last; a fault is told once.
async fn write_last_use(shared: &Arc<Shared>, told: &mut bool) {
    let loaded = shared.loaded();
    let config = loaded.house.config();
    let (place, written) = match &config.accounts {
        AccountsIn::Files => {
            let (file, shared) = (config.last_use_file.clone(), Arc::clone(shared));
            let written = tokio::task::spawn_blocking(move || shared.guard.last_use.write(&file)).await;
            let written = written.unwrap_or(Ok(())).map_err(|error| error.to_string());
            (config.last_use_file.display().to_string(), written)
        }
        AccountsIn::Database(database) => {
            let written = shared.guard.last_use.write_to(database).await;
            ("the database".to_owned(), written.map_err(|error| error.to_string()))
        }
    };
    if let Err(error) = written
        && !std::mem::replace(told, true)
    {
        warn!(file = %place, %error, "cannot write down when devices were used last");
    }
}

/// Reads the files that a configuration names.
fn load(config: Config) -> Result<Loaded, StartError> {
    let accounts = house::accounts(&config)?;
    for warning in accounts.warnings() {
        warn!(file = %config.passwd_file.display(), %warning, "an account is locked");
    }
    let recipients = house::recipients(&config)?;
    if let Some(database) = &config.database {
        database.open()?;
    }
    let mut tls = HashMap::new();
    for listener in &config.listeners {
        if let Some(pair) = &listener.tls {
            tls.insert(listener.endpoint.clone(), acceptor(pair)?);
        }
    }
    Ok(Loaded { house: Doghouse::new(config, accounts, recipients), tls })
}

/// The number of sessions that the limit of open files has room for beside `others`, after raising it as far as it
/// goes. So there is always a descriptor to accept one with that is turned away.
fn affordable(wanted: usize, others: usize) -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let mut raised = limit;
    raised.current = raised.maximum;
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    let room = limit.current.map_or(usize::MAX, |files| {
        let spare = SPARE + others as u64 * DESCRIPTORS;
        usize::try_from(files.saturating_sub(spare) / DESCRIPTORS).unwrap_or(usize::MAX).max(1)
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
