//! `PostgreSQL`.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{MetadataExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    programs,
    supervised::{Supervised, without_postgres_settings},
};

/// The port where it is only in the socket's name.
const PORT: u16 = 5432;

/// A private `PostgreSQL` in a temporary folder, with the superuser `doghouse`.
///
/// Where this process is root, the server runs as `nobody`.
#[derive(Debug)]
pub struct Postgres {
    supervised: Supervised,
    psql: PathBuf,
    port: u16,
    password: Option<String>,
    databases: AtomicU64,
}

/// What a [`Postgres`] may be told; by default it trusts everybody, listens at a socket in its folder, and does not
/// wait for the disk.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether what is committed is on the disk (`fsync`).
    pub fsync: bool,
    /// Whether it listens on 127.0.0.1 as well, at a free port.
    pub tcp: Option<Tcp>,
    /// Lines for the end of `postgresql.conf`, such as `max_connections = 20` where 200 are too many.
    pub settings: Vec<String>,
}

/// How a [`Postgres`] listens on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// The password of `doghouse`, which is asked for by SCRAM.
    pub password: String,
    /// Where given, nobody gets in without TLS.
    pub tls: Option<Tls>,
}

/// What a [`Postgres`] shows by TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, or a chain of them, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: String,
}

/// How a [`Postgres`] is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// Sessions are broken off and rolled back, and the rest is written to the disk.
    Fast,
    /// At once, as in a crash; the next start recovers.
    Immediate,
}

