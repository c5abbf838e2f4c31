//! Waiting until a service answers.

use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::service::{POLL, Service};
use crate::steps::Wait;

/// Seconds one question may take; a service that is busy starting answers late or not at all.
const ASK_SECONDS_MAX: u64 = 2;

/// Asks `url` until it answers 200. Fails when the service ends, the time is over or the user stops it.
pub(crate) fn wait(
    service: &mut Service,
    url: &str,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Duration, Error> {
    let mut wait = Wait::new(format!("waiting for the {}", service.name()));
    loop {
        service.check_alive()?;
        if interrupt.is_raised() {
            return Err(Error::Interrupted);
        }
        let answer = minreq::get(url).with_timeout(ASK_SECONDS_MAX).send();
        if answer.is_ok_and(|response| response.status_code == 200) {
            return Ok(wait.elapsed());
        }
        if wait.elapsed() >= limit {
            return Err(service.not_ready(limit));
        }
        wait.tick();
        thread::sleep(POLL);
    }
}
