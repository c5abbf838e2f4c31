//! `GET /healthz` and `GET /readyz`: alive, and able to serve.

use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;

use crate::answer;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::hop::{Ask, NO_TENANT};
use crate::log;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

/// Whether the edge is able to serve, and why not.
#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasons: Vec<Problem>,
}

/// `GET /healthz`: the component runs.
pub fn alive() -> Reply {
    Reply::json(&br#"{"status":"alive"}"#[..])
}

/// `GET /readyz`: the settings are valid and the origin says that it is ready.
pub async fn ready<W: World>(edge: &Edge<W>, call: &Call) -> Reply {
    let outcome = match edge.settings() {
        Ok(settings) => ask(&edge.world, settings, call).await,
        Err(failure) => Err(failure),
    };
    let (status, readiness) = match outcome {
        Ok(()) => (StatusCode::OK, Readiness { status: "ready", reasons: Vec::new() }),
        Err(failure) => {
            log::failure(&call.id, &failure);
            let readiness = Readiness { status: "not_ready", reasons: vec![*failure.problem] };
            (StatusCode::SERVICE_UNAVAILABLE, readiness)
        }
    };
    Reply::new(status, "application/json", serde_json::to_vec(&readiness).unwrap_or_default())
}

async fn ask<W: World>(world: &W, settings: &Settings, call: &Call) -> Result<(), Failure> {
    let ask = Ask {
        method: Method::GET,
        route: "/readyz",
        tenant: NO_TENANT,
        accept: "application/json",
        body: Bytes::new(),
        timeouts: settings.timeouts.short(),
    };
    let (head, body) = ask.send(world, settings, call).await?.into_parts();
    if head.status == StatusCode::OK {
        return Ok(());
    }
    if head.status == StatusCode::SERVICE_UNAVAILABLE {
        let said = answer::whole(body, answer::PROBLEM_BYTES_MAX).await?;
        let failure = Failure::new(Code::OriginUnavailable, "the origin is not ready");
        return Err(failure.because(String::from_utf8_lossy(&said)));
    }
    Err(answer::failure(&head, body).await)
}
