//! The engine on a device that runs a step by itself while guides choose.

use super::*;
use crate::backend::cuda::{Checks, Cuda, Simulator};

/// What each request writes, all of them at once or one after the other.
fn written(limits: EngineLimits, at_once: bool) -> Vec<Vec<u32>> {
    let model = move || model(Cuda::new(Simulator::new(Checks::Plain)), limits);
    let reload = move || Ok::<_, Infallible>(model());
    let (handle, _thread) = Handle::start(0, model(), limits, Restarts::default(), reload).expect("a thread");
    let submit = |i: u32| {
        let (guide, chosen) = recorder(u64::from(i), 1 + i as usize);
        (handle.submit(request(prompt(i, 20 + 15 * i), vec![guide])).expect("room"), chosen)
    };
    let finish = |(generation, chosen): (Generation, std::sync::mpsc::Receiver<Vec<u32>>)| {
        assert!(matches!(events(generation).last(), Some(Event::Complete { .. })));
        chosen.recv().expect("the variant finishes")
    };
    if at_once {
        let running: Vec<_> = (0..3).map(submit).collect();
        running.into_iter().map(finish).collect()
    } else {
        (0..3).map(|i| finish(submit(i))).collect()
    }
}

#[test]
fn a_seed_gives_the_same_tokens_alone_in_company_and_when_sequences_are_preempted() {
    let alone = written(LIMITS, false);
    assert_eq!(written(LIMITS, true), alone);
    assert_eq!(written(EngineLimits { blocks: 8, batch_tokens_max: 24, ..LIMITS }, true), alone);
}
