//! The sum of what test binaries report.

use std::fmt::{self, Display, Formatter};

/// Tests that passed, failed and were left out, over all `test result:` lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    /// Adds what a line of output reports, if it reports anything.
    pub(super) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, what)| (number.parse(), what)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                Some((Ok::<usize, _>(number), "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn the_results_of_all_binaries_are_summed() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "a test that prints test result: ok. 9 passed",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 7, failed: 2, ignored: 1 });
        assert_eq!(tally.to_string(), "7 passed, 2 failed, 1 skipped");
    }
}
