//! Threads that share the work of one operation after another.
//!
//! A step is some 150 operations of a few microseconds each, too short to wake a sleeping thread for: workers spin
//! between operations and only park when none has come for a while.
#![expect(unsafe_code, reason = "a borrowed closure, lent to threads that outlive it")]

use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};

/// Looks at the job counter before a worker parks: about 100 µs, some operations long.
const SPINS_BEFORE_PARKING: u32 = 4_000;
/// Looks at the completion counter before the caller lets another thread of the machine run.
const SPINS_BEFORE_YIELDING: u32 = 20_000;
/// Bits of [`State::claims`] that count the tasks not yet claimed; the rest number the job.
const TASK_BITS: u32 = 24;
const TASK_MASK: u64 = (1 << TASK_BITS) - 1;

/// The calling thread and `threads - 1` workers.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    handles: Vec<Thread>,
}

#[derive(Debug)]
struct State {
    /// Job number above, tasks not yet claimed below. A thread claims a task by counting down; that succeeds only
    /// while the job it read is still the current one.
    claims: AtomicU64,
    /// Tasks of the current job that have ended.
    done: AtomicUsize,
    /// The current job, valid while a task of it is claimed and not done.
    job: AtomicPtr<Job<'static>>,
    panicked: AtomicBool,
    parked: Vec<AtomicBool>,
    closing: AtomicBool,
}

struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
}

impl Pool {
    /// A pool of this many threads, the caller included.
    pub(crate) fn new(threads: usize) -> Self {
        let workers = threads.max(1) - 1;
        let state = Arc::new(State {
            claims: AtomicU64::new(0),
            done: AtomicUsize::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            panicked: AtomicBool::new(false),
            parked: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            closing: AtomicBool::new(false),
        });
        let spawn = |index: usize| {
            let state = Arc::clone(&state);
            let named = thread::Builder::new().name(format!("adlib-cpu-{}", index + 1));
            named.spawn(move || state.work(index))
        };
        // A machine that refuses a thread runs with fewer.
        let workers: Vec<_> = (0..workers).map_while(|index| spawn(index).ok()).collect();
        let handles = workers.iter().map(|worker| worker.thread().clone()).collect();
        Self { state, workers, handles }
    }

    /// Threads, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// Runs `task` for each of `0..tasks`, on all threads, and returns when all have ended. Tasks are claimed in
    /// descending order by whichever thread is free, so that a thread the machine holds up does not hold up the rest.
    ///
    /// One job runs at a time, hence the exclusive borrow.
    pub(crate) fn run(&mut self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        if tasks <= 1 || self.handles.is_empty() {
            (0..tasks).for_each(task);
            return;
        }
        assert!(tasks as u64 <= TASK_MASK, "a job's tasks fit the counter");
        let job = Job { task };
        let state = &*self.state;
        state.done.store(0, Ordering::Relaxed);
        state.job.store((&raw const job).cast_mut().cast(), Ordering::Relaxed);
        let number = (state.claims.load(Ordering::Relaxed) >> TASK_BITS) + 1;
        // Ordered before the look at `parked` below, as a worker orders its `parked` before its look at `claims`.
        state.claims.store(number << TASK_BITS | tasks as u64, Ordering::SeqCst);
        for (parked, handle) in state.parked.iter().zip(&self.handles) {
            if parked.load(Ordering::SeqCst) && parked.swap(false, Ordering::SeqCst) {
                handle.unpark();
            }
        }
        while state.claim_and_run() {}
        let mut spins = 0;
        while state.done.load(Ordering::Acquire) < tasks {
            spins += 1;
            if spins > SPINS_BEFORE_YIELDING { thread::yield_now() } else { spin_loop() }
        }
        assert!(!state.panicked.load(Ordering::Relaxed), "a worker thread panicked");
    }
}

impl State {
    /// Claims one task of the current job and runs it; false if none is left.
    fn claim_and_run(&self) -> bool {
        let claims = self.claims.load(Ordering::Acquire);
        if claims & TASK_MASK == 0 {
            return false;
        }
        let job = self.job.load(Ordering::Relaxed);
        if self.claims.compare_exchange(claims, claims - 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return true;
        }
        // SAFETY: the exchange succeeded, so the job that was current when `job` was read still is, and `Pool::run`
        // keeps it alive until every claimed task is counted in `done`, which happens below.
        let task = unsafe { (*job).task };
        let index = (claims & TASK_MASK) - 1;
        if catch_unwind(AssertUnwindSafe(|| task(index as usize))).is_err() {
            self.panicked.store(true, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }

    /// A worker's life.
    fn work(&self, index: usize) {
        let mut idle = 0;
        while !self.closing.load(Ordering::Relaxed) {
            if self.claim_and_run() {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < SPINS_BEFORE_PARKING {
                spin_loop();
                continue;
            }
            self.parked[index].store(true, Ordering::SeqCst);
            let waiting = self.claims.load(Ordering::SeqCst) & TASK_MASK == 0;
            if waiting && !self.closing.load(Ordering::SeqCst) {
                thread::park();
            }
            self.parked[index].store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker's panic was reported by the job that it happened in.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 4] {
            let mut pool = Pool::new(threads);
            for tasks in [0, 1, 2, 3, 100] {
                let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..200 {
                    pool.run(tasks, &|task| {
                        counts[task].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 200));
            }
        }
    }

    #[test]
    fn parked_workers_wake() {
        let mut pool = Pool::new(3);
        for _ in 0..5 {
            thread::sleep(std::time::Duration::from_millis(3));
            let sum = AtomicUsize::new(0);
            pool.run(50, &|task| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 1225);
        }
    }

    #[test]
    #[should_panic(expected = "a worker thread panicked")]
    fn a_panic_reaches_the_caller() {
        Pool::new(2).run(10, &|task| assert_ne!(task, 5, "on purpose"));
    }
}
