//! Key-value stores as the guest uses them.

use adlib_edge_host::Stores;
use http::Method;

use crate::harness::start;

#[tokio::test]
async fn values_are_set_read_listed_and_deleted() {
    let harness = start(|_| ()).await;
    assert_eq!(harness.get("/kv/default/a").await.status, 404);
    assert_eq!(harness.send(Method::PUT, "/kv/default/a", "one").await.text, "set");
    assert_eq!(harness.send(Method::PUT, "/kv/second/b", "two").await.text, "set");
    assert_eq!(harness.get("/kv/default/a").await.text, "one");
    assert_eq!(harness.get("/kv/second/a").await.status, 404, "stores are apart");
    assert_eq!(harness.send(Method::HEAD, "/kv/default/a", "").await.status, 200);
    assert_eq!(harness.get("/keys/default").await.text, "a");
    assert_eq!(harness.send(Method::DELETE, "/kv/default/a", "").await.text, "deleted");
    assert_eq!(harness.send(Method::HEAD, "/kv/default/a", "").await.status, 404);
}

#[tokio::test]
async fn a_store_the_manifest_does_not_grant_is_denied() {
    let harness = start(|_| ()).await;
    let reply = harness.get("/kv/secret/a").await;
    assert_eq!(reply.status, 500);
    assert!(reply.text.to_lowercase().contains("access"), "{}", reply.text);
}

#[tokio::test]
async fn a_restart_keeps_what_is_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::Folder(folder.path().join("state"));
    let harness = start(|config| config.stores = stores.clone()).await;
    assert_eq!(harness.send(Method::PUT, "/kv/default/a", "kept").await.status, 200);
    assert!(harness.host.shutdown().await);
    let harness = start(|config| config.stores = stores).await;
    assert_eq!(harness.get("/kv/default/a").await.text, "kept");
}

#[tokio::test]
async fn keys_and_values_are_kept_at_their_limit_and_refused_one_past_it() {
    let harness = start(|config| {
        config.limits.key_bytes_max = 4;
        config.limits.value_bytes_max = 8;
    })
    .await;
    assert_eq!(harness.send(Method::PUT, "/kv/default/four", "12345678").await.status, 200);
    let reply = harness.send(Method::PUT, "/kv/default/four5", "1").await;
    assert!(reply.text.contains("the key has 5 bytes, at most 4"), "{}", reply.text);
    let reply = harness.send(Method::PUT, "/kv/default/four", "123456789").await;
    assert!(reply.text.contains("the value has 9 bytes, at most 8"), "{}", reply.text);
    assert_eq!(harness.get("/kv/default/four").await.text, "12345678", "a refused write changes nothing");
}

#[tokio::test]
async fn an_instance_opens_as_many_stores_as_it_may() {
    let harness = start(|config| config.limits.open_stores_max = 3).await;
    assert_eq!(harness.get("/stores/3").await.text, "3 open");
    // The guest has dropped its handles, so the count starts again.
    assert!(harness.get("/stores/4").await.text.starts_with("3 "), "one past the limit");
    assert_eq!(harness.get("/stores/3").await.text, "3 open");
}
