//! The briefs that came a moment ago: one that comes again, byte for byte, is neither read nor given its key again.

use std::cell::RefCell;
use std::rc::Rc;

use adlib_shared::brief::Brief;
use bytes::Bytes;

use super::place::{Place, model};
use crate::cache::Directives;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::memo::Memo;
use crate::world::World;

/// Most that an instance remembers of briefs, in bytes of their bodies: some two thousand briefs.
pub(crate) const BRIEFS_BYTES_MAX: usize = 1024 * 1024;
/// What a short brief counts as, in bytes: what is made of it takes memory too.
const BRIEF_BYTES_MIN: usize = 512;

/// The briefs, by tenant and body: what one tenant has sent must not show another, not even by the time that it takes.
pub(crate) struct Briefs(Memo<(String, Bytes), Rc<Known>>);

/// A brief, and its place for the model for which it was last asked.
pub(crate) struct Known {
    /// The brief.
    pub(crate) brief: Rc<Brief>,
    tenant: String,
    place: RefCell<Option<Rc<Place>>>,
}

impl Default for Briefs {
    fn default() -> Self {
        // Equal bytes are equal briefs for ever.
        Self(Memo::weighing(u64::MAX, BRIEFS_BYTES_MAX, |(_, body), _| body.len().max(BRIEF_BYTES_MIN)))
    }
}

impl Briefs {
    /// What a tenant's body holds, as `read` finds it where it has not come before.
    ///
    /// # Errors
    /// Those of `read`, which are not remembered.
    pub(crate) fn find<E>(
        &self,
        tenant: &str,
        body: Bytes,
        read: impl FnOnce(&[u8]) -> Result<Brief, E>,
    ) -> Result<Rc<Known>, E> {
        let key = (tenant.to_owned(), body);
        if let Some(known) = self.0.get(&key, 0) {
            return Ok(known);
        }
        let (tenant, body) = key;
        let brief = Rc::new(read(&body)?);
        let known = Rc::new(Known { brief, tenant: tenant.clone(), place: RefCell::default() });
        // The bytes that came may be part of a larger buffer, which they would hold.
        self.0.put((tenant, Bytes::copy_from_slice(&body)), Rc::clone(&known), 0);
        Ok(known)
    }
}

impl Known {
    /// The place of the brief; `None` where the cache takes no part.
    ///
    /// # Errors
    /// The origin's failure, where the model is not known without it.
    pub(super) async fn place<W: World>(
        &self,
        edge: &Rc<Edge<W>>,
        call: &Call,
        directives: &Directives,
    ) -> Result<Option<Rc<Place>>, Failure> {
        let Some((lifetime, fingerprint)) = model(edge, call, directives).await? else { return Ok(None) };
        if let Some(place) = &*self.place.borrow()
            && place.fingerprint == fingerprint
        {
            return Ok(Some(Rc::clone(place)));
        }
        let place = Place::under(edge.cache_secret()?, &self.tenant, &self.brief, lifetime, fingerprint);
        let place = Rc::new(place);
        self.place.replace(Some(Rc::clone(&place)));
        Ok(Some(place))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::harness::brief;

    /// How often so many bodies are read when they come twice.
    fn reads(tenants: &[&str], bodies: &[&str]) -> usize {
        let (briefs, reads) = (Briefs::default(), Cell::new(0));
        let read = |bytes: &[u8]| {
            reads.set(reads.get() + 1);
            Brief::parse(bytes, &["en"])
        };
        for _ in 0..2 {
            for tenant in tenants {
                for body in bodies {
                    let _ = briefs.find(tenant, Bytes::copy_from_slice(body.as_bytes()), read);
                }
            }
        }
        reads.get()
    }

    #[test]
    fn a_body_is_read_once_for_each_tenant() {
        let body = brief().to_string();
        assert_eq!(reads(&["acme", "other"], &[&body, &format!("{body} ")]), 4);
    }

    #[test]
    fn what_is_wrong_is_read_each_time() {
        assert_eq!(reads(&["acme"], &["{}"]), 2);
    }

    #[test]
    fn briefs_are_remembered_up_to_so_many_bytes() {
        let (body, most) = (brief().to_string(), BRIEFS_BYTES_MAX / BRIEF_BYTES_MIN);
        assert!(body.len() <= BRIEF_BYTES_MIN);
        let tenants: Vec<String> = (0..=most).map(|number| number.to_string()).collect();
        let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
        assert_eq!(reads(&tenants[..most], &[&body]), most);
        assert!(reads(&tenants, &[&body]) > most + 1);
    }
}
