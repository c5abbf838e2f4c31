//! Which model the origin runs: part of every cache key, so that a new model never answers with an old one's copy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use adlib_shared::catalog::{List, ModelInfo};
use adlib_shared::problem::Code;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::hop::{Ask, NO_TENANT};
use crate::log;
use crate::request_id::RequestId;
use crate::settings::Settings;
use crate::store::Store;
use crate::world::World;

/// How long the origin is taken to run the model that it named, in milliseconds. After a change of model the edge
/// may answer so long from the old one's entries.
pub const FRESH_MS: u64 = 5_000;
/// How long the last known model stands in where the origin does not answer, in milliseconds: a day.
pub const STALE_MS_MAX: u64 = 24 * 3_600_000;
/// How long the origin is not asked again while it has not answered, in milliseconds.
pub const RETRY_AFTER_MS: u64 = 2_000;
/// Largest list of models, in bytes.
pub const MODELS_BYTES_MAX: usize = 64 * 1024;

/// What an instance knows about the origin's models.
///
/// While one request asks, others take the last known list. None waits for another, because the runtime could not wake
/// a request that only waits for another one.
#[derive(Debug, Default)]
pub struct Models {
    known: RefCell<Option<Rc<Known>>>,
    /// When a request last began to ask.
    asked_ms: Cell<Option<u64>>,
}

/// A list of models as the origin gave it. This is also the form in which the instances share it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// When the origin gave it, in milliseconds since 1970.
    pub asked_ms: u64,
    /// The list.
    pub list: List<ModelInfo>,
}

impl Known {
    /// The model that writes copy: the first.
    pub fn writer(&self) -> Option<&ModelInfo> {
        self.list.data.first()
    }

    fn is_younger_than(&self, age_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.asked_ms) < age_ms
    }
}

impl Models {
    /// What the origin runs, not older than [`FRESH_MS`] if it answers.
    ///
    /// # Errors
    /// The origin's failure, where nothing is known that could stand in.
    pub async fn current<W: World>(&self, edge: &Rc<Edge<W>>, call: &Call) -> Result<Rc<Known>, Failure> {
        let settings = edge.settings()?;
        let last =
            self.known.borrow().clone().filter(|known| known.is_younger_than(STALE_MS_MAX, call.now_ms));
        let asked =
            self.asked_ms.get().is_some_and(|asked| call.now_ms.saturating_sub(asked) < RETRY_AFTER_MS);
        if let Some(last) = last
            && (asked || last.is_younger_than(FRESH_MS, call.now_ms))
        {
            return Ok(last);
        }
        self.asked_ms.set(Some(call.now_ms));
        if let Some(stored) = read(&*edge.store, &name(settings), call).await {
            self.remember(stored);
        }
        let last =
            self.known.borrow().clone().filter(|known| known.is_younger_than(STALE_MS_MAX, call.now_ms));
        if let Some(fresh) = last.clone().filter(|known| known.is_younger_than(FRESH_MS, call.now_ms)) {
            return Ok(fresh);
        }
        match ask(edge, settings, call).await {
            Ok(fresh) => {
                share(edge, call);
                Ok(self.remember(fresh))
            }
            Err(failure) => {
                log::failure(&call.id, &failure);
                last.ok_or(failure)
            }
        }
    }

    /// Takes a list in, unless a younger one is known.
    fn remember(&self, list: Known) -> Rc<Known> {
        let mut known = self.known.borrow_mut();
        match known.as_ref().filter(|known| known.asked_ms > list.asked_ms) {
            Some(younger) => Rc::clone(younger),
            None => Rc::clone(known.insert(Rc::new(list))),
        }
    }

    /// Forgets what is known, because an answer came from another model. The store is overwritten by the next list.
    pub async fn forget(&self, store: &dyn Store, settings: &Settings, id: &RequestId) {
        self.known.replace(None);
        self.asked_ms.set(None);
        if let Err(error) = store.delete(&name(settings)).await {
            log::warn(id, error);
        }
    }
}

/// The name under which the instances share what they know.
fn name(settings: &Settings) -> String {
    let origins: Vec<String> = settings.origins.iter().map(ToString::to_string).collect();
    format!("models/{}", origins.join(","))
}

async fn ask<W: World>(edge: &Edge<W>, settings: &Settings, call: &Call) -> Result<Known, Failure> {
    let ask = Ask {
        method: Method::GET,
        route: "/v1/models",
        tenant: NO_TENANT,
        prefix: "/v1/models",
        accept: "application/json",
        body: Bytes::new(),
        timeouts: settings.timeouts.short(),
    };
    let (head, body) = ask.send(edge, call).await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(answer::failure(&head, body).await);
    }
    let body = answer::whole(body, MODELS_BYTES_MAX).await?;
    let unreadable = |cause: String| {
        Failure::new(Code::OriginFailed, "the origin's list of models cannot be read").because(cause)
    };
    let list: List<ModelInfo> =
        serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
    if list.data.is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(Known { asked_ms: call.now_ms, list })
}

async fn read(store: &dyn Store, name: &str, call: &Call) -> Option<Known> {
    match store.get(name).await {
        // What another version of the edge has written may be of another form; it is overwritten.
        Ok(bytes) => serde_json::from_slice(&bytes?).ok(),
        Err(error) => {
            log::warn(&call.id, error);
            None
        }
    }
}

/// Lets the other instances know, after the reply: what is known then, if it has not been forgotten.
fn share<W: World>(edge: &Rc<Edge<W>>, call: &Call) {
    let (sharer, id) = (Rc::clone(edge), call.id.clone());
    edge.world.later(async move {
        let Some(known) = sharer.models.known.borrow().clone() else { return };
        let Ok(settings) = sharer.settings() else { return };
        let bytes = serde_json::to_vec(&*known).unwrap_or_default();
        if let Err(error) = sharer.store.set(&name(settings), &bytes, Some(STALE_MS_MAX / 1000)).await {
            log::warn(&id, error);
        }
    });
}

#[cfg(test)]
mod tests;
