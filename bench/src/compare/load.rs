//! Clients: many on few threads, each with a session after the other, every octet of every message looked at.

use std::{
    io::{self, Read, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use crate::{
    talk::{Account, Dialogue, Letter, Letters, Pace, Protocol, Task, Work, Wrong},
    tls,
};

/// How long a session may take. What takes longer is an error, and not a figure.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a client reads at once.
const PIECE: usize = 64 * 1024;

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) door: SocketAddr,
    /// With it, the door is one where TLS is spoken from the first octet on.
    pub(crate) tls: Option<TlsConnector>,
}

/// What all the clients do.
#[derive(Clone)]
pub(crate) enum Job {
    /// Sessions, account after account.
    Sessions { accounts: Arc<Vec<Arc<Account>>>, work: Work, pace: Pace },
    /// Deliveries, so many messages a connection, account after account.
    Deliver { accounts: usize, letters: Arc<Vec<Arc<Letter>>>, a_connection: usize },
}

/// When it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// At that time; what has not come by then is not counted.
    Passed(Duration),
    /// When there were so many sessions.
    Sessions(usize),
}

/// What was done in the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) sessions: u64,
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    pub(crate) elapsed: Duration,
    /// Of the server, meanwhile.
    pub(crate) cpu: Duration,
}

impl Done {
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    pub(crate) fn a_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64()
    }

    /// The server's CPU seconds for each of so many.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    pub(crate) fn cpu_each(&self, count: u64) -> f64 {
        self.cpu.as_secs_f64() / count.max(1) as f64
    }
}

#[derive(Default)]
struct Counts {
    next: AtomicUsize,
    sessions: AtomicU64,
    messages: AtomicU64,
    octets: AtomicU64,
}

struct Run {
    target: Target,
    job: Job,
    until: Until,
    deadline: Option<Instant>,
    counts: Counts,
}

impl Run {
    /// The next session, or that there is none.
    fn next(&self) -> Option<Dialogue> {
        let number = self.counts.next.fetch_add(1, Ordering::Relaxed);
        match self.until {
            Until::Sessions(all) if number >= all => return None,
            Until::Passed(_) if self.late() => return None,
            _ => {}
        }
        match &self.job {
            Job::Sessions { accounts, work, pace } => {
                let account = accounts.get(number % accounts.len().max(1))?.clone();
                let task = Task { account, work: *work, pace: *pace };
                Some(Dialogue::new(self.target.protocol, task))
            }
            Job::Deliver { accounts, letters, a_connection } => {
                let begin = number * a_connection;
                let of = |at: usize| letters.get(at % letters.len().max(1)).cloned();
                let some = (begin..begin + a_connection).filter_map(of).collect();
                let user = crate::corpus::Corpus::user(number % accounts.max(&1));
                Some(Dialogue::Letters(Letters::new(user, some)))
            }
        }
    }

    fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn count(&self, dialogue: &mut Dialogue) {
        let tally = dialogue.tally();
        if tally.messages > 0 && !self.late() {
            self.counts.messages.fetch_add(tally.messages, Ordering::Relaxed);
            self.counts.octets.fetch_add(tally.octets, Ordering::Relaxed);
        }
    }

