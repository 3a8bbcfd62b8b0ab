//! The servers: PostgreSQL that waits for the disk, an object store, and ours.

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use testing::{Options, Postgres, S3};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    postgres: Postgres,
    s3: S3,
    connect: String,
    bucket: String,
    accounts: usize,
}

/// A server of ours; it ends when this is dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) pop2: SocketAddr,
    pub(crate) lmtp: SocketAddr,
    _folder: TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(Path::new("")).join("doghouse"))
}

fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

impl Site {
    pub(crate) fn start(accounts: usize) -> Result<Self, Box<dyn Error>> {
        // As it is where mail counts.
        let postgres = Postgres::with(&Options { fsync: true, ..Options::default() });
        let s3 = S3::start();
        let (connect, bucket) = (postgres.database(), s3.bucket());
        let site = Self { postgres, s3, connect, bucket, accounts };
        let folder = site.folder("postgres:{user}", free()?, free()?)?;
        let migrated = Command::new(program()?)
            .args(["store", "migrate", "--config"])
            .arg(folder.path().join("doghouse.toml"))
            .output()?;
        if !migrated.status.success() {
            return Err(String::from_utf8_lossy(&migrated.stderr).into());
        }
        Ok(site)
    }

    /// A server over the database.
    pub(crate) fn node(&self) -> Result<Node, Box<dyn Error>> {
        self.serve("postgres:{user}")
    }

    /// A server over Maildirs of its own.
    pub(crate) fn maildir_node(&self) -> Result<Node, Box<dyn Error>> {
        self.serve("maildir:mail/{user}")
    }

    fn folder(&self, place: &str, pop2: SocketAddr, lmtp: SocketAddr) -> Result<TempDir, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("doghouse-bench-").tempdir()?;
        let Self { connect, bucket, .. } = self;
        let endpoint = self.s3.endpoint();
        let config = format!(
            "[database]\nconnect = \"{connect}\"\nobjects = \"s3://{bucket}\"\n\
             [database.s3]\nendpoint = \"{endpoint}\"\naccess_key = \"doghouse\"\nsecret_key_file = \"key\"\n\
             [mail]\ndefault = [\"{place}\"]\n\
             [limits]\nsessions_per_address = 1000\nmail_sessions_per_address = 1000\nsessions_per_account = 1000\n\
             [log]\nlevel = \"warn,doghouse::daemon=info\"\n\
             [[listener]]\naddress = \"{pop2}\"\n[[lmtp]]\naddress = \"{lmtp}\"\n"
        );
        fs::write(folder.path().join("doghouse.toml"), config)?;
        fs::write(folder.path().join("key"), "doghouse\n")?;
        let users = (0..self.accounts).map(|user| format!("u{user}:{{PLAIN}}bone\n"));
        let users: String = users.chain(["big:{PLAIN}bone\nwarm:{PLAIN}bone\n".to_owned()]).collect();
        fs::write(folder.path().join("users"), users)?;
        Ok(folder)
    }

    fn serve(&self, place: &str) -> Result<Node, Box<dyn Error>> {
        let (pop2, lmtp) = (free()?, free()?);
        let folder = self.folder(place, pop2, lmtp)?;
        let mut child = Command::new(program()?)
            .args(["serve", "--config"])
            .arg(folder.path().join("doghouse.toml"))
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take();
        std::thread::spawn(move || {
            for line in log.into_iter().flat_map(|log| BufReader::new(log).lines()).map_while(Result::ok) {
                if line.contains("ERROR") {
                    eprintln!("{line}");
                }
            }
        });
        let node = Node { child, pop2, lmtp, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(lmtp).is_err() || TcpStream::connect(pop2).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err("a server does not start".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(node)
    }

    /// Gives the account `big` so many messages, and no more.
    pub(crate) fn make_mailbox(&self, size: usize) {
        let sql = format!(
            "INSERT INTO postbox (owner) VALUES ('big') ON CONFLICT DO NOTHING;
             INSERT INTO folder (postbox, name) SELECT id, 'INBOX' FROM postbox WHERE owner = 'big' ON CONFLICT DO NOTHING;
             DELETE FROM message WHERE folder = (SELECT folder.id FROM folder JOIN postbox ON postbox.id = postbox WHERE owner = 'big');
             DELETE FROM body WHERE folder = (SELECT folder.id FROM folder JOIN postbox ON postbox.id = postbox WHERE owner = 'big');
             INSERT INTO message (folder, id, size, wire, digest)
                 SELECT folder.id, folder.newest + n, 5, 6, '\\x00' FROM folder JOIN postbox ON postbox.id = postbox,
                 generate_series(1, {size}) n WHERE owner = 'big';
             INSERT INTO body (folder, id, octets)
                 SELECT folder.id, folder.newest + n, '\\x776f6f660a'::bytea FROM folder JOIN postbox ON postbox.id = postbox,
                 generate_series(1, {size}) n WHERE owner = 'big';
             UPDATE folder SET messages = {size}, newest = newest + {size}, removals = removals + 1
                 WHERE postbox = (SELECT id FROM postbox WHERE owner = 'big');
             UPDATE postbox SET messages = {size}, octets = {size} * 5 WHERE owner = 'big';"
        );
        self.postgres.sql(&self.connect, &sql);
        self.postgres.sql(&self.connect, "VACUUM ANALYZE message");
    }
}
