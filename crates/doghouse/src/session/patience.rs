//! What a session waits for beside its client: the end of its time, and that of the house.
//!
//! Both are made once for a session and not for each command: a timer that is set and taken back for each would be
//! a good part of what a command costs.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    phase::{Phase, closing, closing_to_strangers},
    watch::Seen,
};

const KICKED: &str = "the operator has ended this session; nothing was deleted";

const GOING_DOWN: &str = "the mailbox server is going down; nothing was deleted, try again later";

/// What ends a session from outside.
pub(super) struct Patience {
    /// It rings when it was set to, or earlier than is wanted by now.
    alarm: Pin<Box<Sleep>>,
    /// `None` once it has come.
    stop: Option<Stop>,
    phase: watch::Receiver<Phase>,
}

/// Ends with the reason.
type Stop = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// How waiting has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited<T> {
    /// What was waited for has come.
    For(T),
    /// Time is up.
    TooLong,
    /// The session has to stop, and why.
    Stopped(&'static str),
}

impl Patience {
    /// With a client that has not logged in, and has until `deadline`.
    pub(super) fn new(phase: watch::Receiver<Phase>, seen: &Seen, deadline: Instant) -> Self {
        let (kicked, mut closes) = (seen.kicked(), phase.clone());
        let stop = async move {
            tokio::select! {
                () = closing_to_strangers(&mut closes) => GOING_DOWN,
                () = kicked => KICKED,
            }
        };
        Self { alarm: Box::pin(sleep_until(deadline)), stop: Some(Box::pin(stop)), phase }
    }

    /// The client has logged in: from now on it may finish when the house closes.
    pub(super) fn logged_in(&mut self, seen: &Seen) {
        let (kicked, mut closes) = (seen.kicked(), self.phase.clone());
        self.stop = Some(Box::pin(async move {
            tokio::select! {
                () = closing(&mut closes) => GOING_DOWN,
                () = kicked => KICKED,
            }
        }));
    }

    /// Does work, unless the session has to stop: then that is why.
    pub(super) async fn unless_stopped<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, &'static str> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => poll_stop(&mut self.stop, context).map(Err),
        })
        .await
    }

    /// Does work, until `deadline` at most.
    pub(super) async fn wait<T>(&mut self, deadline: Instant, work: impl Future<Output = T>) -> Waited<T> {
        let mut work = pin!(work);
        let Self { alarm, stop, .. } = self;
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Waited::For(done));
            }
            if let Poll::Ready(reason) = poll_stop(stop, context) {
                return Poll::Ready(Waited::Stopped(reason));
            }
            while alarm.as_mut().poll(context).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(Waited::TooLong);
                }
                // It was set before the client had more time.
                alarm.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

fn poll_stop(stop: &mut Option<Stop>, context: &mut Context<'_>) -> Poll<&'static str> {
    let Some(coming) = stop else { return Poll::Pending };
    let reason = ready!(coming.as_mut().poll(context));
    *stop = None;
    Poll::Ready(reason)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc, time::Duration};

    use super::*;
    use crate::{
        peer::Peer,
        watch::{Watch, Whom},
    };

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_move_either_way() {
        let (_open, phase) = watch::channel(Phase::Open);
        let seen = Arc::new(Watch::default()).enter(1, "POP2", Peer::Local);
        let begun = Instant::now();
        let mut patience = Patience::new(phase, &seen, after(60));
        for (deadline, total) in [(after(600), 600), (begun + Duration::from_secs(605), 605)] {
            assert_eq!(patience.wait(deadline, pending::<()>()).await, Waited::TooLong);
            assert_eq!(begun.elapsed().as_secs(), total);
        }
        assert_eq!(patience.wait(after(600), async { 7 }).await, Waited::For(7));
        assert_eq!(patience.wait(after(5), pending::<()>()).await, Waited::TooLong);
        assert_eq!(begun.elapsed().as_secs(), 610);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_logged_in_is_stopped_later_and_once() {
        let (house, phase) = watch::channel(Phase::Open);
        let watch = Arc::new(Watch::default());
        let seen = watch.enter(1, "POP2", Peer::Local);
        let mut patience = Patience::new(phase, &seen, after(60));
        house.send_replace(Phase::draining());
        assert_eq!(patience.wait(after(60), pending::<()>()).await, Waited::Stopped(GOING_DOWN));
        patience.logged_in(&seen);
        assert_eq!(patience.wait(after(60), pending::<()>()).await, Waited::TooLong);
        assert_eq!(watch.kick(&Whom("1".to_owned())), 1);
        assert_eq!(patience.wait(after(60), pending::<()>()).await, Waited::Stopped(KICKED));
        assert_eq!(patience.wait(after(60), pending::<()>()).await, Waited::TooLong, "it is said once");
    }
}