impl Postgres {
    /// A new one, of the default options.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    /// The one of this process, for tests that need only a database of their own; started when it is first asked for.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);
        &SHARED
    }

    /// A new one.
    #[must_use]
    pub fn with(options: &Options) -> Self {
        let bin = programs::postgres();
        if is_root() {
            programs::program("setpriv", "util-linux");
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let port = if options.tcp.is_some() { programs::free_port().port() } else { PORT };
            let supervised = Supervised::new(include_str!("postgres.sh"), &[bin.as_os_str()]);
            supervised.must("make");
            configure(supervised.folder(), port, options);
            match supervised.order("start") {
                Ok(()) => {
                    let password = options.tcp.as_ref().map(|tcp| tcp.password.clone());
                    let psql = bin.join("psql");
                    let made = Self { supervised, psql, port, password, databases: AtomicU64::new(1) };
                    if let Some(password) = &made.password {
                        let password = password.replace('\'', "''");
                        made.sql("postgres", &format!("ALTER ROLE doghouse PASSWORD '{password}'"));
                    }
                    return made;
                }
                // Somebody has taken the port meanwhile.
                Err(_) if tries < 5 && supervised.text("log").contains("Address already in use") => {}
                Err(said) => panic!("PostgreSQL does not start: {said}\n{}", supervised.text("log")),
            }
        }
    }

    /// A stand-by server, which follows this one. It has the same settings, and listens at a socket in its own folder.
    #[must_use]
    pub fn stand_by(&self) -> Self {
        let bin = programs::postgres();
        let supervised = Supervised::new(include_str!("postgres.sh"), &[bin.as_os_str()]);
        supervised.must(&format!("copy {} {}", self.folder().display(), self.port));
        let own = [
            format!("unix_socket_directories = '{}'", supervised.folder().display()),
            "listen_addresses = ''".to_owned(),
            "wal_retrieve_retry_interval = '100ms'".to_owned(),
        ];
        append(supervised.folder(), &own);
        supervised.must("start");
        Self {
            supervised,
            psql: bin.join("psql"),
            port: self.port,
            password: None,
            databases: AtomicU64::new(1),
        }
    }

    /// How to connect to a database of this one or, where that cannot be, of its stand-by server, which is asked first:
    /// `host=/tmp/doghouse-5e6f7a8b,/tmp/doghouse-1a2b3c4d user=doghouse dbname=test_7`.
    #[must_use]
    pub fn with_stand_by(&self, database: &str, stand_by: &Self) -> String {
        let host = |server: &Self| format!("host={}", server.folder().display());
        database.replace(&host(self), &format!("{},{}", host(stand_by), self.folder().display()))
    }

    /// From now on nothing is confirmed that the stand-by server does not have on its disk.
    pub fn commits_wait_for_stand_by(&self) {
        let sql = "ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()";
        self.sql("postgres", sql);
        let is_so = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        soon("the stand-by server is waited for", || self.sql("postgres", is_so) == "1");
        // Commits wait once the checkpointer has read the settings, which it does before this.
        self.sql("postgres", "CHECKPOINT");
    }

    /// Has a stand-by server lose touch with the one that it follows, and follow another or the same from then on.
    pub fn follow(&self, primary: Option<&Self>) {
        let from = primary.map_or_else(String::new, |primary| {
            format!("host={} port={} user=doghouse", primary.folder().display(), primary.port)
        });
        self.sql(
            "postgres",
            &format!("ALTER SYSTEM SET primary_conninfo = '{from}'; SELECT pg_reload_conf()"),
        );
        let receivers = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'";
        let wanted = if primary.is_some() { "1" } else { "0" };
        soon("the stand-by server does what it was told", || self.sql("postgres", receivers) == wanted);
    }

    /// Waits until a stand-by server has all that the one that it follows has committed so far.
    pub fn catch_up(&self, primary: &Self) {
        let end = primary.sql("postgres", "SELECT pg_current_wal_lsn()");
        let has_it = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'");
        soon("the stand-by server catches up", || self.sql("postgres", &has_it) == "t");
    }

    /// Has a stand-by server take over: from now on it is written to. The other one has to be stopped before.
    pub fn promote(&self) {
        assert_eq!(self.sql("postgres", "SELECT pg_promote()"), "t", "{}", self.log());
    }

    /// Makes an empty database, and says how to connect to it by the socket, in libpq's form:
    /// `host=/tmp/doghouse-1a2b3c4d user=doghouse dbname=test_7`.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.by_socket(&name)
    }

    /// How to connect by TCP to a database that [`database`](Self::database) has made: the same with the host
    /// `localhost`, its address, port and password. What of TLS is wanted is to be added, as `sslmode`.
    #[must_use]
    pub fn by_tcp(&self, database: &str) -> String {
        let password = self.password.as_ref().expect("it listens on 127.0.0.1");
        let password = password.replace('\\', r"\\").replace('\'', r"\'");
        let name = database.split_once("dbname=").map_or(database, |(_, name)| name);
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=doghouse password='{password}' dbname={name}",
            self.port
        )
    }

    /// Where it listens by TCP, if it does.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.password.is_some().then_some((Ipv4Addr::LOCALHOST, self.port).into())
    }

    /// The folder of its socket and its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.supervised.folder()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.supervised.text("log")
    }

    /// What `psql -At` prints for some SQL, without the last line end: rows are lines, columns are set apart by `|`.
    /// Panics with what psql says where a statement fails.
    ///
    /// The database is a name, or what [`database`](Self::database) or [`by_tcp`](Self::by_tcp) has returned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let database = if database.contains('=') { database.to_owned() } else { self.by_socket(database) };
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", &database]);
        without_postgres_settings(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql");
        let mut stdin = child.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            // psql may print while it reads. One that ends early has said why.
            scope.spawn(move || stdin.write_all(sql.as_bytes()));
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        let mut said = String::from_utf8(output.stdout).expect("UTF-8");
        said.truncate(said.trim_end_matches('\n').len());
        said
    }

    /// Stops it, and waits until it has ended.
    pub fn stop(&self, how: How) {
        self.supervised.must(match how {
            How::Fast => "stop fast",
            How::Immediate => "stop immediate",
        });
    }

    /// Starts it where it was stopped, with the same data at the same socket and port, and waits until it serves.
    pub fn start_again(&self) {
        let begun = Instant::now();
        while let Err(said) = self.supervised.order("start") {
            // The port may be lent to a connection of somebody else for a moment.
            let is_patient = self.password.is_some() && begun.elapsed() < Duration::from_secs(20);
            assert!(is_patient, "PostgreSQL does not start: {said}\n{}", self.log());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// [`stop`](Self::stop) and [`start_again`](Self::start_again).
    pub fn restart(&self, how: How) {
        self.stop(how);
        self.start_again();
    }

    /// Halts it with all its sessions, by signals: connections stay open, new ones are taken by the kernel, and
    /// nothing answers.
    pub fn pause(&self) {
        self.supervised.must("pause");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.supervised.must("resume");
    }

    fn by_socket(&self, name: &str) -> String {
        let port = if self.port == PORT { String::new() } else { format!("port={} ", self.port) };
        format!("host={} {port}user=doghouse dbname={name}", self.folder().display())
    }
}

/// Waits for what comes within a minute.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not come that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

/// Writes the settings of a cluster that is made and not started.
fn configure(folder: &Path, port: u16, options: &Options) {
    let data = folder.join("data");
    let on = |is: bool| if is { "on" } else { "off" };
    let mut settings = vec![
        format!("unix_socket_directories = '{}'", folder.display()),
        format!("listen_addresses = '{}'", if options.tcp.is_some() { "127.0.0.1" } else { "" }),
        format!("port = {port}"),
        format!("fsync = {}", on(options.fsync)),
        format!("full_page_writes = {}", on(options.fsync)),
        "max_connections = 200".to_owned(),
        // In its own folder, and so gone with it in any case.
        "dynamic_shared_memory_type = mmap".to_owned(),
        "password_encryption = 'scram-sha-256'".to_owned(),
        "log_line_prefix = '%m [%p] %d '".to_owned(),
    ];
    let mut hosts = "local all,replication all trust\n".to_owned();
    if let Some(tcp) = &options.tcp {
        let kind = if tcp.tls.is_some() { "hostssl" } else { "host" };
        hosts.extend([kind, " all all 127.0.0.1/32 scram-sha-256\n"]);
        if let Some(tls) = &tcp.tls {
            private(&data.join("server.crt"), &tls.certificate);
            private(&data.join("server.key"), &tls.key);
            settings.push("ssl = on".to_owned());
        }
    }
    settings.extend(options.settings.iter().cloned());
    fs::write(data.join("pg_hba.conf"), hosts).unwrap();
    append(folder, &settings);
}

/// Adds lines to the settings; of two of one name the later holds.
fn append(folder: &Path, settings: &[String]) {
    let path = folder.join("data/postgresql.conf");
    let text = fs::read_to_string(&path).unwrap() + &settings.join("\n") + "\n";
    fs::write(path, text).unwrap();
}

/// Writes a file that only the server may read.
fn private(path: &Path, text: &str) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    let folder = fs::metadata(path.parent().unwrap()).unwrap();
    chown(path, Some(folder.uid()), Some(folder.gid())).unwrap();
}
