//! Logs: one line an event on standard error, `key=value` after the message.

use std::{
    fmt::{self, Debug},
    io::{self, IsTerminal},
};

use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::format::{FormatFields, Writer, debug_fn},
};

use crate::exit::printable;

/// The environment variable that says how much is logged, such as `debug` or `doghouse=debug,postbox=warn`.
pub const VARIABLE: &str = "DOGHOUSE_LOG";

/// Begins to log; `default` holds where [`VARIABLE`] says nothing.
pub fn init(default: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(fields())
        .init();
}

/// The message and its fields in one line, whatever they name: strangers choose names of users, files and hosts,
/// and none of them is to write a line of its own or to move a terminal's cursor.
fn fields() -> impl for<'writer> FormatFields<'writer> + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn Debug| -> fmt::Result {
        let value = printable(&format!("{value:?}"));
        match field.name() {
            "message" => writer.write_str(&value),
            name => write!(writer, "{name}={value}"),
        }
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
