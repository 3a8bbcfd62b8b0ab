//! Whether a file's times can be trusted to tell one state of it from the next.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

/// How long something has to be left alone before its times tell every change of it, where the file system
/// counts fractions of a second, and where it counts seconds.
const GRANULE: Duration = Duration::from_millis(100);
const COARSE_GRANULE: Duration = Duration::from_secs(2);

/// When the content changed, and when anything did; the second cannot be set back by a program.
#[must_use]
pub fn times(status: &Stat) -> (Duration, Duration) {
    let time = |seconds: i64, nanos: u64| {
        let nanos = u32::try_from(nanos).unwrap_or_default();
        Duration::new(u64::try_from(seconds).unwrap_or_default(), nanos)
    };
    (time(status.st_mtime, status.st_mtime_nsec), time(status.st_ctime, status.st_ctime_nsec))
}

/// Whether a change from now on would show in the times.
#[must_use]
pub fn is_quiet((modified, changed): (Duration, Duration)) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let granule = if changed.subsec_nanos() == 0 { COARSE_GRANULE } else { GRANULE };
    changed.max(modified) + granule < now
}

/// A file or folder at a moment. Once it is quiet, the same state means the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    device: u64,
    inode: u64,
    size: i64,
    times: (Duration, Duration),
}

impl State {
    /// As the system tells it.
    #[must_use]
    pub fn of(status: &Stat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino, size: status.st_size, times: times(status) }
    }

    /// Whether a change from now on would show.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        is_quiet(self.times)
    }
}
