//! Which tokens are taken, and why others are not.

use serde_json::{Value, json};

use super::signer::{NOW_S, Signer, claims, issuer, key_set};
use super::*;
use crate::authenticate::Scope;
use crate::authenticate::key_set::KeySet;

fn ed25519() -> Signer {
    Signer::ed25519("one", 1)
}

fn p256() -> Signer {
    Signer::p256("two", 2)
}

/// What becomes of a token where the issuer publishes both keys.
fn asked(token: &str) -> Result<Claims, TokenError> {
    let keys = KeySet::parse(key_set(&[&ed25519(), &p256()]).as_bytes()).expect("a set");
    let token = Token::parse(token, &issuer(), NOW_S)?;
    let key = keys.find(&token.key_id).ok_or(TokenError::UnknownKey)?.clone();
    token.verify(&key, &Verified::default())
}

fn with_claims(changes: Value) -> Result<Claims, TokenError> {
    asked(&ed25519().token(&claims(changes)))
}

fn with_header(changes: Value) -> Result<Claims, TokenError> {
    let mut header = ed25519().header();
    if let (Some(header), Value::Object(changes)) = (header.as_object_mut(), changes) {
        header.extend(changes);
        header.retain(|_, value| !value.is_null());
    }
    asked(&ed25519().token_of(&header.to_string(), &claims(json!({})).to_string()))
}

#[test]
fn a_token_of_either_algorithm_says_who_bears_it() {
    for signer in [ed25519(), p256()] {
        let claims = asked(&signer.token(&claims(json!({})))).expect("a valid token");
        assert_eq!((claims.tenant.as_str(), claims.subject.as_str()), ("acme", "user-1"));
        assert_eq!(claims.scopes, [Scope::Copy]);
    }
}

#[test]
fn the_claims_have_to_be_there_for_us_and_of_their_form() {
    for (changes, error) in [
        (json!({"iss": null}), TokenError::Claim("iss")),
        (json!({"iss": "https://issuer.example/"}), TokenError::Issuer),
        (json!({"iss": ["https://issuer.example"]}), TokenError::Claim("iss")),
        (json!({"aud": null}), TokenError::Claim("aud")),
        (json!({"aud": "adlib2"}), TokenError::Audience),
        (json!({"aud": []}), TokenError::Audience),
        (json!({"aud": ["other", "more"]}), TokenError::Audience),
        (json!({"aud": ["adlib", 1]}), TokenError::Claim("aud")),
        (json!({"sub": null}), TokenError::Claim("sub")),
        (json!({"sub": ""}), TokenError::Claim("sub")),
        (json!({"sub": "a\nb"}), TokenError::Claim("sub")),
        (json!({"sub": 7}), TokenError::Claim("sub")),
        (json!({"tenant": null}), TokenError::Claim("of the tenant")),
        (json!({"tenant": "-"}), TokenError::Claim("of the tenant")),
        (json!({"tenant": "a/b"}), TokenError::Claim("of the tenant")),
        (json!({"tenant": ["acme"]}), TokenError::Claim("of the tenant")),
        (json!({"scope": ["copy"]}), TokenError::Claim("scope")),
        (json!({"exp": null}), TokenError::Claim("exp")),
        (json!({"exp": "1800000000"}), TokenError::Claim("exp")),
        (json!({"exp": -1}), TokenError::Claim("exp")),
        (json!({"nbf": "now"}), TokenError::Claim("nbf")),
        (json!({"iat": true}), TokenError::Claim("iat")),
    ] {
        assert_eq!(with_claims(changes.clone()), Err(error), "{changes}");
    }
    for changes in [
        json!({"aud": ["other", "adlib"]}),
        json!({"iat": null, "nbf": null}),
        json!({"exp": 1_800_000_000.5}),
        json!({"azp": "somebody", "cnf": {"jkt": "x"}}),
    ] {
        assert!(with_claims(changes.clone()).is_ok(), "{changes}");
    }
}

#[test]
fn times_are_kept_but_for_the_leeway() {
    for (changes, outcome) in [
        (json!({"exp": NOW_S - CLOCK_LEEWAY_S + 1}), None),
        (json!({"exp": NOW_S - CLOCK_LEEWAY_S}), Some(TokenError::Expired)),
        (json!({"exp": u64::MAX}), None),
        (json!({"exp": 0}), Some(TokenError::Expired)),
        (json!({"nbf": NOW_S + CLOCK_LEEWAY_S}), None),
        (json!({"nbf": NOW_S + CLOCK_LEEWAY_S + 1}), Some(TokenError::NotYet)),
        (json!({"iat": NOW_S + CLOCK_LEEWAY_S}), None),
        (json!({"iat": NOW_S + CLOCK_LEEWAY_S + 1}), Some(TokenError::NotYet)),
    ] {
        assert_eq!(with_claims(changes.clone()).err(), outcome, "{changes}");
    }
}

