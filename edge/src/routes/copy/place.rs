//! Where a brief's answer has its place in the cache.

use std::rc::Rc;

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::{CacheKey, Operation, Scope};
use adlib_shared::keyed_hash::KeyedHash;
use adlib_shared::purge::Tag;

use crate::authenticate::Caller;
use crate::cache::{Directives, Epochs, Lifetime, Question, Stamp, Standing};
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::keep::Keep;
use crate::world::World;

/// The revision of what the edge makes of a brief beyond the brief itself. The origin's card is part of the model's
/// fingerprint.
const TEMPLATE_REVISION: u32 = 1;

/// A place in the cache, before the store was asked.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) key: CacheKey,
    /// The names of the epochs under which something lies there.
    pub(crate) epochs: Vec<String>,
    /// The model for which the key was made.
    pub(crate) fingerprint: String,
    scope: String,
    lifetime: Lifetime,
}

/// A place in the cache, and the epochs that were current when it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) place: Rc<Place>,
    pub(crate) epochs: Epochs,
}

impl Place {
    /// The place of a brief; `None` where the cache takes no part.
    ///
    /// # Errors
    /// The origin's failure, where the model is not known without it.
    pub(crate) async fn of<W: World>(
        edge: &Rc<Edge<W>>,
        call: &Call,
        caller: &Caller,
        brief: &Brief,
        directives: &Directives,
    ) -> Result<Option<Self>, Failure> {
        let Some((lifetime, fingerprint)) = model(edge, call, directives).await? else { return Ok(None) };
        Ok(Some(Self::under(edge.cache_secret()?, &caller.tenant, brief, lifetime, fingerprint)))
    }

    /// The place of a brief for a model.
    pub(super) fn under(
        secret: &KeyedHash,
        scope: &str,
        brief: &Brief,
        lifetime: Lifetime,
        fingerprint: String,
    ) -> Self {
        let tenant = Scope::Tenant(scope);
        let key = CacheKey::of(secret, tenant, Operation::Copy, brief, &fingerprint, TEMPLATE_REVISION);
        let epochs = Epochs::names(&tags(scope, &fingerprint, brief.channel.id));
        let lifetime = lifetime.of_key(key.as_bytes());
        Self { key, epochs, fingerprint, scope: scope.to_owned(), lifetime }
    }

    /// How an answer stands that is written now.
    pub(crate) fn newborn(&self) -> Standing {
        Standing { age_s: 0, ttl_s: self.lifetime.ttl_s, is_outdated: false }
    }
}

/// How long answers serve, and the fingerprint of the model that writes them; `None` where the cache takes no part.
///
/// # Errors
/// The origin's failure, where the model is not known without it.
pub(super) async fn model<W: World>(
    edge: &Rc<Edge<W>>,
    call: &Call,
    directives: &Directives,
) -> Result<Option<(Lifetime, String)>, Failure> {
    let Some(lifetime) = edge.settings()?.cache.filter(|_| !directives.no_store) else { return Ok(None) };
    let known = edge.models.current(edge, call).await?;
    Ok(known.writer().map(|model| (lifetime, model.fingerprint.clone())))
}

/// The tags of a copy.
pub(crate) fn tags(scope: &str, fingerprint: &str, channel: &'static str) -> Vec<Tag> {
    vec![
        Tag::All,
        Tag::Tenant(scope.to_owned()),
        Tag::Model(fingerprint.to_owned()),
        Tag::Channel(channel),
        Tag::Template(TEMPLATE_REVISION.into()),
    ]
}

impl Current {
    /// The key.
    pub(crate) fn key(&self) -> CacheKey {
        self.place.key
    }

    /// What a request asks of the cache here.
    pub(crate) fn question(&self, directives: Directives, now_s: u64) -> Question<'_> {
        let Place { key, scope, lifetime, .. } = &*self.place;
        Question { key: key.as_bytes(), scope, epochs: self.epochs, lifetime: *lifetime, directives, now_s }
    }

    /// Where an answer that is asked for at this time is kept.
    pub(crate) fn keep(&self, now_s: u64) -> Keep {
        let Place { key, scope, fingerprint, lifetime, .. } = &*self.place;
        let stamp = Stamp {
            key: *key.as_bytes(),
            scope: scope.clone(),
            created_s: now_s,
            ttl_s: lifetime.ttl_s as u32,
            epochs: self.epochs,
        };
        Keep { stamp, fingerprint: fingerprint.clone(), lifetime: *lifetime, lead: None }
    }
}
