//! `doghouse serve`

use std::path::Path;

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use tracing::{error, info, warn};

use super::{notify::tell, stop::Stop};
use crate::{
    config::Config,
    daemon::{Daemon, Doors, Handed, StartError},
    exit::{self, Failure, OrExit},
    house, logging,
    sandbox::{self, Grant, Shut},
};

/// What is done before there is a second thread.
pub(super) struct Prepared {
    config: Config,
    doors: Doors,
    granted: Option<Grant>,
}

/// Opens what needs rights, and gives up all that are not needed from then on.
pub(super) fn prepare(path: &Path) -> Result<Prepared, Failure> {
    let handed = Handed::from_env().or_exit(exit::OS)?;
    let config = Config::load(path).or_exit(exit::CONFIG)?;
    logging::init(config.log.format, &config.log.level).map_err(|error| {
        let what = format!("cannot reach systemd's journal: {error}; choose another log.format");
        Failure::new(exit::UNAVAILABLE, what)
    })?;
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), hostname = config.hostname, "starting");
    // What is wrong with the users shows before anything is opened; they are read again by whoever serves.
    let accounts = house::accounts(&config).map_err(|error| failed(error.into()))?;
    let doors = Doors::open(&config, handed).map_err(failed)?;
    match &config.user {
        Some(user) => {
            let give = |user, group| doors.give_to(user, group);
            sandbox::become_user(user, give).or_exit(exit::OS)?;
        }
        None if rustix::process::geteuid().is_root() => {
            warn!("the server runs as root; set user in the configuration");
        }
        None => {}
    }
    let granted = config.sandbox.then(|| shut(Grant::of(&config, &accounts))).transpose()?;
    Ok(Prepared { config, doors, granted })
}

/// Shuts the process off from all that is not granted.
fn shut(grant: Grant) -> Result<Grant, Failure> {
    match sandbox::enter(&grant).or_exit(exit::OS)? {
        Shut::All => info!(%grant, "the sandbox is shut"),
        Shut::Part => warn!(%grant, "the sandbox is shut as far as this kernel can; a newer one can more"),
        Shut::CallsOnly => warn!("this kernel has no Landlock: only the system calls are limited"),
    }
    Ok(grant)
}

pub(super) async fn run(path: &Path, prepared: Prepared) -> Result<(), Failure> {
    let Prepared { config, doors, granted } = prepared;
    let mut hangup = signal(SignalKind::hangup()).or_exit(exit::OS)?;
    let mut stop = Stop::new().or_exit(exit::OS)?;
    let started = Daemon::start(config, doors, granted);
    let mut daemon = started.map_err(failed)?;
    tell(&[NotifyState::Ready]);
    let mut watchdog = sd_notify::watchdog_enabled().map(|patience| interval(patience / 2));
    loop {
        let barked = async {
            match &mut watchdog {
                Some(watchdog) => drop(watchdog.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup.recv() => reload(&mut daemon, path),
            () = barked => tell(&[NotifyState::Watchdog]),
            () = stop.told() => break,
        }
    }
    info!("stopping; sessions at work may finish");
    let patience = u32::try_from(daemon.patience().as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(patience.saturating_add(MARGIN))]);
    tokio::select! {
        () = daemon.stop() => info!("stopped"),
        () = stop.told() => warn!("told twice; stopped at once"),
    }
    Ok(())
}

/// What a stop may take beyond what sessions may, in microseconds.
const MARGIN: u32 = 5_000_000;

fn reload(daemon: &mut Daemon, path: &Path) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot tell systemd how the server is"),
    }
    let outcome = match Config::load(path) {
        Ok(config) => {
            let level = config.log.level.clone();
            let taken = daemon.reload(config).map_err(|error| error.to_string());
            taken.inspect(|()| logging::configured(&level))
        }
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => info!(config = %path.display(), "configuration and users read again"),
        Err(error) => error!(error, "the new configuration is refused; the old one stays in force"),
    }
    tell(&[NotifyState::Ready]);
}

fn failed(error: StartError) -> Failure {
    let code = match error {
        StartError::Accounts { .. }
        | StartError::Aliases(_)
        | StartError::Tls(_)
        | StartError::Database(_) => exit::CONFIG,
        StartError::Listen { .. } | StartError::Sandbox(_) | StartError::Threads(_) => exit::UNAVAILABLE,
    };
    Failure::new(code, error)
}
