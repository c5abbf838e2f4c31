//! The signed hop: seven lines, which are the five signed parts and the two headers of the signature.

use adlib_shared::limits::SIGNATURE_WINDOW_S;
use adlib_shared::signature::{Parts, Secret, Signed, content_digest, sign, verify, verify_content_digest};

use crate::{Target, with_a_bit_changed};

pub(crate) const TARGET: Target = Target { name: "signature", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "adlib=(\"@method\" \"@path\" \"content-digest\" \"adlib-tenant\" \"x-request-id\")",
    ";created=1700000000;nonce=\"",
    "\";keyid=\"",
    "\";alg=\"hmac-sha256\"",
    "adlib=:",
    "sha-256=:",
    "/v1/copy",
];
const CREATED_S: u64 = 1_700_000_000;

fn run(input: &[u8]) {
    digest(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let parts =
        Parts { method: line(), path: line(), content_digest: line(), tenant: line(), request_id: line() };
    let (nonce, input_header, signature) = (line(), line(), line());
    received(&parts, input_header, signature);
    made(&parts, nonce, text.as_bytes());
}

fn secret() -> Secret {
    Secret::new(*b"a secret for the fuzz targets")
}

/// What verifies is exactly what is made with the secret.
fn received(parts: &Parts<'_>, input: &str, signature: &str) {
    let Ok(verified) = verify(&[secret()], parts, input, signature, CREATED_S) else { return };
    assert!(verified.created_s.abs_diff(CREATED_S) <= SIGNATURE_WINDOW_S);
    let made = sign(&secret(), parts, verified.created_s, &verified.nonce);
    let made = made.expect("what verifies can be signed");
    assert_eq!((made.input.as_str(), made.signature.as_str()), (input, signature), "there is one form");
}

/// What is made verifies, as long as nothing of it is changed.
fn made(parts: &Parts<'_>, nonce: &str, at: &[u8]) {
    let Ok(Signed { input, signature }) = sign(&secret(), parts, CREATED_S, nonce) else { return };
    let holds = |parts: &Parts<'_>, input: &str, signature: &str, now_s: u64| {
        verify(&[Secret::new(*b"another secret"), secret()], parts, input, signature, now_s)
    };
    let verified = holds(parts, &input, &signature, CREATED_S).expect("what is signed verifies");
    assert_eq!((verified.created_s, verified.nonce.as_str()), (CREATED_S, nonce));
    assert!(
        holds(parts, &input, &signature, CREATED_S + SIGNATURE_WINDOW_S + 1).is_err(),
        "a signature ends"
    );
    assert!(verify(&[Secret::new(*b"another secret")], parts, &input, &signature, CREATED_S).is_err());
    for (input, signature) in [
        (with_a_bit_changed(input.as_bytes(), at), signature.clone().into_bytes()),
        (input.clone().into_bytes(), with_a_bit_changed(signature.as_bytes(), at)),
    ] {
        let (Ok(input), Ok(signature)) = (String::from_utf8(input), String::from_utf8(signature)) else {
            continue;
        };
        assert!(holds(parts, &input, &signature, CREATED_S).is_err(), "a changed bit is noticed");
    }
    let longer = format!("{}x", parts.tenant);
    assert!(holds(&Parts { tenant: &longer, ..*parts }, &input, &signature, CREATED_S).is_err());
    let (path, tenant) = (parts.tenant, parts.path);
    if path != tenant {
        assert!(holds(&Parts { path, tenant, ..*parts }, &input, &signature, CREATED_S).is_err());
    }
}

fn digest(body: &[u8]) {
    let digest = content_digest(body);
    assert_eq!(verify_content_digest(&digest, body), Ok(()));
    let (at, _) = body.split_at(body.len().min(2));
    if !body.is_empty() {
        assert!(verify_content_digest(&digest, &with_a_bit_changed(body, at)).is_err());
    }
    if let Ok(text) = std::str::from_utf8(body) {
        assert_eq!(verify_content_digest(text, body).is_ok(), text == digest, "there is one form");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let digest = content_digest(b"{}");
    let parts = Parts {
        method: "POST",
        path: "/v1/copy",
        content_digest: &digest,
        tenant: "acme",
        request_id: "r-1",
    };
    let signed = sign(&secret(), &parts, CREATED_S, "0123456789abcdef");
    let Signed { input, signature } = signed.unwrap_or_else(|error| panic!("{error}"));
    let lines = ["POST", "/v1/copy", &digest, "acme", "r-1", "0123456789abcdef", &input, &signature];
    vec![lines.join("\n").into_bytes(), lines[..6].join("\n").into_bytes(), b"GET\n/\nx\n-\n1\nn".to_vec()]
}
