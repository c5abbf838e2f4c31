//! Signals that end the process: the first asks for a shutdown, the second enforces it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// `SIGTERM` and `SIGINT`, listened to from the moment this is made.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// What a shell reports of a process that a signal ended: 128 and the signal's number.
const EXIT_SIGNAL: i32 = 128;

impl Signals {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next signal.
    pub async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }

    /// Ends the process at the next signal, whatever runs.
    pub async fn enforce(mut self) {
        let signal = self.next().await.as_raw_value();
        tracing::warn!(signal, "a second signal; exiting at once");
        std::process::exit(EXIT_SIGNAL + signal);
    }
}
