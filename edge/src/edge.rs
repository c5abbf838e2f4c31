//! The edge: what an instance of the component holds, and the way of a request through it.

use std::rc::Rc;

use adlib_shared::keyed_hash::KeyedHash;
use adlib_shared::problem::Code;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::{Method, Request, Response};

use crate::admit::{Look, admit, admit_stranger, strike};
use crate::authenticate::{Caller, Denied, IssuerKeys, Keys, Verified, identify};
use crate::block::Subject;
use crate::cache::Hot;
use crate::call::Call;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::flight::Flights;
use crate::hop::Origins;
use crate::models::Models;
use crate::reply::{Body, Reply};
use crate::route::{Guarded, NoRoute, Route};
use crate::routes::copy::briefs::Briefs;
use crate::routes::{blocks, catalog, check, copy, health, keys, purge, stats, stored};
use crate::security;
use crate::settings::{Settings, SettingsError};
use crate::shelter::Shelter;
use crate::stats::Stats;
use crate::store::{self, Store};
use crate::world::World;

/// What lives as long as the instance, for all its requests.
pub struct Edge<W> {
    /// The runtime.
    pub world: Rc<W>,
    /// What all instances share.
    pub store: Rc<dyn Store>,
    /// The keys that were used a moment ago.
    pub keys: Keys,
    /// What is counted.
    pub stats: Rc<Stats>,
    /// The ways to the origins.
    pub origins: Origins,
    /// The keys that tokens are verified with.
    pub issuer_keys: IssuerKeys,
    /// The tokens that have been verified.
    pub verified: Verified,
    /// Which model the origin runs.
    pub models: Models,
    /// The briefs that came a moment ago.
    pub(crate) briefs: Briefs,
    /// The answers that were given a moment ago.
    pub hot: Hot,
    /// The ways to the origin that have begun.
    pub flights: Flights,
    /// The instance's name among others: a random number.
    pub instance: u128,
    /// What is done while the store does not answer.
    pub shelter: Shelter,
    settings: Result<Settings, SettingsError>,
    cache_secret: KeyedHash,
}

