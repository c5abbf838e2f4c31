//! The signed hop.

use adlib_shared::limits::{SIGNATURE_NONCE_BYTES_MAX, SIGNATURE_VALUE_BYTES_MAX, SIGNATURE_WINDOW_S};
use adlib_shared::signature::{
    Parts, Secret, SignatureError, Signed, content_digest, sign, verify, verify_content_digest,
};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000;
const BODY: &[u8] = br#"{"product":{"name":"a"}}"#;
const PARTS: Parts<'_> = Parts {
    method: "POST",
    path: "/v1/copy",
    content_digest: "sha-256=:bPxeGV0Br/LvDYpScGHyYykLUoLtMpO4pRp2FpvTtzk=:",
    tenant: "acme",
    request_id: "req_1",
};

fn secret() -> Secret {
    Secret::new(*b"edge-and-origin-share-this-secret")
}

fn signed() -> Signed {
    sign(&secret(), &PARTS, NOW, "n0nce-1").unwrap()
}

fn verdict(parts: &Parts<'_>, signed: &Signed, now_s: u64) -> Result<u64, SignatureError> {
    verify(&[secret()], parts, &signed.input, &signed.signature, now_s).map(|verified| verified.created_s)
}

#[test]
fn a_signature_is_what_rfc_9421_makes_of_it() {
    // The base was written out by hand after section 2.5 and its tag computed by another program.
    let expected = Signed {
        input: concat!(
            r#"adlib=("@method" "@path" "content-digest" "adlib-tenant" "x-request-id");created=1700000000;"#,
            r#"nonce="n0nce-1";keyid="732d10e3b401482e";alg="hmac-sha256""#,
        )
        .to_owned(),
        signature: "adlib=:taWdgwlK1YKsZlxES0+5nbVOfThLcmNluhdI3pwStcs=:".to_owned(),
    };
    assert_eq!(signed(), expected);
    let verified = verify(&[secret()], &PARTS, &expected.input, &expected.signature, NOW).unwrap();
    assert_eq!((verified.nonce.as_str(), verified.key_id.as_str()), ("n0nce-1", secret().id()));
}

#[test]
fn a_digest_binds_the_body() {
    // The example of RFC 9530, appendix B.1.
    assert_eq!(
        content_digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
    assert_eq!(content_digest(BODY), PARTS.content_digest);
    verify_content_digest(PARTS.content_digest, BODY).unwrap();
    assert_eq!(verify_content_digest(PARTS.content_digest, b"{}"), Err(SignatureError::Digest));
    assert_eq!(verify_content_digest("", BODY), Err(SignatureError::Digest));
}

#[test]
fn every_covered_part_is_bound() {
    let tampered = [
        Parts { method: "PUT", ..PARTS },
        Parts { path: "/v1/copy/", ..PARTS },
        Parts { content_digest: "sha-256=:bPxeGV0Br/LvDYpScGHyYykLUoLtMpO4pRp2FpvTtzl=:", ..PARTS },
        Parts { tenant: "acmf", ..PARTS },
        Parts { request_id: "req_2", ..PARTS },
    ];
    for parts in tampered {
        assert_eq!(verdict(&parts, &signed(), NOW), Err(SignatureError::Mismatch), "{parts:?}");
    }
    let inputs = [("created=1700000000", "created=1700000001"), ("n0nce-1", "n0nce-2")];
    for (from, to) in inputs {
        let Signed { input, signature } = signed();
        let tampered = Signed { input: input.replace(from, to), signature };
        assert_eq!(verdict(&PARTS, &tampered, NOW), Err(SignatureError::Mismatch), "{to}");
    }
}

#[test]
fn only_the_one_form_is_taken() {
    let Signed { input, signature } = signed();
    let malformed = [
        input.replace("hmac-sha256", "ed25519"),
        input.replace("\"@method\" ", ""),
        input.replace("created=", "created=0"),
        input.replace("created=", "created=+"),
        input.replace("created=1700000000", "created=99999999999999999999"),
        input.replace("adlib=", "other="),
        format!("{input};tag=\"x\""),
        format!("{input} "),
        input.replace("\";alg", "\";expires=1;alg"),
        String::new(),
        "adlib=".to_owned(),
    ];
    for input in malformed {
        let expected = Err(SignatureError::Malformed("signature-input"));
        assert_eq!(
            verdict(&PARTS, &Signed { input: input.clone(), signature: signature.clone() }, NOW),
            expected,
            "{input}"
        );
    }
    for bad in [
        String::new(),
        signature.replace(':', ""),
        signature.replace("Stcs=", "Stcs"),
        signature.replace('+', "-"),
    ] {
        let expected = Err(SignatureError::Malformed("signature"));
        assert_eq!(verdict(&PARTS, &Signed { input: input.clone(), signature: bad }, NOW), expected);
    }
}

#[test]
fn the_clock_may_differ_by_the_window_and_not_a_second_more() {
    for now in [NOW - SIGNATURE_WINDOW_S, NOW, NOW + SIGNATURE_WINDOW_S] {
        assert_eq!(verdict(&PARTS, &signed(), now), Ok(NOW));
    }
    for now in [NOW - SIGNATURE_WINDOW_S - 1, NOW + SIGNATURE_WINDOW_S + 1, 0, u64::MAX] {
        assert_eq!(verdict(&PARTS, &signed(), now), Err(SignatureError::Window));
    }
}

#[test]
fn two_secrets_are_valid_while_one_replaces_the_other() {
    let (old, new) = (secret(), Secret::new(*b"another secret"));
    let by = |secret: &Secret| sign(secret, &PARTS, NOW, "n").unwrap();
    let verify = |secrets: &[Secret], by: &Signed| verify(secrets, &PARTS, &by.input, &by.signature, NOW);
    for secrets in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        assert_eq!(verify(&secrets, &by(&old)).unwrap().key_id, old.id());
        assert_eq!(verify(&secrets, &by(&new)).unwrap().key_id, new.id());
    }
    assert_eq!(verify(&[new], &by(&old)), Err(SignatureError::UnknownKey));
    assert_eq!(verify(&[], &by(&old)), Err(SignatureError::UnknownKey));
}

