use super::*;

const WHOLE: &str = r#"
    spin_manifest_version = 2
    [application]
    name = "adlib"
    version = "0.1.0"
    [variables]
    origin_url = { default = "http://127.0.0.1:8080" }
    secret = { required = true, secret = true, description = "shared with the origin" }
    [[trigger.http]]
    route = "/..."
    component = "edge"
    [component.edge]
    source = "target/edge.wasm"
    key_value_stores = ["default"]
    allowed_outbound_hosts = ["{{ origin_url }}"]
    environment = { RUST_BACKTRACE = "1" }
    [component.edge.variables]
    origin = "{{ origin_url }}"
    [component.edge.build]
    command = "cargo build"
    watch = ["src/**/*.rs"]
"#;

fn error(manifest: &str) -> String {
    Manifest::parse(manifest, Path::new("/app")).unwrap_err().to_string()
}

#[test]
fn a_whole_manifest_is_read() {
    let manifest = Manifest::parse(WHOLE, Path::new("/app")).unwrap();
    assert_eq!(manifest.component, "edge");
    assert_eq!(manifest.source, Path::new("/app/target/edge.wasm"));
    assert_eq!(manifest.variables["origin_url"].as_deref(), Some("http://127.0.0.1:8080"));
    assert_eq!(manifest.variables["secret"], None);
    assert_eq!(manifest.key_value_stores, BTreeSet::from(["default".to_owned()]));
    assert_eq!(manifest.environment["RUST_BACKTRACE"], "1");
    assert_eq!(manifest.allowed_outbound_hosts.len(), 1);
}

#[test]
fn what_the_host_does_not_offer_is_refused_by_name() {
    let with = |line: &str| WHOLE.replace("key_value_stores", &format!("{line}\nkey_value_stores"));
    assert!(error(&with("sqlite_databases = [\"default\"]")).contains("sqlite_databases"));
    assert!(error(&with("ai_models = [\"llama2-chat\"]")).contains("ai_models"));
    assert!(error(&with("files = [\"static\"]")).contains("files"));
    assert!(error(&WHOLE.replace("[[trigger.http]]", "[[trigger.redis]]")).contains("redis"));
}

#[test]
fn version_trigger_and_component_must_fit() {
    assert!(error(&WHOLE.replace("version = 2", "version = 1")).contains("version is 1"));
    assert!(error(&WHOLE.replace("component = \"edge\"", "component = \"other\"")).contains("`other`"));
    let none = WHOLE.replace("[[trigger.http]]\n    route = \"/...\"\n    component = \"edge\"", "[trigger]");
    assert!(error(&none).contains("no [[trigger.http]]"));
    let second = "[[trigger.http]]\nroute = \"/b\"\ncomponent = \"other\"\n[component.edge]\n";
    assert!(error(&WHOLE.replace("[component.edge]\n", second)).contains("`edge` and `other`"));
}

#[test]
fn variables_have_a_name_and_either_a_default_or_a_requirement() {
    let with = |line: &str| WHOLE.replace("[variables]", &format!("[variables]\n{line}"));
    assert!(error(&with("a = {}")).contains("`a` has neither"));
    assert!(error(&with("a = { default = \"1\", required = true }")).contains("`a` has a default and"));
    for name in ["A", "a__b", "a_", "1a", "a_1", "\"a-b\"", "_a"] {
        assert!(
            error(&with(&format!("{name} = {{ default = \"\" }}"))).contains("no name of a variable"),
            "{name}"
        );
    }
}

#[test]
fn a_broken_template_says_where() {
    assert!(error(&WHOLE.replace("[\"{{ origin_url }}\"]", "[\"{{ origin_url\"]")).contains("outbound host"));
}
