//! What this process has computed.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time on a processor of all threads together since the process began, in the kernel and outside it.
pub fn cpu_time() -> Duration {
    // The kernel counts up from nothing, so the time is never before it.
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Duration;

    use super::cpu_time;

    #[test]
    fn computing_takes_time_and_waiting_takes_none() {
        let before = cpu_time();
        while cpu_time().saturating_sub(before) < Duration::from_millis(20) {
            black_box((0..10_000_u64).sum::<u64>());
        }
        let waiting = cpu_time();
        std::thread::sleep(Duration::from_millis(200));
        assert!(cpu_time().saturating_sub(waiting) < Duration::from_millis(150));
    }
}