#[test]
fn a_value_that_could_forge_a_line_is_not_signed() {
    for tenant in ["", "a\n\"x-request-id\": forged", "a b", "é", &"x".repeat(SIGNATURE_VALUE_BYTES_MAX + 1)]
    {
        let parts = Parts { tenant, ..PARTS };
        assert_eq!(sign(&secret(), &parts, NOW, "n"), Err(SignatureError::Value("adlib-tenant")));
        assert_eq!(verdict(&parts, &signed(), NOW), Err(SignatureError::Value("adlib-tenant")));
    }
    sign(&secret(), &Parts { tenant: &"x".repeat(SIGNATURE_VALUE_BYTES_MAX), ..PARTS }, NOW, "n").unwrap();
    for nonce in ["", "a\"b", "a b", &"x".repeat(SIGNATURE_NONCE_BYTES_MAX + 1)] {
        assert_eq!(sign(&secret(), &PARTS, NOW, nonce), Err(SignatureError::Nonce));
    }
    let longest = sign(&secret(), &PARTS, NOW, &"x".repeat(SIGNATURE_NONCE_BYTES_MAX)).unwrap();
    assert_eq!(verdict(&PARTS, &longest, NOW), Ok(NOW));
}

#[test]
fn a_secret_is_not_printed() {
    assert_eq!(format!("{:?}", secret()), "Secret(732d10e3b401482e)");
}

proptest! {
    #[test]
    fn what_is_signed_is_verified(
        path in "/[!-~]{0,40}", tenant in "[!-~]{1,40}", created in any::<u64>(), nonce in "[A-Za-z0-9_-]{1,64}",
        late in 0..=SIGNATURE_WINDOW_S,
    ) {
        let parts = Parts { path: &path, tenant: &tenant, ..PARTS };
        let signed = sign(&secret(), &parts, created, &nonce).unwrap();
        prop_assert_eq!(verdict(&parts, &signed, created.saturating_add(late)), Ok(created));
    }

    #[test]
    fn any_headers_are_answered(input in ".{0,200}", signature in ".{0,60}", tenant in ".{0,20}") {
        let signed = Signed { input, signature };
        let verdict = verdict(&Parts { tenant: &tenant, ..PARTS }, &signed, NOW);
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn a_header_with_one_byte_changed_does_not_hold(at in any::<prop::sample::Index>(), byte in 32..127_u8) {
        let Signed { input, signature } = signed();
        let mut both = format!("{input}{signature}").into_bytes();
        let at = at.index(both.len());
        prop_assume!(both[at] != byte);
        both[at] = byte;
        let both = String::from_utf8(both).unwrap();
        let (input, signature) = both.split_at(input.len());
        let changed = Signed { input: input.to_owned(), signature: signature.to_owned() };
        prop_assert!(verdict(&PARTS, &changed, NOW).is_err());
    }
}
