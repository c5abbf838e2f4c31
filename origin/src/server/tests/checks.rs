//! Catalogues and checks, which need no model.

use serde_json::{Value, json};

use super::harness::{HTTP, Running};

async fn check(server: &Running, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/v1/check", server.base)).json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn texts_are_checked_before_any_model_is_loaded() {
    let server = Running::loading(HTTP, None).await;
    let mut body =
        json!({"channel": "push", "fields": {"title": "t".repeat(65), "body": "Boils in a minute."}});
    let (status, checked) = check(&server, &body).await;
    assert_eq!((status, &checked["ok"]), (200, &json!(true)), "{checked}");
    body["fields"]["title"] = "t".repeat(66).into();
    let (status, checked) = check(&server, &body).await;
    assert_eq!((status, &checked["ok"]), (200, &json!(false)), "{checked}");
    let broken: Vec<_> =
        checked["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert!(broken.iter().any(|check| check["rule"] == "length" && check["counted"] == 66), "{checked}");
}

#[tokio::test]
async fn a_bad_check_is_refused() {
    let server = Running::loading(HTTP, None).await;
    let (status, problem) = check(&server, &json!({"channel": "push", "fields": {"jingle": "la"}})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{problem}");
}

#[tokio::test]
async fn the_catalogues_list_what_there_is() {
    let server = Running::writing().await;
    for (path, id) in [
        ("/v1/channels", "google_rsa"),
        ("/v1/tones", "witty"),
        ("/v1/frameworks", "aida"),
        ("/v1/models", "scripted"),
    ] {
        let list: Value = server.get(path).await.json().await.unwrap();
        assert_eq!(list["object"], "list", "{path}");
        assert!(list["data"].as_array().unwrap().iter().any(|item| item["id"] == id), "{path}: {list}");
    }
}
