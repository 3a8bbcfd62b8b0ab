//! Connections are accepted, and each becomes a session.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pop2::{Reply, server::Settings};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout_at},
};
use tracing::{error, info, warn};

use super::{
    Shared,
    entry::{Entered, EntryError, enter, hide},
    gate::{Gate, Service},
    sockets::Socket,
};
use crate::{
    config::Endpoint,
    house::Door,
    peer::Peer,
    phase::{Phase, closing_to_strangers},
    session::Session,
    smtp::{self, machine::Protocol},
    stream::{Stream, take_leave},
    watch::{
        admin, http,
        metrics::{Fault, Hit},
    },
};

/// How long to wait where connections cannot be accepted, such as for want of file descriptors; and for those who are
/// turned away.
const BREATHER: Duration = Duration::from_millis(100);

/// Who has connected.
struct Client {
    session: u64,
    peer: Peer,
    opened: Instant,
}

/// Accepts connections until it is aborted; each becomes a task of its own.
pub(super) async fn answer_the_door(
    socket: Socket,
    gate: Gate,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) {
    loop {
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.watch.metrics().fault(Fault::Accept);
                error!(address = %gate.endpoint, %error, "cannot accept a connection");
                sleep(BREATHER).await;
                continue;
            }
        };
        let (shared, phase) = (Arc::clone(&shared), phase.clone());
        let client = Client { session: shared.id(), peer, opened: Instant::now() };
        match gate.service {
            Service::Pop2 => {
                let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
                    shared.watch.metrics().hit(Hit::Sessions);
                    warn!(rip = %peer, "too many sessions");
                    let loaded = shared.loaded();
                    if !loaded.tls.contains_key(&gate.endpoint) {
                        let line = refusal("too many sessions; try again later");
                        tokio::spawn(async move { shared.turn_away(stream, &line).await });
                    }
                    continue;
                };
                let endpoint = gate.endpoint.clone();
                tokio::spawn(async move { fetch(stream, client, &endpoint, &shared, phase, place).await });
            }
            Service::Mail(protocol) => take_in(stream, client, protocol, shared, phase),
            Service::Metrics => {
                let answer = http::answer(stream, Arc::clone(&shared.watch));
                answer_in_a_place(&shared.watch_places, answer);
            }
            Service::Admin => {
                let answer = admin::answer(stream, Arc::clone(&shared.watch));
                answer_in_a_place(&shared.admin_places, answer);
            }
        }
    }
}

/// Who finds no place may ask again.
fn answer_in_a_place(places: &Arc<Semaphore>, answer: impl Future<Output = ()> + Send + 'static) {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        tokio::spawn(async move {
            let _place = place;
            answer.await;
        });
    }
}

/// A session in which mail is fetched.
async fn fetch(
    stream: Box<dyn Stream>,
    Client { session, mut peer, opened }: Client,
    endpoint: &Endpoint,
    shared: &Shared,
    mut phase: watch::Receiver<Phase>,
    _place: OwnedSemaphorePermit,
) {
    let loaded = shared.loaded();
    let config = loaded.house.config();
    // A reload may have closed this door since.
    let Some(listener) = config.listeners.iter().find(|listener| listener.endpoint == *endpoint) else {
        return;
    };
    let seen = shared.watch.enter(session, "POP2", peer);
    let until = (opened + config.limits.login).into();
    let tls = loaded.tls.get(endpoint);
    let come_in = async {
        let entered = enter(stream, peer, listener).await?;
        peer = entered.peer;
        // Before TLS: else one address could keep all places waiting for its handshakes.
        let Some(one) = shared.guard.fetching.take(&entered.peer.block(), config.limits.sessions_per_address)
        else {
            return Ok(Err(entered));
        };
        let hidden = match tls {
            Some(tls) => hide(entered, tls).await?,
            None => entered,
        };
        Ok(Ok((hidden, one)))
    };
    let entered: Result<Result<_, EntryError>, _> = tokio::select! {
        entered = timeout_at(until, come_in) => entered,
        () = closing_to_strangers(&mut phase) => return,
    };
    let (Entered { stream, hidden, .. }, _one) = match entered {
        Ok(Ok(Ok(entered))) => entered,
        Ok(Ok(Err(Entered { stream, .. }))) => {
            shared.watch.metrics().hit(Hit::SessionsPerAddress);
            warn!(rip = %peer, "too many sessions from one address");
            if tls.is_none() {
                let line = refusal("too many sessions from your address; try again later");
                shared.turn_away(stream, &line).await;
            }
            return;
        }
        Ok(Err(error)) => return info!(session, rip = %peer, %error, "no session"),
        Err(_elapsed) => {
            shared.watch.metrics().hit(Hit::Login);
            return info!(session, rip = %peer, error = "it took too long", "no session");
        }
    };
    seen.entered(peer, hidden);
    let mut settings = Settings::new(&config.hostname);
    settings.login_timeout = config.limits.login;
    settings.idle_timeout = config.limits.idle;
    let door = Door { house: &loaded.house, listener, hidden, guard: &shared.guard };
    Session::new(session, (peer, opened), &door, &settings, stream, (phase, seen)).run().await;
}

/// A session in which mail comes in.
fn take_in(
    stream: Box<dyn Stream>,
    Client { session, peer, .. }: Client,
    protocol: Protocol,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) {
    let loaded = shared.loaded();
    let limits = loaded.house.config().limits;
    let most = match peer {
        // It is this machine's own MTA.
        Peer::Local => usize::MAX,
        Peer::At(_) => limits.mail_sessions_per_address,
    };
    let place = Arc::clone(&shared.mail_places).try_acquire_owned().ok();
    let Some(place) =
        place.and_then(|place| Some((place, shared.guard.delivering.take(&peer.block(), most)?)))
    else {
        shared.watch.metrics().hit(Hit::MailSessions);
        warn!(rip = %peer, "too many delivery sessions");
        tokio::spawn(async move {
            shared.turn_away(stream, b"421 4.7.0 too many sessions; try again later\r\n").await;
        });
        return;
    };
    let (hostname, delivery) = (&loaded.house.config().hostname, &loaded.house.config().delivery);
    let settings = smtp::machine::Settings {
        protocol,
        hostname: hostname.clone(),
        max_octets: delivery.max_octets,
        max_recipients: delivery.max_recipients,
    };
    let seen = shared.watch.enter(session, protocol.name(), peer);
    tokio::spawn(async move {
        let _place = place;
        let (house, idle) = (&loaded.house, limits.mail_idle);
        smtp::session::Session::new(session, peer, house, settings, idle, stream, (phase, seen)).run().await;
    });
}

fn refusal(text: &str) -> Vec<u8> {
    let mut line = Vec::new();
    Reply::Error(text.into()).encode(&mut line);
    line
}

impl Shared {
    /// Says why. Where many are turned away, those beyond [`LEAVING`] have to take it at once: each holds a
    /// descriptor.
    async fn turn_away(&self, stream: impl Stream, line: &[u8]) {
        let place = self.leaving.try_acquire();
        take_leave(stream, line, if place.is_ok() { BREATHER } else { Duration::ZERO }).await;
    }
}
