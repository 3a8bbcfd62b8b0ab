//! `doghouse serve`

use std::path::Path;

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use tracing::{error, info, warn};

use super::stop::Stop;
use crate::{
    config::Config,
    daemon::{Daemon, Handed, StartError},
    exit::{self, Failure, OrExit},
    logging,
};

pub(super) async fn run(path: &Path, handed: Handed) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup()).or_exit(exit::OS)?;
    let mut stop = Stop::new().or_exit(exit::OS)?;
    let config = Config::load(path).or_exit(exit::CONFIG)?;
    logging::init(config.log.format, &config.log.level).map_err(|error| {
        let what = format!("cannot reach systemd's journal: {error}; choose another log.format");
        Failure::new(exit::UNAVAILABLE, what)
    })?;
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), hostname = config.hostname, "starting");
    let mut daemon = Daemon::start(config, handed).map_err(|error| Failure::new(code(&error), error))?;
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

/// Tells systemd, where it wants to know.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot tell systemd how the server is");
    }
}

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

fn code(error: &StartError) -> u8 {
    match error {
        StartError::Accounts { .. } | StartError::Aliases(_) | StartError::Tls(_) => exit::CONFIG,
        StartError::Listen { .. } => exit::UNAVAILABLE,
    }
}
