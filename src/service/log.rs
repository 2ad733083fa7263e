//! The log on standard error: one line an event, for people, for machines or for the journal. Keeps no file, and never says
//! what a panic was about: that may be a message's text.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Log, LogFormat, LogLevel};
#[cfg(feature = "otlp")]
use crate::otlp::Spans;

/// Begins to log, for as long as the process lives. `RUST_LOG` wins over the configured level.
/// `spans`: where spans go beside it.
pub fn start(settings: Log, #[cfg(feature = "otlp")] spans: Option<&Spans>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level(settings.level)));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match settings.format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text if is_journal() => lines.with_ansi(false).event_format(ForJournal::new()).boxed(),
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
    };
    let logger = tracing_subscriber::registry().with(lines).with(filter);
    #[cfg(feature = "otlp")]
    let logger = logger.with(spans.map(Spans::layer));
    // Set once, before anything logs.
    let _set = tracing::subscriber::set_global_default(logger);
    panic::set_hook(Box::new(panicked));
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

/// Where, and no more: the message of a panic may quote what came from the network.
fn panicked(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(%at, thread = thread.name().unwrap_or_default(), "a task has panicked; what it did has ended");
}

/// Whether standard error is the journal, by systemd's `JOURNAL_STREAM`: the device and the inode that it would be.
fn is_journal() -> bool {
    let stat = rustix::fs::fstat(io::stderr());
    let journal = env::var("JOURNAL_STREAM").ok();
    stat.is_ok_and(|stat| journal.is_some_and(|journal| journal == format!("{}:{}", stat.st_dev, stat.st_ino)))
}

/// Lines as the journal takes them: the level as a syslog priority in front, and no time, which it has itself.
struct ForJournal(Format<Full, ()>);

impl ForJournal {
    fn new() -> Self {
        Self(tracing_subscriber::fmt::format().without_time().with_level(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(out, "<{}>", priority(event.metadata().level()))?;
        self.0.format_event(context, out, event)
    }
}

/// As in syslog(3).
fn priority(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn the_journal_gets_a_priority_and_no_time() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(move || writer.clone());
        tracing::subscriber::with_default(lines.event_format(ForJournal::new()).finish(), || {
            tracing::error!(count = 2, "one");
            tracing::warn!("two");
            tracing::info!("three");
            tracing::debug!("four");
        });
        let target = module_path!();
        let expected = format!("<3>{target}: one count=2\n<4>{target}: two\n<6>{target}: three\n<7>{target}: four\n");
        assert_eq!(kept.text(), expected);
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_not_by_what_it_says() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        panic::set_hook(Box::new(panicked));
        tracing::subscriber::with_default(lines, || {
            let text = String::from("a café for +32470000001");
            // Such as a slip in code that reads texts would cause.
            let cut = panic::catch_unwind(|| text[..6].len());
            assert!(cut.is_err());
        });
        panic::set_hook(before);
        let logged = kept.text();
        assert!(logged.contains("ERROR") && logged.contains(&format!("at={}", file!())), "{logged}");
        assert!(!logged.contains("caf") && !logged.contains("32470000001"), "{logged}");
    }
}
