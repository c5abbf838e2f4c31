//! Where a brief's answer has its place in the cache.

use std::rc::Rc;

use adlib_shared::brief::Brief;
use adlib_shared::cache_key::{CacheKey, Operation, Scope};
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
    /// The tags of what lies there.
    pub(crate) tags: Vec<Tag>,
    scope: String,
    fingerprint: String,
    lifetime: Lifetime,
}

/// A place in the cache, and the epochs that were current when it was asked for.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) place: Place,
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
        let settings = edge.settings()?;
        let Some(lifetime) = settings.cache.filter(|_| !directives.no_store) else { return Ok(None) };
        let known = edge.models.current(edge, call).await?;
        let Some(model) = known.writer() else { return Ok(None) };
        let scope = caller.tenant.clone();
        let (secret, fingerprint) = (edge.cache_secret()?, model.fingerprint.clone());
        let key = CacheKey::of(
            secret,
            Scope::Tenant(&scope),
            Operation::Copy,
            brief,
            &fingerprint,
            TEMPLATE_REVISION,
        );
        let tags = tags(&scope, &fingerprint, brief.channel.id);
        Ok(Some(Self { key, tags, scope, fingerprint, lifetime: lifetime.of_key(key.as_bytes()) }))
    }
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
        let Place { key, scope, lifetime, .. } = &self.place;
        Question { key: key.as_bytes(), scope, epochs: self.epochs, lifetime: *lifetime, directives, now_s }
    }

    /// How an answer stands that is written now.
    pub(crate) fn newborn(&self) -> Standing {
        Standing { age_s: 0, ttl_s: self.place.lifetime.ttl_s, is_outdated: false }
    }

    /// Where an answer that is asked for at this time is kept.
    pub(crate) fn keep(&self, now_s: u64) -> Keep {
        let Place { key, scope, fingerprint, lifetime, .. } = &self.place;
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
