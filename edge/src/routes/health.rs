//! `GET /healthz` and `GET /readyz`: alive, and able to serve.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::call::Call;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::hop::{Ask, NO_TENANT};
use crate::log;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

/// Whether briefs are taken, as edge and origin both say it.
#[derive(Debug, Serialize, Deserialize)]
struct Readiness {
    ready: bool,
    /// Why not; empty where ready.
    reasons: Vec<String>,
}

/// `GET /healthz`: the component runs.
pub fn alive() -> Reply {
    Reply::new(StatusCode::OK, "text/plain; charset=utf-8", &b"ok\n"[..])
}

/// `GET /readyz`: the settings are valid and the origin says that it is ready.
pub async fn ready<W: World>(edge: &Edge<W>, call: &Call) -> Reply {
    let outcome = match edge.settings() {
        Ok(settings) => ask(edge, settings, call).await,
        Err(failure) => Err(failure),
    };
    let reasons = outcome.unwrap_or_else(|failure| {
        log::failure(&call.id, &failure);
        vec![failure.problem.detail.clone()]
    });
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_vec(&Readiness { ready, reasons }).unwrap_or_default();
    Reply::new(status, "application/json", body)
}

/// What keeps the origin from serving; nothing where it is ready.
async fn ask<W: World>(edge: &Edge<W>, settings: &Settings, call: &Call) -> Result<Vec<String>, Failure> {
    let ask = Ask {
        method: Method::GET,
        route: "/readyz",
        tenant: NO_TENANT,
        prefix: "/readyz",
        accept: "application/json",
        body: Bytes::new(),
        timeouts: settings.timeouts.short(),
    };
    let (head, body) = ask.send(edge, call).await?.into_parts();
    match head.status {
        StatusCode::OK => Ok(Vec::new()),
        StatusCode::SERVICE_UNAVAILABLE => {
            let body = answer::whole(body, answer::PROBLEM_BYTES_MAX).await?;
            let said: Option<Readiness> = serde_json::from_slice(&body).ok();
            let reasons = said.map(|said| said.reasons).unwrap_or_default();
            let known = reasons.into_iter().map(|reason| format!("origin: {reason}"));
            Ok(known.chain(["the origin is not ready".to_owned()]).collect())
        }
        _ => Err(answer::failure(&head, body).await),
    }
}
