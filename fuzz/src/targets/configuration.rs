//! The configuration file.

use std::path::Path;

use doghouse::config::Config;

use crate::is_one_line;

/// Any text is a configuration with which a server can begin, or is refused in one line that names the file.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::parse(text, Path::new("/etc/doghouse/doghouse.toml")) {
        Ok(config) => {
            assert!(is_one_line(&config.hostname) && !config.hostname.contains(' '), "{config:?}");
            assert!(!config.listeners.is_empty() && !config.mail.is_empty(), "{config:?}");
            assert!(config.limits.sessions > 0 && !config.limits.login.is_zero(), "{config:?}");
            assert!(config.mail.iter().all(|place| place.postbox("fido", None).is_some()), "{config:?}");
        }
        Err(error) => {
            let error = error.to_string();
            assert!(is_one_line(&error), "{error:?}");
            assert!(error.starts_with("/etc/doghouse/doghouse.toml:"), "{error}");
        }
    }
}