#[test]
fn only_our_scopes_count_and_without_any_the_bearer_may_do_nothing() {
    for (scope, expected) in [
        (json!("copy admin"), &[Scope::Copy, Scope::Admin][..]),
        (json!("admin copy:write Copy  admin"), &[Scope::Admin]),
        (json!(""), &[]),
        (json!("copy,admin"), &[]),
        (Value::Null, &[]),
    ] {
        assert_eq!(
            with_claims(json!({ "scope": scope })).expect("a valid token").scopes,
            expected,
            "{scope}"
        );
    }
}

#[test]
fn the_tenant_may_stand_in_another_claim_even_in_the_subject() {
    let issuer = |claim: &str| Issuer { tenant_claim: claim.to_owned(), ..issuer() };
    let token = ed25519().token(&claims(json!({"sub": "acme-2", "https://adlib.example/tenant": "beta"})));
    for (claim, tenant) in
        [("sub", Some("acme-2")), ("https://adlib.example/tenant", Some("beta")), ("org", None)]
    {
        let parsed = Token::parse(&token, &issuer(claim), NOW_S);
        assert_eq!(parsed.ok().map(|token| token.claims.tenant).as_deref(), tenant, "{claim}");
    }
}

#[test]
fn the_header_names_a_known_algorithm_a_key_and_nothing_that_has_to_be_understood() {
    for (changes, error) in [
        (json!({"alg": null}), TokenError::Algorithm),
        (json!({"alg": "none"}), TokenError::Algorithm),
        (json!({"alg": "None"}), TokenError::Algorithm),
        (json!({"alg": "HS256"}), TokenError::Algorithm),
        (json!({"alg": "RS256"}), TokenError::Algorithm),
        (json!({"alg": "Ed448"}), TokenError::Algorithm),
        (json!({"alg": ["EdDSA"]}), TokenError::Algorithm),
        (json!({"alg": "ES256"}), TokenError::OtherAlgorithm),
        (json!({"kid": null}), TokenError::KeyId),
        (json!({"kid": ""}), TokenError::KeyId),
        (json!({"kid": 1}), TokenError::KeyId),
        (json!({"kid": "k".repeat(KEY_ID_BYTES_MAX)}), TokenError::UnknownKey),
        (json!({"kid": "k".repeat(KEY_ID_BYTES_MAX + 1)}), TokenError::KeyId),
        (json!({"kid": "two"}), TokenError::OtherAlgorithm),
        (json!({"kid": "three"}), TokenError::UnknownKey),
        (json!({"typ": "logout+jwt"}), TokenError::Type),
        (json!({"typ": 1}), TokenError::Type),
        (json!({"crit": ["b64"], "b64": false}), TokenError::Type),
        (json!({"crit": []}), TokenError::Type),
    ] {
        assert_eq!(with_header(changes.clone()), Err(error), "{changes}");
    }
    let other = Signer::ed25519("three", 3).jwk();
    for changes in [
        json!({"alg": "Ed25519"}),
        json!({"typ": "JWT"}),
        json!({"typ": "at+JWT"}),
        // A key that the token brings along, or the place of one, is not looked at.
        json!({"jwk": other, "jku": "https://elsewhere.example/keys", "x5u": "https://elsewhere.example"}),
    ] {
        assert!(with_header(changes.clone()).is_ok(), "{changes}");
    }
}

#[test]
fn a_token_that_its_key_has_not_signed_is_refused() {
    let [good, body] = [claims(json!({})), claims(json!({"tenant": "other"}))];
    let token = ed25519().token(&good);
    let signed = |token: &str| token.rsplit_once('.').expect("parts").0.to_owned();
    let signature = |token: &str| token.rsplit_once('.').expect("parts").1.to_owned();
    let foreign = Signer::ed25519("one", 9).token(&good);
    let other_claims = signed(&ed25519().token(&body));
    for (name, forged) in [
        ("another secret of the same name", foreign),
        ("the claims of another token", format!("{other_claims}.{}", signature(&token))),
        ("no signature of a curve", format!("{}.{}", signed(&token), BASE64URL_NOPAD.encode(&[0xff; 64]))),
        (
            "nothing but zeros",
            format!("{}.{}", signed(&p256().token(&good)), BASE64URL_NOPAD.encode(&[0; 64])),
        ),
    ] {
        assert_eq!(asked(&forged), Err(TokenError::Signature), "{name}");
    }
}