    fn count_session(&self) {
        if !self.late() {
            self.counts.sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One client of many on this thread.
    async fn client(self: Arc<Self>) -> Result<(), Wrong> {
        let mut buffer = vec![0; PIECE];
        while let Some(mut dialogue) = self.next() {
            let session = async {
                let stream = connect(self.target.door).await?;
                match &self.target.tls {
                    None => self.session(stream, &mut dialogue, &mut buffer).await,
                    Some(connector) => {
                        let stream = connector.connect(server_name()?, stream).await?;
                        self.session(stream, &mut dialogue, &mut buffer).await
                    }
                }
            };
            tokio::time::timeout(PATIENCE, session)
                .await
                .unwrap_or(Err(Wrong::Silent(PATIENCE.as_secs())))?;
            self.count_session();
        }
        Ok(())
    }

    async fn session(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        dialogue: &mut Dialogue,
        buffer: &mut [u8],
    ) -> Result<(), Wrong> {
        let mut out = Vec::new();
        dialogue.open(&mut out);
        loop {
            if !out.is_empty() {
                stream.write_all(&out).await?;
                stream.flush().await?;
                out.clear();
            }
            if dialogue.done() {
                break;
            }
            let got = stream.read(buffer).await?;
            if got == 0 {
                return Err(Wrong::Closed);
            }
            dialogue.take(buffer.get(..got).unwrap_or_default(), &mut out)?;
            self.count(dialogue);
        }
        // The server closes first, as it does with a client that waits for it.
        let _ = stream.read(buffer).await;
        Ok(())
    }

    /// A client that has its thread for itself.
    fn client_alone(&self) -> Result<(), Wrong> {
        let mut buffer = vec![0; PIECE];
        while let Some(mut dialogue) = self.next() {
            let mut stream = TcpStream::connect(self.target.door)?;
            let mut out = Vec::new();
            dialogue.open(&mut out);
            talk(&mut stream, &mut dialogue, &mut out, &mut buffer, |dialogue| self.count(dialogue))?;
            self.count_session();
        }
        Ok(())
    }
}

/// One session over a stream that waits.
fn talk(
    stream: &mut TcpStream,
    dialogue: &mut Dialogue,
    out: &mut Vec<u8>,
    buffer: &mut [u8],
    mut count: impl FnMut(&mut Dialogue),
) -> Result<(), Wrong> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    loop {
        if !out.is_empty() {
            stream.write_all(out)?;
            out.clear();
        }
        if dialogue.done() {
            break;
        }
        let got = stream.read(buffer)?;
        if got == 0 {
            return Err(Wrong::Closed);
        }
        dialogue.take(buffer.get(..got).unwrap_or_default(), out)?;
        count(dialogue);
    }
    let _ = stream.read(buffer);
    Ok(())
}

async fn connect(door: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(door).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn server_name() -> io::Result<ServerName<'static>> {
    ServerName::try_from(tls::NAME).map_err(io::Error::other)
}

/// Lets so many clients work. `cpu` tells the server's CPU time so far.
pub(crate) fn run(
    target: &Target,
    job: Job,
    clients: usize,
    threads: usize,
    until: Until,
    cpu: impl Fn() -> Duration,
) -> Result<Done, Wrong> {
    let spent = cpu();
    let begun = Instant::now();
    let deadline = match until {
        Until::Passed(time) => Some(begun + time),
        Until::Sessions(_) => None,
    };
    let run = Arc::new(Run { target: target.clone(), job, until, deadline, counts: Counts::default() });
    let (outcome, elapsed, spent) = std::thread::scope(|scope| {
        let workers: Vec<_> = if clients == 1 && target.tls.is_none() {
            let run = run.clone();
            vec![scope.spawn(move || run.client_alone())]
        } else {
            let threads = threads.clamp(1, clients);
            (0..threads)
                .map(|thread| {
                    let run = run.clone();
                    let mine = clients / threads + usize::from(thread < clients % threads);
                    scope.spawn(move || on_one_thread(&run, mine))
                })
                .collect()
        };
        if let Until::Passed(time) = until {
            // Where somebody fails early, nobody waits for the rest of the time.
            while begun.elapsed() < time && !workers.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                std::thread::sleep(time.saturating_sub(begun.elapsed()).min(Duration::from_millis(20)));
            }
            let spent = cpu().saturating_sub(spent);
            (join(workers), time, spent)
        } else {
            let outcome = join(workers);
            let elapsed = begun.elapsed();
            (outcome, elapsed, cpu().saturating_sub(spent))
        }
    });
    outcome?;
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Ok(Done {
        sessions: read(&run.counts.sessions),
        messages: read(&run.counts.messages),
        octets: read(&run.counts.octets),
        elapsed,
        cpu: spent,
    })
}

fn join(workers: Vec<std::thread::ScopedJoinHandle<'_, Result<(), Wrong>>>) -> Result<(), Wrong> {
    let fell = || Err(Wrong::Io(io::Error::other("a thread of clients fell")));
    workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| fell())).fold(Ok(()), Result::and)
}

fn on_one_thread(run: &Arc<Run>, clients: usize) -> Result<(), Wrong> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let all: Vec<_> = (0..clients).map(|_| tokio::spawn(run.clone().client())).collect();
        for client in all {
            client.await.map_err(io::Error::other)??;
        }
        Ok(())
    })
}

