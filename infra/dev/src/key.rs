//! `cargo dev key`: a key that an operator gives the edge in its variable `api_keys`, the first of a deployment above all.

use std::env;

use adlib_shared::api_key::ApiKey;
use adlib_shared::key::{Scope, is_name};

use crate::arguments;
use crate::error::Error;

/// Where the edge's own variable comes from; a command line would show the secret to everyone on the machine.
const PEPPER: &str = "SPIN_VARIABLE_KEY_PEPPER";
/// Shortest pepper that the edge takes, in bytes.
const PEPPER_BYTES_MIN: usize = 16;

/// Makes a key and prints it with its entry. Neither is written anywhere.
pub(crate) fn make(options: &arguments::Key) -> Result<(), Error> {
    let owner = options.owner.as_str();
    if !is_owner(owner) {
        return Err(Error::Owner { given: owner.to_owned() });
    }
    let pepper = env::var(PEPPER).ok().filter(|pepper| pepper.trim().len() >= PEPPER_BYTES_MIN);
    let pepper = pepper.ok_or(Error::NoPepper { variable: PEPPER, least: PEPPER_BYTES_MIN })?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|reason| Error::NoRandomness { reason })?;
    let key = ApiKey::generate(options.kind.into(), random);
    println!("key       {}", key.expose());
    println!("api_keys  {}", entry(&key, pepper.trim(), owner));
    Ok(())
}

/// The key's entry in the edge's variable `api_keys`; `owner` is its tenant, its name and its scopes.
pub(crate) fn entry(key: &ApiKey, pepper: &str, owner: &str) -> String {
    format!("{}:{owner}", key.hash(pepper.as_bytes()).to_hex())
}

/// Whether a text is `tenant:name` or `tenant:name:scopes`.
fn is_owner(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (tenant, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let are_scopes = |words: &str| words.split('+').all(|word| Scope::from_word(word).is_some());
    is_name(tenant) && is_name(name) && parts.next().is_none_or(are_scopes)
}

#[test]
fn an_owner_is_a_tenant_a_name_and_scopes() {
    for owner in ["ops:first", "ops:first:admin", "a.b:c-d:copy+check+jobs+admin"] {
        assert!(is_owner(owner), "{owner}");
    }
    for owner in
        ["", "ops", "ops:", ":first", "ops:first:", "ops:first:root", "ops:first:copy:admin", "o ps:first"]
    {
        assert!(!is_owner(owner), "{owner}");
    }
}