#[test]
fn the_public_key_is_no_secret_of_an_hmac() {
    use adlib_shared::keyed_hash::KeyedHash;
    let Signer::Ed25519(_, key) = ed25519() else { return };
    let documents = [r#"{"alg":"HS256","kid":"one"}"#.to_owned(), claims(json!({})).to_string()];
    let signed = documents.map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let tag = KeyedHash::new(key.verifying_key().as_bytes()).of(signed.as_bytes());
    let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(&tag));
    assert!(matches!(asked(&token), Err(TokenError::Form | TokenError::Algorithm)));
    let padded = format!("{signed}.{}", BASE64URL_NOPAD.encode(&[tag, tag].concat()));
    assert_eq!(asked(&padded), Err(TokenError::Algorithm));
}

#[test]
fn there_is_one_way_to_write_a_token() {
    let token = ed25519().token(&claims(json!({})));
    let parts: Vec<&str> = token.split('.').collect();
    let [header, body, signature] = parts[..] else { panic!("three parts") };
    // The last character of 64 bytes holds four bits that have to be zero.
    let last = signature.chars().last().expect("a signature");
    let slack = char::from(last as u8 + 1);
    for forged in [
        format!("{token}A"),
        format!("{token}="),
        format!("{token}=="),
        format!("{token} "),
        format!("{header}=.{body}.{signature}"),
        format!("{header}.{body}\n.{signature}"),
        format!("{header}.{body}.{}{slack}", &signature[..signature.len() - 1]),
        format!("{header}.{body}."),
        format!("{header}.{body}"),
        format!("{header}.{body}.{signature}.{signature}"),
        format!("{header}.{body}.{}", signature.replace('-', "+").replace('_', "/")),
        "..".to_owned(),
        String::new(),
    ] {
        assert_eq!(asked(&forged), Err(TokenError::Form), "{forged}");
    }
}

#[test]
fn documents_are_objects_with_distinct_names_and_nothing_after_them() {
    let (header, body) = (ed25519().header().to_string(), claims(json!({})).to_string());
    let twice = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
    for (header, body, name) in [
        (String::new(), body.clone(), "header"),
        (header.clone(), String::new(), "payload"),
        (twice(&header, r#""alg":"none""#), body.clone(), "header"),
        (twice(&header, r#""kid":"two""#), body.clone(), "header"),
        (format!("{header} x"), body.clone(), "header"),
        ("[]".to_owned(), body.clone(), "header"),
        (header.clone(), twice(&body, r#""tenant":"other""#), "payload"),
        (header.clone(), twice(&body, r#""exp":9999999999"#), "payload"),
        (header.clone(), format!("{body}{body}"), "payload"),
        (header.clone(), r#""text""#.to_owned(), "payload"),
        (header.clone(), format!("{}{}", r#"{"a":"#.repeat(9), "1}".repeat(9)), "payload"),
    ] {
        assert_eq!(
            asked(&ed25519().token_of(&header, &body)),
            Err(TokenError::Json(name)),
            "{header} {body}"
        );
    }
}

#[test]
fn tokens_and_subjects_are_bounded() {
    for (length, is_taken) in [(SUBJECT_BYTES_MAX, true), (SUBJECT_BYTES_MAX + 1, false)] {
        assert_eq!(with_claims(json!({"sub": "s".repeat(length)})).is_ok(), is_taken);
    }
    // Not every length of base64url is that of a text: the header helps.
    let of_length = |length: usize| {
        let padded = |text: String, spaces: usize| format!("{text}{}", " ".repeat(spaces));
        let (header, claims) = (ed25519().header().to_string(), claims(json!({})).to_string());
        let least = length * 3 / 4 - 400;
        (0..1200).find_map(|spaces| {
            let claims = padded(claims.clone(), least + spaces / 3);
            let token = ed25519().token_of(&padded(header.clone(), spaces % 3), &claims);
            (token.len() == length).then_some(token)
        })
    };
    assert!(asked(&of_length(TOKEN_BYTES_MAX).expect("a token")).is_ok());
    assert_eq!(asked(&of_length(TOKEN_BYTES_MAX + 1).expect("a token")), Err(TokenError::TooLong));
}

#[test]
fn a_key_is_not_like_a_token() {
    for (text, is_like) in
        [("a.b.c", true), ("..", true), ("ck_test_abc", false), ("a.b", false), ("a.b.c.d", false)]
    {
        assert_eq!(Token::is_like(text), is_like, "{text}");
    }
}

#[test]
fn the_table_of_errors_tells_nothing_of_the_token() {
    let secret = "correct-horse-battery";
    for changes in
        [json!({"sub": 7, "x": secret}), json!({"iss": secret}), json!({"tenant": format!("{secret}/")})]
    {
        let error = with_claims(changes).expect_err("not valid");
        assert!(!error.to_string().contains(secret));
    }
}