/// How long each of a row of sessions takes, one after the other by one client.
pub(crate) fn time_sessions(
    target: &Target,
    accounts: &[Arc<Account>],
    most: usize,
    time: Duration,
) -> Result<Vec<Duration>, Wrong> {
    let mut buffer = vec![0; PIECE];
    let begun = Instant::now();
    let mut all = Vec::new();
    for account in accounts.iter().cycle().take(most) {
        if begun.elapsed() >= time {
            break;
        }
        let task = Task { account: account.clone(), work: Work::Count, pace: Pace::Lockstep };
        let mut dialogue = Dialogue::new(target.protocol, task);
        let start = Instant::now();
        let mut stream = TcpStream::connect(target.door)?;
        talk(&mut stream, &mut dialogue, &mut Vec::new(), &mut buffer, |_| {})?;
        all.push(start.elapsed());
    }
    Ok(all)
}

/// How long it takes from the login to the count: the greeting is waited for before the clock starts.
pub(crate) fn time_select(target: &Target, account: &Arc<Account>) -> Result<Duration, Wrong> {
    let mut stream = TcpStream::connect(target.door)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let task = Task { account: account.clone(), work: Work::Hold, pace: Pace::Lockstep };
    let mut dialogue = Dialogue::new(target.protocol, task);
    let (mut buffer, mut out) = (vec![0; PIECE], Vec::new());
    while out.is_empty() {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Err(Wrong::Closed);
        }
        dialogue.take(buffer.get(..got).unwrap_or_default(), &mut out)?;
    }
    let begun = Instant::now();
    while !dialogue.done() {
        stream.write_all(&out)?;
        out.clear();
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Err(Wrong::Closed);
        }
        dialogue.take(buffer.get(..got).unwrap_or_default(), &mut out)?;
    }
    let took = begun.elapsed();
    stream.write_all(b"QUIT\r\n")?;
    // The server is done with the mailbox when it has closed.
    while stream.read(&mut buffer)? > 0 {}
    Ok(took)
}

/// Opens sessions that log in and stay, and asks at each of the numbers of them what `measure` says.
pub(crate) fn hold(
    target: &Target,
    accounts: &[Arc<Account>],
    steps: &[usize],
    mut measure: impl FnMut(usize) -> io::Result<()>,
) -> Result<(), Wrong> {
    /// Logins at once.
    const AT_ONCE: usize = 32;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut held = Vec::new();
        for step in steps {
            while held.len() < *step {
                let some = AT_ONCE.min(step - held.len());
                let tasks: Vec<_> = (0..some)
                    .filter_map(|at| accounts.get((held.len() + at) % accounts.len().max(1)).cloned())
                    .map(|account| tokio::spawn(log_in(target.clone(), account)))
                    .collect();
                for task in tasks {
                    held.push(task.await.map_err(io::Error::other)??);
                }
            }
            // What has come to rest is measured.
            tokio::time::sleep(Duration::from_millis(500)).await;
            measure(*step)?;
        }
        Ok(())
    })
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn log_in(target: Target, account: Arc<Account>) -> Result<Box<dyn Stream>, Wrong> {
    let task = Task { account, work: Work::Hold, pace: Pace::Lockstep };
    let mut dialogue = Dialogue::new(target.protocol, task);
    let session = async {
        let stream = connect(target.door).await?;
        let mut stream: Box<dyn Stream> = match &target.tls {
            None => Box::new(stream),
            Some(connector) => Box::new(connector.connect(server_name()?, stream).await?),
        };
        let (mut buffer, mut out) = (vec![0; 4096], Vec::new());
        while !dialogue.done() {
            let got = stream.read(&mut buffer).await?;
            if got == 0 {
                return Err(Wrong::Closed);
            }
            dialogue.take(buffer.get(..got).unwrap_or_default(), &mut out)?;
            stream.write_all(&out).await?;
            stream.flush().await?;
            out.clear();
        }
        Ok(stream)
    };
    tokio::time::timeout(PATIENCE, session).await.unwrap_or(Err(Wrong::Silent(PATIENCE.as_secs())))
}
