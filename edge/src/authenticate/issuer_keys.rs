//! The keys of the issuer of tokens, as an instance knows them: fetched now and then, shared through the store, and kept
//! for a while where the issuer does not answer.
//!
//! Fetching goes on after the reply, also when the client that caused it has left: nobody can keep a new key from being
//! found by asking and going away. Whoever needs the outcome looks for it now and then.

mod fetch;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::fetch::fetch;
use super::Denied;
use super::key_set::KeySet;
use super::public_key::PublicKey;
use super::token::TokenError;
use crate::call::Call;
use crate::edge::Edge;
use crate::log;
use crate::request_id::RequestId;
use crate::settings::Issuer;
use crate::store::Store;
use crate::world::World;

/// How long a set is taken without asking for another one, in milliseconds: five minutes.
pub const FRESH_MS: u64 = 300_000;
/// How long the last set stands in where the issuer does not answer, in milliseconds: an hour. A key that its issuer has
/// withdrawn is taken for no longer.
pub const STALE_MS_MAX: u64 = 3_600_000;
/// How long the issuer is not asked again, whatever tokens name, in milliseconds.
pub const ASK_AGAIN_MS: u64 = 10_000;
/// The longest wait of a request for keys that are being fetched.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);
/// The name under which the instances share what they know.
const NAME: &str = "jwks";

/// What an instance knows about the issuer's keys.
#[derive(Debug, Default)]
pub struct IssuerKeys {
    known: RefCell<Option<Rc<Known>>>,
    /// When the instance last began to ask.
    asked_ms: Cell<Option<u64>>,
    is_asking: Rc<Cell<bool>>,
}

/// A set, and what is stored for it.
#[derive(Debug)]
struct Known {
    record: Record,
    keys: KeySet,
}

/// The form in which the instances share a set.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// Where it comes from.
    url: String,
    /// When any instance last began to ask for another one, in milliseconds since 1970.
    asked_ms: u64,
    /// When it was asked for, in milliseconds since 1970.
    fetched_ms: u64,
    /// The set as it came.
    set: String,
}

impl Known {
    fn new(record: Record) -> Option<Self> {
        let keys = KeySet::parse(record.set.as_bytes()).ok()?;
        Some(Self { record, keys })
    }

    /// A set from the future is as old as one from the past.
    fn is_younger_than(&self, age_ms: u64, now_ms: u64) -> bool {
        now_ms.abs_diff(self.record.fetched_ms) < age_ms
    }
}

/// That the keys are being asked for. Dropping it ends that, however it went.
struct Asking(Rc<Cell<bool>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl IssuerKeys {
    /// The key of this name.
    ///
    /// # Errors
    /// [`TokenError::UnknownKey`] where there is none, [`Denied::NoKeys`] where that cannot be said.
    pub async fn find<W: World>(
        &self,
        edge: &Rc<Edge<W>>,
        call: &Call,
        id: &str,
    ) -> Result<PublicKey, Denied> {
        if let Some(known) = self.usable(call.now_ms)
            && let Some(key) = known.keys.find(id)
        {
            if !known.is_younger_than(FRESH_MS, call.now_ms) {
                self.ask(edge, call, id);
            }
            return Ok(key.clone());
        }
        self.ask(edge, call, id);
        let mut waited = Duration::ZERO;
        while self.is_asking.get() && waited < PATIENCE {
            edge.world.sleep(PAUSE).await;
            waited += PAUSE;
        }
        let known = self.usable(call.now_ms).ok_or(Denied::NoKeys)?;
        known.keys.find(id).cloned().ok_or(Denied::Token(TokenError::UnknownKey))
    }

    /// Looks for a younger set after the reply, unless that was done a moment ago.
    fn ask<W: World>(&self, edge: &Rc<Edge<W>>, call: &Call, id: &str) {
        let now_ms = call.now_ms;
        let was_asked = self.asked_ms.get().is_some_and(|asked| now_ms.abs_diff(asked) < ASK_AGAIN_MS);
        if was_asked || self.is_asking.replace(true) {
            return;
        }
        self.asked_ms.set(Some(now_ms));
        let asking = Asking(Rc::clone(&self.is_asking));
        let (asker, call_id, id) = (Rc::clone(edge), call.id.clone(), id.to_owned());
        edge.world.later(async move {
            let _asking = asking;
            let Some(issuer) = asker.settings().ok().and_then(|settings| settings.issuer.as_ref()) else {
                return;
            };
            if let Some(stored) = read(&*asker.store, issuer, &call_id).await {
                asker.issuer_keys.learn(stored);
            }
            asker.issuer_keys.refresh(&asker, issuer, &call_id, &id, now_ms).await;
        });
    }

    /// Asks the issuer, unless another instance has just done so, or has found what is looked for.
    async fn refresh<W: World>(
        &self,
        edge: &Edge<W>,
        issuer: &Issuer,
        call_id: &RequestId,
        id: &str,
        now_ms: u64,
    ) {
        if let Some(known) = self.usable(now_ms) {
            let is_enough = known.is_younger_than(FRESH_MS, now_ms) && known.keys.find(id).is_some();
            if is_enough || now_ms.abs_diff(known.record.asked_ms) < ASK_AGAIN_MS {
                return;
            }
            write(&*edge.store, &Record { asked_ms: now_ms, ..known.record.clone() }, call_id).await;
        }
        match fetch(edge, issuer).await {
            Ok((set, keys)) => {
                let record =
                    Record { url: issuer.keys_url.to_string(), asked_ms: now_ms, fetched_ms: now_ms, set };
                write(&*edge.store, &record, call_id).await;
                self.known.replace(Some(Rc::new(Known { record, keys })));
            }
            Err(error) => log::warn(call_id, format_args!("the keys of the issuer of tokens: {error}")),
        }
    }

    /// What is known, if it is not too old.
    fn usable(&self, now_ms: u64) -> Option<Rc<Known>> {
        self.known.borrow().clone().filter(|known| known.is_younger_than(STALE_MS_MAX, now_ms))
    }

    /// Takes in what the instances share, unless a younger set is known.
    fn learn(&self, stored: Known) {
        let mut known = self.known.borrow_mut();
        if known.as_ref().is_none_or(|known| known.record.fetched_ms <= stored.record.fetched_ms) {
            *known = Some(Rc::new(stored));
        }
    }
}

/// What the instances share, if it is of this issuer. What another version of the edge has written may be of another form.
async fn read(store: &dyn Store, issuer: &Issuer, id: &RequestId) -> Option<Known> {
    match store.get(NAME).await {
        Ok(bytes) => {
            let record: Record = serde_json::from_slice(&bytes?).ok()?;
            Some(record).filter(|record| issuer.keys_url == *record.url).and_then(Known::new)
        }
        Err(error) => {
            log::warn(id, error);
            None
        }
    }
}

async fn write(store: &dyn Store, record: &Record, id: &RequestId) {
    let bytes = serde_json::to_vec(record).unwrap_or_default();
    if let Err(error) = store.set(NAME, &bytes, Some(STALE_MS_MAX / 1000)).await {
        log::warn(id, error);
    }
}

#[cfg(test)]
mod tests;
