//! `doghouse serve`

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::stop::Stop;
use crate::{
    config::Config,
    daemon::{Daemon, Handed, StartError},
    exit::{self, Failure, OrExit},
};

pub(super) async fn run(path: &Path, handed: Handed) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup()).or_exit(exit::OS)?;
    let mut stop = Stop::new().or_exit(exit::OS)?;
    let config = Config::load(path).or_exit(exit::CONFIG)?;
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), hostname = config.hostname, "starting");
    let mut daemon = Daemon::start(config, handed).map_err(|error| Failure::new(code(&error), error))?;
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(&mut daemon, path),
            () = stop.told() => break,
        }
    }
    info!("stopping; sessions at work may finish");
    tokio::select! {
        () = daemon.stop() => info!("stopped"),
        () = stop.told() => warn!("told twice; stopped at once"),
    }
    Ok(())
}

fn reload(daemon: &mut Daemon, path: &Path) {
    let outcome = match Config::load(path) {
        Ok(config) => daemon.reload(config).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => info!(config = %path.display(), "configuration and users read again"),
        Err(error) => error!(error, "the new configuration is refused; the old one stays in force"),
    }
}

fn code(error: &StartError) -> u8 {
    match error {
        StartError::Accounts { .. } | StartError::Aliases(_) | StartError::Tls(_) => exit::CONFIG,
        StartError::Listen { .. } => exit::UNAVAILABLE,
    }
}
