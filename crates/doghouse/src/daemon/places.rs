//! How many sessions there may be, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for sessions.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A session's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    client: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many in all.
    pub(super) fn new(all: usize) -> Arc<Self> {
        let all = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { all, by_address: Mutex::default() })
    }

    /// A place for a client, if there is one, and if fewer than `per_address` of the same address have one.
    /// Clients without an address are this machine's own.
    pub(super) fn take(self: &Arc<Self>, client: Option<IpAddr>, per_address: usize) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        if let Some(client) = client {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(client).or_default();
            if *count >= per_address {
                return None;
            }
            *count += 1;
        }
        Some(Place { places: Arc::clone(self), client, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut by_address = self.places.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address() {
        let places = Places::new(3);
        let ip = |last| Some(IpAddr::from([127, 0, 0, last]));
        let one = places.take(ip(1), 1).unwrap();
        assert!(places.take(ip(1), 1).is_none());
        let _other = places.take(ip(2), 1).unwrap();
        let _local = places.take(None, 1).unwrap();
        assert!(places.take(ip(3), 1).is_none(), "all are taken");
        drop(one);
        assert!(places.take(ip(1), 1).is_some());
        assert_eq!(places.by_address.lock().unwrap().len(), 1);
    }
}
