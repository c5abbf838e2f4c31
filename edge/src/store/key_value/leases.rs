//! Leases within one instance.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::store::Lease;

/// Who holds what, and until when.
#[derive(Default)]
pub(super) struct Leases(RefCell<HashMap<String, Vec<Held>>>);

struct Held {
    token: u128,
    until_ms: u64,
}

impl Leases {
    pub(super) fn acquire(&self, lease: &Lease, now_ms: u64) -> bool {
        let mut leases = self.0.borrow_mut();
        leases.retain(|_, holders| {
            holders.retain(|held| held.until_ms > now_ms);
            !holders.is_empty()
        });
        let others = |held: &&Held| held.token != lease.token;
        let taken = leases.get(&lease.name).map_or(0, |holders| holders.iter().filter(others).count());
        if taken >= lease.seats as usize {
            return false;
        }
        let holders = leases.entry(lease.name.clone()).or_default();
        holders.retain(|held| others(&held));
        holders.push(Held { token: lease.token, until_ms: now_ms + lease.lasts_ms });
        true
    }

    /// Whether nobody else has taken it over; after its end it is still its last holder's until somebody does.
    pub(super) fn holds(&self, lease: &Lease) -> bool {
        let leases = self.0.borrow();
        leases.get(&lease.name).is_none_or(|holders| holders.iter().all(|held| held.token == lease.token))
    }

    pub(super) fn release(&self, lease: &Lease) {
        let mut leases = self.0.borrow_mut();
        if let Some(holders) = leases.get_mut(&lease.name) {
            holders.retain(|held| held.token != lease.token);
            if holders.is_empty() {
                leases.remove(&lease.name);
            }
        }
    }
}
