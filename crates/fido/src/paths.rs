//! Where fido's files are, by the XDG Base Directory Specification: <https://specifications.freedesktop.org/basedir-spec/>.

use std::{env, path::PathBuf};

/// The folder of a kind: the one that the variable names, or the one below the home. `None` where there is neither.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = env::var_os(variable).map(PathBuf::from).and_then(absolute);
    base.or_else(|| home().map(|home| home.join(below_home))).map(|base| base.join("fido"))
}

/// The user's home.
#[must_use]
pub fn home() -> Option<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// Where the configuration is.
#[must_use]
pub fn config() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config")
}

/// Where fido keeps what it remembers from one time to the next.
#[must_use]
pub fn state() -> Option<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state")
}

/// Where mail lies that was fetched for the reader.
#[must_use]
pub fn data() -> Option<PathBuf> {
    folder("XDG_DATA_HOME", ".local/share")
}
