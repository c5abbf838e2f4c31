//! Logs and metrics.

pub mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::settings::logs::{LogFormat, LogSettings};

/// Sends the process's log to standard error, in the form that was chosen.
///
/// # Errors
/// Where the process already has a log.
pub fn init(settings: &LogSettings) -> Result<(), TryInitError> {
    let filter = EnvFilter::new(&settings.filter);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines.with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Pretty => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
    }
}
