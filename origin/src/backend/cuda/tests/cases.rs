//! Every case in the simulator: in every order of threads, and under the sanitizers.

use crate::backend::cuda::cases;
use crate::backend::cuda::simulator::{Checks, SCHEDULES, Simulator};
use crate::backend::cuda::sources::KERNELS;

/// A test for each subject of cases, so that they run side by side and a failure is named.
macro_rules! subjects {
    ($($subject:ident)*) => {
        $(
            #[test]
            fn $subject() {
                everywhere(stringify!($subject));
            }
        )*
        const TESTED: &[&str] = &[$(stringify!($subject)),*];
    };
}

subjects! { memory recording embed normalise product_few product_many rotate attend sample measure }

#[test]
fn every_file_of_kernels_has_cases_and_every_subject_is_tested() {
    let mut subjects: Vec<_> = cases::all::<Simulator>().iter().map(|case| case.subject).collect();
    subjects.dedup();
    assert_eq!(subjects, TESTED);
    for file in KERNELS {
        let subject = file.name.trim_end_matches(".cu");
        assert!(subjects.contains(&subject), "{} has no case", file.name);
    }
}

fn everywhere(subject: &str) {
    let plain = Simulator::new(Checks::Plain);
    let sanitized = [Checks::Memory, Checks::Races].map(Simulator::new);
    for case in cases::all().into_iter().filter(|case| case.subject == subject) {
        let holds = |device: &Simulator, schedule: u64| {
            device.schedule(schedule);
            (case.run)(device).unwrap_or_else(|error| panic!("{}: {error}", case.promise));
        };
        for schedule in 0..SCHEDULES {
            holds(&plain, schedule);
        }
        for device in &sanitized {
            holds(device, 0);
        }
    }
}
