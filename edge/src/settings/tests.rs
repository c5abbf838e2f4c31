//! Settings, as they are set and as they are described in the manifest.

use std::collections::BTreeMap;

use adlib_shared::limits::{CACHE_TTL_S_DEFAULT, REQUESTS_PER_MINUTE_DEFAULT};

use super::issuer::{NAME_BYTES_MAX, PATH_BYTES_MAX};
use super::*;

const SECRET: &str = "0123456789abcdef";

fn parsed(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut values = BTreeMap::from([("key_pepper", SECRET), ("hop_secret", SECRET)]);
    values.extend(changes.iter().copied());
    Settings::parse(|name| values.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn the_secrets_are_enough_and_the_rest_has_the_contracts_defaults() {
    let settings = parsed(&[]).expect("valid settings");
    assert_eq!(urls(&settings), ["http://127.0.0.1:8080"]);
    assert_eq!(settings.languages, ["en"]);
    let lifetime = Lifetime { ttl_s: CACHE_TTL_S_DEFAULT, while_revalidate_s: 60, if_error_s: 86_400 };
    assert_eq!(settings.cache, Some(lifetime));
    assert_eq!(settings.limits.rate_per_minute, Some(REQUESTS_PER_MINUTE_DEFAULT));
    assert_eq!(settings.limits.failures_per_minute, Some(20));
    assert_eq!(settings.timeouts.connect, Duration::from_secs(2));
}

fn urls(settings: &Settings) -> Vec<String> {
    settings.origins.iter().map(ToString::to_string).collect()
}

#[test]
fn each_further_origin_has_a_variable_and_none_stands_there_twice() {
    let settings = parsed(&[("third_origin_url", "https://c"), ("origin_url", "http://a")]).expect("valid");
    assert_eq!(urls(&settings), ["http://a", "https://c"]);
    let only_another =
        parsed(&[("origin_url", NO_ORIGIN), ("second_origin_url", "http://b")]).expect("valid");
    assert_eq!(urls(&only_another), ["http://b"]);
    for (value, named) in [("http://a/", "second_origin_url"), ("b", "second_origin_url")] {
        let error = parsed(&[("origin_url", "http://a"), ("second_origin_url", value)]).expect_err(value);
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(parsed(&[("origin_url", NO_ORIGIN)]).is_err(), "no origin at all");
}

#[test]
fn a_missing_secret_is_named() {
    for name in ["key_pepper", "hop_secret"] {
        let error = parsed(&[(name, "")]).expect_err(name);
        assert_eq!(error, SettingsError::Missing { name });
    }
}

#[test]
fn a_secret_is_long_enough_or_refused_without_being_shown() {
    assert!(parsed(&[("hop_secret", &SECRET[..SECRET_BYTES_MIN])]).is_ok());
    let error =
        parsed(&[("hop_secret", &SECRET[..SECRET_BYTES_MIN - 1])]).expect_err("too short").to_string();
    assert!(error.contains("hop_secret") && !error.contains(&SECRET[..8]), "{error}");
    let error = parsed(&[("api_keys", "secret:acme")]).expect_err("no entry").to_string();
    assert!(error.contains("api_keys") && !error.contains("acme"), "{error}");
}

const ISSUER: [(&str, &str); 3] = [
    ("jwks_url", "https://issuer.example"),
    ("jwt_issuer", "https://issuer.example/"),
    ("jwt_audience", "adlib"),
];

#[test]
fn an_issuer_of_tokens_is_told_by_three_variables_or_none() {
    assert_eq!(parsed(&[("jwt_tenant_claim", "org")]).expect("valid").issuer, None);
    let issuer = parsed(&ISSUER).expect("valid").issuer.expect("an issuer");
    assert_eq!(issuer.keys_url.to_string(), "https://issuer.example/.well-known/jwks.json");
    assert_eq!((issuer.name.as_str(), issuer.tenant_claim.as_str()), ("https://issuer.example/", "tenant"));
    for (at, (name, _)) in ISSUER.into_iter().enumerate() {
        let (mut without, mut alone) = (ISSUER.to_vec(), ISSUER.to_vec());
        without.remove(at);
        alone.retain(|(other, _)| *other == name);
        let error = parsed(&without).expect_err(name);
        assert!(
            matches!(error, SettingsError::Incomplete { name: missing, .. } if missing == name),
            "{error}"
        );
        assert!(matches!(parsed(&alone), Err(SettingsError::Incomplete { other, .. }) if other == name));
    }
}

#[test]
fn the_keys_of_an_issuer_come_over_tls_or_from_this_machine() {
    let with = |name, value: &str| parsed(&[&ISSUER[..], &[(name, value)]].concat());
    for url in ["https://a", "https://a:8443", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost"] {
        assert!(with("jwks_url", url).is_ok(), "{url}");
    }
    for url in ["http://a", "http://127.0.0.1.a", "https://a/keys", "ftp://a", "a"] {
        let error = with("jwks_url", url).expect_err(url).to_string();
        assert!(error.contains("jwks_url") && error.contains(url), "{error}");
    }
    let long = |length: usize| format!("/{}", "p".repeat(length - 1));
    for (path, is_taken) in [
        ("/keys?p=1", true),
        ("keys", false),
        ("/ a", false),
        ("/a#b", false),
        (&long(PATH_BYTES_MAX), true),
        (&long(PATH_BYTES_MAX + 1), false),
    ] {
        assert_eq!(with("jwks_path", path).is_ok(), is_taken, "{path}");
    }
    for (name, most) in [
        ("jwt_issuer", NAME_BYTES_MAX),
        ("jwt_audience", NAME_BYTES_MAX),
        ("jwt_tenant_claim", PATH_BYTES_MAX),
    ] {
        assert!(
            with(name, &"n".repeat(most)).is_ok() && with(name, &"n".repeat(most + 1)).is_err(),
            "{name}"
        );
    }
}

#[test]
fn zero_switches_cache_and_limits_off() {
    let settings = parsed(&[("cache_ttl_s", "0"), ("rate_per_minute", "0"), ("failures_per_minute", "0")])
        .expect("valid");
    let limits = settings.limits;
    assert_eq!((settings.cache, limits.rate_per_minute, limits.failures_per_minute), (None, None, None));
}

#[test]
fn a_wrong_value_names_the_variable_the_value_and_what_is_allowed() {
    for (name, value, allowed) in [
        ("origin_url", "origin:8080", "http://127.0.0.1:8080"),
        ("cache_ttl_s", "2592001", "0 to 2592000"),
        ("rate_per_minute", "-1", "0 to 60000000"),
        ("origin_connect_ms", "0", "1 to 600000"),
        ("origin_first_byte_ms", "600001", "1 to 600000"),
        ("languages", "en,,de", "en,de-AT"),
        ("languages", "english language", "en,de-AT"),
        ("cors_origins", "*", "https://app.example"),
    ] {
        let error = parsed(&[(name, value)]).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains(value) && error.contains(allowed), "{error}");
    }
}

#[test]
fn several_languages_are_taken() {
    let settings = parsed(&[("languages", "en, de-AT,zh-Hant")]).expect("valid");
    assert_eq!(settings.languages, ["en", "de-AT", "zh-Hant"]);
    assert!(parsed(&[("languages", "*")]).is_ok());
    assert!(parsed(&[("languages", &vec!["en"; LANGUAGES_MAX].join(","))]).is_ok());
    assert!(parsed(&[("languages", &vec!["en"; LANGUAGES_MAX + 1].join(","))]).is_err());
}

#[test]
fn the_manifest_declares_exactly_these_variables_with_these_defaults() {
    let manifest: toml::Table = include_str!("../../../spin.toml").parse().expect("a manifest");
    let declared = manifest["variables"].as_table().expect("a table of variables");
    let passed = manifest["component"]["edge"]["variables"].as_table().expect("the component's variables");
    assert_eq!(declared.len(), VARIABLES.len());
    assert_eq!(passed.len(), VARIABLES.len());
    for Variable { name, default, secret } in VARIABLES {
        let variable = declared.get(name).unwrap_or_else(|| panic!("{name} is not declared"));
        assert_eq!(variable.get("default").and_then(toml::Value::as_str), default, "default of {name}");
        assert_eq!(
            variable.get("required").is_some(),
            default.is_none(),
            "{name} is required or has a default"
        );
        assert_eq!(variable.get("secret").is_some(), secret, "secrecy of {name}");
        assert_eq!(passed[name].as_str(), Some(format!("{{{{ {name} }}}}").as_str()), "{name} is passed on");
    }
}
