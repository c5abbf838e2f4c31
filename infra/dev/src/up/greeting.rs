//! What a person reads once everything runs.

use crate::state::State;
use crate::up::key::DevelopmentKey;

/// A brief that the default model knows how to answer.
const BRIEF: &str = r#"{"channel": "push", "product": {"name": "Juniper", "description": "A bread knife made in Sheffield that stays sharp for ten years"}}"#;

pub(super) fn print(url: &str, key: &DevelopmentKey, state: &State) {
    let key = key.text();
    println!(
        "
Adlib answers at {url}
The development key of this machine, for all scopes, is {key}

A first copy (the second time the edge's cache answers, as the header cache-status says):

curl -i {url}/v1/copy \\
  -H 'authorization: Bearer {key}' \\
  -H 'content-type: application/json' \\
  -d '{BRIEF}'

Logs: {origin}
      {edge}
Ctrl-C stops both.",
        origin = state.path("origin.log").display(),
        edge = state.path("edge.log").display(),
    );
}