impl<W: World> Edge<W> {
    /// An instance with these settings; with wrong ones it answers only `/healthz`, and tells the log why.
    pub fn new(world: Rc<W>, settings: Result<Settings, SettingsError>) -> Self {
        let derive = |settings: &Settings| settings.keyring.derive("adlib cache key");
        let cache_secret = KeyedHash::new(&settings.as_ref().map_or([0; 32], derive));
        let store = store::open(&world, settings.as_ref().ok().and_then(|settings| settings.redis.as_ref()));
        let origins = Origins::new(settings.as_ref().map_or(&[], |settings| &settings.origins));
        let instance = world.entropy();
        Self {
            world,
            store,
            keys: Keys::default(),
            stats: Rc::default(),
            origins,
            issuer_keys: IssuerKeys::default(),
            verified: Verified::default(),
            models: Models::default(),
            briefs: Briefs::default(),
            hot: Hot::default(),
            flights: Flights::default(),
            instance,
            shelter: Shelter::default(),
            settings,
            cache_secret,
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// `internal` where they are wrong; what is wrong is for the log.
    pub fn settings(&self) -> Result<&Settings, Failure> {
        self.settings
            .as_ref()
            .map_err(|error| Failure::new(Code::Internal, "the edge is not set up").because(error))
    }

    /// The secret of all cache keys.
    ///
    /// # Errors
    /// As for [`settings`](Self::settings).
    pub fn cache_secret(&self) -> Result<&KeyedHash, Failure> {
        self.settings().map(|_| &self.cache_secret)
    }

    /// Answers one request that came at `now_ms`, in milliseconds since 1970.
    pub async fn answer<B>(self: &Rc<Self>, request: Request<B>, now_ms: u64) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let mut call = Call::new(head, now_ms, Rc::clone(&self.stats), || self.world.entropy());
        let mut reply = match self.work(&mut call, body).await {
            Ok(reply) => reply,
            Err(mut failure) => {
                call.record.fail(&failure);
                failure.problem.instance = Some(call.id.as_str().to_owned());
                Reply::problem(failure)
            }
        };
        call.mark(&mut reply.headers);
        security::mark(&mut reply.headers, call.head.uri.scheme());
        if let Ok(settings) = &self.settings {
            settings.cors_origins.mark(call.headers(), &mut reply.headers);
        }
        if !reply.headers.contains_key(CACHE_CONTROL) {
            reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        call.record.reply(reply.status.as_u16());
        let response = reply.into_response(call.head.method == Method::HEAD);
        let ending = Ending::new(Rc::clone(self), call.record);
        response.map(|body| ending.of(body))
    }

    /// Finds the route and does its work.
    async fn work<B>(self: &Rc<Self>, call: &mut Call, body: B) -> Result<Reply, Failure>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let route = match Route::find(&call.head.method, call.head.uri.path()) {
            Ok(route) => route,
            Err(NoRoute::Path) => return Err(Failure::new(Code::NotFound, "no route has this path")),
            Err(NoRoute::Method { allow }) => return Err(Failure::method_not_allowed(allow)),
            Err(NoRoute::Options { allow }) => return self.options(call, allow),
        };
        call.record.find(route.pattern());
        let guarded = match route {
            Route::Index => return catalog::index(),
            Route::Health => return Ok(health::alive()),
            Route::Ready => return Ok(health::ready(self, call).await),
            Route::Guarded(guarded) => guarded,
        };
        let caller = Rc::new(self.caller(call).await?);
        call.record.know(&caller);
        let mut outcome = self.work_for(call, &caller, guarded, body).await;
        if outcome.is_err() && !call.is_counted {
            outcome = admit(self, call, &caller, Look::default()).await.and(outcome);
        }
        outcome.inspect_err(|failure| strike(self, call, Subject::Key(caller.key), failure))
    }

    /// Who asks. A request of nobody who is known is counted here.
    async fn caller(self: &Rc<Self>, call: &mut Call) -> Result<Caller, Failure> {
        match identify(self, call, self.settings()?).await {
            Ok(caller) => Ok(caller),
            Err(denied @ (Denied::Store(_) | Denied::Record(_) | Denied::NoKeys)) => Err(denied.into()),
            Err(denied) => {
                let failure = admit_stranger(self, call).await.err().unwrap_or_else(|| denied.into());
                strike(self, call, Subject::Address(call.address), &failure);
                Err(failure)
            }
        }
    }

    /// The work of a route for somebody. What copies are asked for counts itself, with what they look up.
    async fn work_for<B>(
        self: &Rc<Self>,
        call: &mut Call,
        caller: &Rc<Caller>,
        route: Guarded,
        body: B,
    ) -> Result<Reply, Failure>
    where
        B: http_body::Body<Data = Bytes>,
    {
        if !matches!(route, Guarded::Copy | Guarded::Batch | Guarded::Stored) {
            admit(self, call, caller, Look::default()).await?;
        }
        match route {
            Guarded::Copy => copy::copy(self, call, caller, body).await,
            Guarded::Batch => copy::batch::batch(self, call, caller, body).await,
            Guarded::Stored => stored::stored(self, call, caller).await,
            Guarded::Purge => purge::purge(self, call, caller, body).await,
            Guarded::Check => check::check(call, caller, body).await,
            Guarded::Channels => catalog::channels(call),
            Guarded::Tones => catalog::tones(call),
            Guarded::Frameworks => catalog::frameworks(call),
            Guarded::Models => catalog::models(self, call).await,
            Guarded::Blocks if call.head.method == Method::POST => {
                blocks::add(self, call, caller, body).await
            }
            Guarded::Blocks => blocks::list(self, call, caller).await,
            Guarded::Block => blocks::end(self, call, caller).await,
            Guarded::Keys if call.head.method == Method::POST => keys::create(self, call, caller, body).await,
            Guarded::Keys => keys::list(self, call, caller).await,
            Guarded::Key if call.head.method == Method::DELETE => keys::revoke(self, call, caller).await,
            Guarded::Key => keys::show(self, call, caller).await,
            Guarded::Rotate => keys::rotate(self, call, caller, body).await,
            Guarded::Stats => stats::stats(self, caller).await,
            Guarded::Metrics => stats::metrics(self, caller).await,
        }
    }

    /// `OPTIONS`: the route's methods, and the answer to a browser's preflight.
    fn options(&self, call: &Call, allow: &'static str) -> Result<Reply, Failure> {
        let mut reply = Reply::no_content();
        reply.headers.insert(ALLOW, HeaderValue::from_static(allow));
        if let Some(types) = Route::accepts_query(call.head.uri.path()) {
            reply.headers.insert("accept-query", HeaderValue::from_static(types));
        }
        self.settings()?.cors_origins.mark_preflight(call.headers(), allow, &mut reply.headers);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests;
