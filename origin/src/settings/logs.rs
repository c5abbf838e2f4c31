//! What is logged, and how.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::raw::Raw;

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Logging, validated.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Form of a line.
    pub format: LogFormat,
    /// A valid filter in `tracing`'s directive syntax.
    pub filter: String,
}

impl LogSettings {
    pub(super) fn read(raw: &mut Raw) -> Self {
        let format = raw.parsed("log_format", "json or pretty", |text| match text {
            "json" => Some(LogFormat::Json),
            "pretty" => Some(LogFormat::Pretty),
            _ => None,
        });
        let allowed =
            "a level (error, warn, info, debug, trace) or directives such as info,adlib_origin=debug";
        let filter = raw.parsed("log_filter", allowed, |text| {
            EnvFilter::builder().parse(text).ok().filter(|_| !text.is_empty()).map(|_| text.to_owned())
        });
        let terminal = std::io::stderr().is_terminal();
        Self {
            format: format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json }),
            filter: filter.unwrap_or_else(|| "info".to_owned()),
        }
    }
}
