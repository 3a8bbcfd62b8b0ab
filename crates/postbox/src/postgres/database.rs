//! A database and the object store beside it, as one process uses them.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use tokio_postgres::{
    SimpleQueryMessage,
    config::{Host, TargetSessionAttrs},
};

use super::{Connection, Objects, Postgres, Settings, SettingsError, listing::Kept, settings::secret, tls};
use crate::{Error, error::Remote};

/// The first pause before something is tried again, and the longest.
const BREATHER: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Mail of many accounts in a database. A clone is the same one, with the same connections.
#[derive(Debug, Clone)]
pub struct Database(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    open: OnceLock<Open>,
    /// Held while it is opened.
    opening: Mutex<()>,
    learnt: Arc<Learnt>,
    /// Set once the object store has proved to be this database's.
    ownership: OnceCell<()>,
}

/// What is known of the server that answers, until another may do so.
#[derive(Debug, Default)]
struct Learnt {
    kept: Kept,
    floor: AtomicI64,
}

/// What there is once files were read.
#[derive(Debug)]
struct Open {
    pool: Pool,
    place: Arc<str>,
    objects: Objects,
}

impl Database {
    /// A database, which is opened when it is needed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings,
            open: OnceLock::new(),
            opening: Mutex::default(),
            learnt: Arc::default(),
            ownership: OnceCell::new(),
        }))
    }

    /// Reads the files that the settings name, and makes no connection yet. Whoever wants to know early whether they are
    /// in order calls this.
    pub fn open(&self) -> Result<(), SettingsError> {
        self.opened().map(drop)
    }

    fn opened(&self) -> Result<&Open, SettingsError> {
        if let Some(open) = self.0.open.get() {
            return Ok(open);
        }
        let _turn = self.0.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = self.0.open.get() {
            return Ok(open);
        }
        let open = Open::new(&self.0.settings, &self.0.learnt)?;
        Ok(self.0.open.get_or_init(|| open))
    }

    fn ready(&self) -> Result<&Open, Error> {
        self.opened().map_err(|error| Error::Remote {
            action: "open",
            place: "the database".to_owned(),
            cause: error.into(),
        })
    }

    /// The mail of one account; there need not be any.
    #[must_use]
    pub fn postbox(&self, owner: &str) -> Postgres {
        Postgres::new(self.clone(), owner)
    }

    /// Where it is, without a password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.0.open.get().map_or("the database", |open| &open.place)
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Where large messages are.
    pub fn objects(&self) -> Result<&Objects, Error> {
        self.ready().map(|open| &open.objects)
    }

    /// A connection of its own, until it is dropped.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let fail = |error: PoolError| match error {
            PoolError::Backend(error) => self.failed("connect", Remote(error)),
            PoolError::PostCreateHook(HookError::Backend(error)) => self.failed("connect", Remote(error)),
            PoolError::Timeout(TimeoutType::Wait) => {
                self.failed("get a connection", "all are in use; raise database.connections")
            }
            PoolError::Timeout(_) => self.failed("connect", "it does not answer"),
            error => self.failed("connect", error),
        };
        let open = self.ready()?;
        let client = open.pool.get().await.map_err(fail)?;
        Ok(Connection::new(client, Arc::clone(&open.place), self.0.settings.patience))
    }

    /// Whether it answers, within a time, and has mail's tables.
    pub async fn answers(&self, within: Duration) -> Result<(), Error> {
        let asked = async {
            let connection = self.connection().await?;
            connection.rows("ask", "SELECT id FROM postbox LIMIT 1", &[]).await.map(drop)
        };
        let answer = tokio::time::timeout(within, asked).await;
        answer.unwrap_or_else(|_elapsed| Err(self.failed("ask", "it does not answer")))
    }

    /// Does what may be done twice, again where it failed for a cause that may pass.
    pub async fn persist<T, F>(&self, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (until, mut pause) = (Instant::now() + self.0.settings.persistence, BREATHER);
        loop {
            match work().await {
                Err(error) if error.may_pass() && Instant::now() + pause < until => {
                    tracing::debug!(%error, "tried again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) fn inline(&self) -> usize {
        self.0.settings.inline
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.0.learnt.kept
    }

    /// The least id that a message may get now: the time, in microseconds since 1970, at which the newest connection was
    /// made, by the database's clock. A server that takes over may not know of the last ids that were given out; all of
    /// them are below this.
    pub(super) fn floor(&self) -> i64 {
        self.0.learnt.floor.load(SeqCst)
    }

    /// Set once the object store has proved to be this database's.
    pub(super) fn ownership(&self) -> &OnceCell<()> {
        &self.0.ownership
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Remote { action, place: self.place().to_owned(), cause: cause.into() }
    }
}

impl Open {
    fn new(settings: &Settings, learnt: &Arc<Learnt>) -> Result<Self, SettingsError> {
        let (patience, connect_patience) = (settings.patience, settings.connect_patience);
        let mut config = settings.parsed()?;
        if let Some(path) = &settings.password_file {
            config.password(secret(path)?.expose());
        }
        if config.get_application_name().is_none() {
            config.application_name("doghouse");
        }
        // A stand-by server has old mail and takes none.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(connect_patience).tcp_user_timeout(patience);
        // The system counts them in seconds, and takes none that is 0.
        let interval = (patience / 3).max(Duration::from_secs(1));
        config.keepalives_idle(patience).keepalives_interval(interval).keepalives_retries(3);
        tls::require(&mut config);
        let place = place(&config);
        let manager = Manager::from_config(
            config,
            tls::connector(settings.ca_file.as_deref())?,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let timeouts = Timeouts {
            wait: Some(patience),
            create: Some(connect_patience + patience),
            recycle: Some(patience),
        };
        let (begin, learnt) = (format!("{}; {CLOCK}", limits(patience)), Arc::clone(learnt));
        let begin = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            let (begin, learnt) = (begin.clone(), Arc::clone(&learnt));
            Box::pin(async move {
                let answers = client.simple_query(&begin).await.map_err(HookError::Backend)?;
                learnt.begin_anew(&answers)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(settings.connections.max(1))
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(begin)
            .build()
            .map_err(|error| SettingsError::Connect(error.to_string()))?;
        Ok(Self { pool, place: place.into(), objects: Objects::open(&settings.objects, patience)? })
    }
}

/// The database's clock, in microseconds since 1970.
const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

impl Learnt {
    /// A connection was made, perhaps to another server than the last, and one that knows less.
    fn begin_anew(&self, answers: &[SimpleQueryMessage]) -> Result<(), HookError> {
        let clock = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        let clock = clock.ok_or_else(|| HookError::message("it does not tell the time"))?;
        self.floor.fetch_max(clock, SeqCst);
        self.kept.clear();
        Ok(())
    }
}

/// Whatever this process may forget, the database does not wait for: a paused one must not hold up the others, nor
/// finish tomorrow what it began today.
fn limits(patience: Duration) -> String {
    let most = patience.as_millis().max(1);
    format!(
        "SET statement_timeout = {most}; SET lock_timeout = {most}; SET idle_in_transaction_session_timeout = {most}"
    )
}

fn place(config: &tokio_postgres::Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts: Vec<String> = hosts.collect();
    format!("the database {} at {}", config.get_dbname().unwrap_or_default(), hosts.join(", "))
}
