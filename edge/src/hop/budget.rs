//! How often the origins may be asked again: a bucket of tokens, so that retries cannot multiply the load of a bad day.

use std::cell::Cell;

/// Requests that earn one retry: retries add at most a tenth to the load.
pub const REQUESTS_PER_RETRY: u32 = 10;
/// Retries that a fresh instance has, so that the first request of a day can be saved too.
pub const RETRIES_FIRST: u32 = 3;
/// Retries that can be saved up.
pub const RETRIES_MAX: u32 = 10;

/// The retries that are left, in parts of one.
#[derive(Debug)]
pub struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(RETRIES_FIRST * REQUESTS_PER_RETRY))
    }
}

impl Budget {
    /// A request is sent for the first time.
    pub fn earn(&self) {
        self.0.set((self.0.get() + 1).min(RETRIES_MAX * REQUESTS_PER_RETRY));
    }

    /// Takes one retry; false where none is left.
    pub fn spend(&self) -> bool {
        let left = self.0.get().checked_sub(REQUESTS_PER_RETRY);
        self.0.set(left.unwrap_or(self.0.get()));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &Budget) -> u32 {
        std::iter::repeat_with(|| budget.spend()).take_while(|granted| *granted).count() as u32
    }

    #[test]
    fn a_fresh_instance_has_a_few_and_ten_requests_earn_one() {
        let budget = Budget::default();
        assert_eq!(spent(&budget), RETRIES_FIRST);
        for requests in 1..=REQUESTS_PER_RETRY {
            assert!(!budget.spend(), "after {requests} requests");
            budget.earn();
        }
        assert_eq!(spent(&budget), 1);
    }

    #[test]
    fn no_more_are_saved_up_than_may_be() {
        let budget = Budget::default();
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), RETRIES_MAX);
    }
}
