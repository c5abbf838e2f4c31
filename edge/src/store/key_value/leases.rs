//! Leases within one instance.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::store::Lease;

/// Who holds what, and until when.
#[derive(Default)]
pub(super) struct Leases(RefCell<HashMap<String, Held>>);

struct Held {
    token: u128,
    until_ms: u64,
}

impl Leases {
    pub(super) fn acquire(&self, lease: &Lease, now_ms: u64, lasts_ms: u64) -> bool {
        let mut leases = self.0.borrow_mut();
        leases.retain(|_, held| held.until_ms > now_ms);
        if leases.get(&lease.name).is_some_and(|held| held.token != lease.token) {
            return false;
        }
        leases.insert(lease.name.clone(), Held { token: lease.token, until_ms: now_ms + lasts_ms });
        true
    }

    /// Whether nobody else has taken it over; after its end it is still its last holder's until somebody does.
    pub(super) fn holds(&self, lease: &Lease) -> bool {
        self.0.borrow().get(&lease.name).is_none_or(|held| held.token == lease.token)
    }

    pub(super) fn release(&self, lease: &Lease) {
        let mut leases = self.0.borrow_mut();
        if leases.get(&lease.name).is_some_and(|held| held.token == lease.token) {
            leases.remove(&lease.name);
        }
    }
}
