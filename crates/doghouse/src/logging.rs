//! Logs: one line an event, `key=value` after the message, or as JSON, or to systemd's journal.

use std::{
    fmt::{self, Debug, Write},
    io::{self, IsTerminal},
    sync::OnceLock,
};

use serde::Deserialize;
use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt,
    fmt::format::{FormatFields, Writer, debug_fn},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::exit::printable;

/// The environment variable that says how much is logged, such as `debug` or `doghouse=debug,postbox=warn`. It goes
/// before the configuration.
pub const VARIABLE: &str = "DOGHOUSE_LOG";

/// What log lines look like, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people, on standard error.
    #[default]
    Text,
    /// An object a line, on standard error.
    Json,
    /// To systemd's journal, with a field for each key.
    Journald,
}

/// Changes how much is logged.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Begins to log; `level` holds where [`VARIABLE`] says nothing.
///
/// # Errors
/// Where the journal cannot be reached.
pub fn init(format: Format, level: &str) -> io::Result<()> {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let output: Box<dyn Layer<_> + Send + Sync> = match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).fmt_fields(fields()).boxed(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        Format::Journald => tracing_journald::layer()?
            .with_field_prefix(Some("DOGHOUSE".to_owned()))
            .with_syslog_identifier("doghouse".to_owned())
            .boxed(),
    };
    // One that is there already, as in a test, stays.
    if tracing_subscriber::registry().with(filter).with(output).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
    Ok(())
}

/// How much is logged, changed first where `level` says so.
///
/// # Errors
/// Where that is no level, or nothing is logged.
pub fn level(level: Option<&str>) -> Result<String, String> {
    let handle = LEVEL.get().ok_or("nothing is logged")?;
    if let Some(level) = level {
        let filter = filter(level).ok_or_else(|| {
            format!("{level:?} is no level; write error, warn, info, debug or trace, or as doghouse=debug,postbox=warn")
        })?;
        handle.reload(filter).map_err(|error| error.to_string())?;
        tracing::info!(level, "the log level was changed");
    }
    handle.with_current(ToString::to_string).map_err(|error| error.to_string())
}

/// A configuration was read again that says how much is logged. [`VARIABLE`] goes before it.
pub fn configured(level: &str) {
    let is_said = std::env::var_os(VARIABLE).is_some();
    if let (Some(handle), Some(filter), false) = (LEVEL.get(), filter(level), is_said) {
        // It fails only where nothing is logged any more.
        let _ = handle.reload(filter);
    }
}

/// What a level, or levels of parts of the program, let through; `None` where it is none.
pub(crate) fn filter(level: &str) -> Option<EnvFilter> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |part: &str| LEVELS.contains(&part.rsplit('=').next().unwrap_or(part));
    level.split(',').all(is_level).then(|| level.parse().ok())?
}

/// Writes what is [`printable`] of a text, and as it is where all of it is.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.chars().any(char::is_control) {
            self.0.write_str(&printable(text))
        } else {
            self.0.write_str(text)
        }
    }
}

/// The message and its fields in one line, whatever they name: strangers choose names of users, files and hosts,
/// and none of them is to write a line of its own or to move a terminal's cursor.
fn fields() -> impl for<'writer> FormatFields<'writer> + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn Debug| -> fmt::Result {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(OneLine(writer), "{value:?}")
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_names() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .fmt_fields(fields())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let name = "a\n INFO forged rip=192.0.2.1\r\u{1b}[2J\u{9b}x";
            tracing::event!(Level::WARN, session = 7, file = %name, user = ?name, name, "found {name}");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        assert!(line.contains(r"found a\n INFO forged"), "{line}");
        assert!(line.contains(r"session=7 file=a\n INFO"), "{line}");
        assert!(line.contains(r#"user="a\n INFO forged"#), "{line}");
    }
}
