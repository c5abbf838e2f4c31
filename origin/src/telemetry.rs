//! Logs and metrics.

pub mod metrics;

use tracing::Subscriber;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::logs::{LogFormat, LogSettings};

/// Sends the process's log to standard error, panics included.
///
/// # Errors
/// Where the process already has a log.
pub fn init(settings: &LogSettings) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(log(settings, std::io::stderr))?;
    std::panic::set_hook(Box::new(
        |panic| tracing::error!(%panic, "a panic: this is a fault of the program"),
    ));
    Ok(())
}

/// A log in the form that was chosen, written wherever it is to go.
pub(crate) fn log<W>(settings: &LogSettings, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt().with_env_filter(EnvFilter::new(&settings.filter)).with_writer(writer);
    match settings.format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        LogFormat::Pretty => Box::new(lines.finish()),
    }
}
