//! How many there are of each.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts by some key; a key of which there is none takes no memory.
#[derive(Debug)]
pub struct Counts<K>(Mutex<HashMap<K, usize>>);

/// One that is counted, until it is dropped.
#[derive(Debug)]
pub struct Counted<K: Hash + Eq> {
    counts: Arc<Counts<K>>,
    key: K,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    /// Counts one more, unless there are `most` already.
    pub fn take(self: &Arc<Self>, key: &K, most: usize) -> Option<Counted<K>> {
        let mut counts = self.lock();
        match counts.get_mut(key) {
            Some(count) if *count >= most => return None,
            Some(count) => *count += 1,
            None => {
                counts.insert(key.clone(), 1);
            }
        }
        drop(counts);
        Some(Counted { counts: Arc::clone(self), key: key.clone() })
    }
}

impl<K> Counts<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        // Each count is right between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_makes_room_and_takes_no_memory() {
        let counts = Arc::new(Counts::default());
        let one = counts.take(&1, 2).unwrap();
        let two = counts.take(&1, 2).unwrap();
        assert!(counts.take(&1, 2).is_none());
        assert!(counts.take(&2, 2).is_some(), "another key is another count");
        drop(one);
        assert!(counts.take(&1, 2).is_some());
        drop(two);
        assert!(counts.lock().is_empty());
    }
}
