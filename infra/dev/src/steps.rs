//! What a person sees while something long goes on.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Numbered steps of a verb, a line each.
pub(crate) struct Steps {
    total: usize,
    done: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Announces the next step.
    pub(crate) fn next(&mut self, text: &str) {
        self.done += 1;
        assert!(self.done <= self.total, "a verb has as many steps as it announced");
        println!("[{}/{}] {text}", self.done, self.total);
    }
}

/// A wait that shows how long it has lasted: one line rewritten on a terminal, else a line now and then.
pub(crate) struct Wait {
    text: String,
    start: Instant,
    last: Option<Instant>,
    terminal: bool,
}

const REFRESH_TERMINAL: Duration = Duration::from_millis(200);
const REFRESH_PLAIN: Duration = Duration::from_secs(5);

impl Wait {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { text: text.into(), start: Instant::now(), last: None, terminal }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// To be called often; prints as rarely as the output asks for.
    pub(crate) fn tick(&mut self) {
        let refresh = if self.terminal { REFRESH_TERMINAL } else { REFRESH_PLAIN };
        if self.last.unwrap_or(self.start).elapsed() < refresh {
            return;
        }
        self.last = Some(Instant::now());
        let seconds = self.elapsed().as_secs();
        if self.terminal {
            print!("\r      {}: {seconds} s", self.text);
            // A terminal that went away is no reason to stop.
            let _ = std::io::stdout().flush();
        } else {
            println!("      {}: {seconds} s", self.text);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.terminal && self.last.is_some() {
            // Clears the line that was rewritten.
            print!("\r\x1b[K");
            let _ = std::io::stdout().flush();
        }
    }
}
