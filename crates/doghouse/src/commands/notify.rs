//! What systemd is told of the server (`sd_notify(3)`).

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use sd_notify::NotifyState;
use tracing::warn;

/// Tells systemd, where it wants to know.
pub(super) fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = send(states) {
        warn!(%error, "cannot tell systemd how the server is");
    }
}

// `sd_notify::notify` would connect, which the sandbox lets nothing do.
fn send(states: &[NotifyState<'_>]) -> io::Result<()> {
    let Some(place) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let states: Vec<String> = states.iter().map(ToString::to_string).collect();
    let message = states.join("\n");
    let socket = UnixDatagram::unbound()?;
    match place.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.send_to_addr(message.as_bytes(), &SocketAddr::from_abstract_name(name)?)?,
        None => socket.send_to(message.as_bytes(), place)?,
    };
    Ok(())
}
