//! Log lines as `key=value`, one line an event.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as logfmt.
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        to.write_str("ts=")?;
        SystemTime.format_time(&mut to)?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(to, " level={level} target={}", event.metadata().target())?;
        let mut fields = Fields { to: &mut to, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writeln!(to)
    }
}

struct Fields<'a, 'w> {
    to: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Fields<'_, '_> {
    fn put(&mut self, name: &str, value: &str) {
        let name = if name == "message" { "msg" } else { name };
        let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '=');
        let written =
            if plain { write!(self.to, " {name}={value}") } else { write!(self.to, " {name}={value:?}") };
        self.result = self.result.and(written);
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.put(field.name(), &text);
        }
    }
}
