//! What the component is told when it starts: Spin variables, validated once per instance.
//!
//! Every variable has the same name in `spin.toml`, in the component and, in upper case behind `SPIN_VARIABLE_`, in
//! the environment. An empty value means the default. A wrong value names itself, and the component then answers
//! every request but `/healthz` with a problem document instead of serving with a setting that nobody chose.
//!
//! | variable | form | default |
//! |---|---|---|
//! | `origin_url` | `http://host:port` or `https://…`, no path | `http://127.0.0.1:8080` |
//! | `second_origin_url`, `third_origin_url`, `fourth_origin_url` | further origins of the same kind | `http://none.invalid`, which means none |
//! | `api_keys` (secret) | entries `hash:tenant:name:scopes`, see [`keyring`](crate::keyring) | none |
//! | `key_pepper` (secret) | at least 16 bytes; the HMAC key of every stored key hash | required |
//! | `hop_secret` (secret) | at least 16 bytes; signs the hop to the origin | required |
//! | `jwks_url` | `https://host:port` of the issuer of tokens, no path | `http://none.invalid`, which means none |
//! | `jwks_path` | the path of its keys (a JSON Web Key Set) | `/.well-known/jwks.json` |
//! | `jwt_issuer` | its name, as its tokens repeat it | none |
//! | `jwt_audience` | our name, as its tokens say it | none |
//! | `jwt_tenant_claim` | the claim that names the tenant | `tenant` |
//! | `languages` | BCP-47 tags, separated by commas, that the model is declared for; `*` for every language | `en` |
//! | `cors_origins` | origins such as `https://app.example`, separated by commas, or none | none |
//! | `cache_ttl_s` | seconds that a cached copy is fresh, less up to a tenth by its key; 0 switches the cache off | 7200 |
//! | `stale_while_revalidate_s` | seconds that an expired copy is given while another one is written | 60 |
//! | `stale_if_error_s` | seconds that an expired copy is given while the origin fails | 86400 |
//! | `redis_url` | `redis://host:port`, the store of all instances; Spin's key-value store where there is none | none |
//! | `redis_password` (secret) | the password for it | none |
//! | `rate_per_minute` | requests a minute and key; 0 for no limit | 100 |
//! | `tenant_rate_per_minute` | requests a minute and tenant; 0 for no limit | 0 |
//! | `address_rate_per_minute` | requests a minute and address, with any key; 0 for no limit | 0 |
//! | `tokens_per_minute` | tokens that the origin reads and writes, a minute and key; 0 for no limit | 0 |
//! | `streams_max` | answers of the origin at once and key, streamed or not; 0 for no limit | 0 |
//! | `failures_per_minute` | failed authentications a minute and address; 0 for no limit | 20 |
//! | `strikes_max` | what a key or an address may do wrong within ten minutes before it is blocked; 0 for no blocks | 60 |
//! | `allowed_networks` | networks such as `192.0.2.0/24`, separated by commas, that are not limited nor blocked | none |
//! | `origin_connect_ms` | longest wait for a connection | 2000 |
//! | `origin_first_byte_ms` | longest wait for the origin's first byte | 120000 |
//! | `origin_between_bytes_ms` | longest silence inside an answer | 45000 |
//! | `deadline_ms` | longest time that a brief may take; the origin is told what is left, and gives up then | 120000 |
//! | `stats` | `off` keeps what is counted from the store, where writes are dear | `on` |
//! | `hedge` | `on` asks a second origin where the first takes longer than 95 of 100 answers | `off` |

mod issuer;
mod limits;
mod number;
mod origin_url;
mod origin_urls;
mod redis_address;

use std::time::Duration;

use adlib_shared::brief::Language;
use adlib_shared::signature::Secret;

pub use self::issuer::Issuer;
pub use self::limits::{Limits, NETWORKS_MAX, Networks};
use self::number::number;
pub use self::origin_url::OriginUrl;
use self::origin_urls::origin_urls;
pub use self::origin_urls::{NO_ORIGIN, ORIGIN_VARIABLES};
pub use self::redis_address::RedisAddress;
use crate::cache::Lifetime;
use crate::cors::AllowedOrigins;
use crate::keyring::Keyring;

/// Shortest secret, in bytes: 128 bits if it is random.
pub const SECRET_BYTES_MIN: usize = 16;
/// Longest list of languages.
pub const LANGUAGES_MAX: usize = 64;
/// Longest time to live of a cached copy, and longest time that an expired one is of use, in seconds: 30 days.
pub const CACHE_TTL_S_MAX: u64 = 30 * 24 * 3600;
/// Highest rate that can be set, in requests a minute.
pub const RATE_PER_MINUTE_MAX: u64 = 60_000_000;
/// Longest time-out that can be set, in milliseconds: ten minutes.
pub const TIMEOUT_MS_MAX: u64 = 600_000;
/// Longest wait for an answer that needs no copy to be written.
pub const SHORT_ANSWER: Duration = Duration::from_secs(2);

/// A Spin variable of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value where nothing is set; `None` where it has to be set.
    pub default: Option<&'static str>,
    /// Whether it must not be shown.
    pub secret: bool,
}

/// Every variable that the component reads.
pub const VARIABLES: [Variable; 33] = [
    open("origin_url", "http://127.0.0.1:8080"),
    open("second_origin_url", NO_ORIGIN),
    open("third_origin_url", NO_ORIGIN),
    open("fourth_origin_url", NO_ORIGIN),
    Variable { name: "api_keys", default: Some(""), secret: true },
    Variable { name: "key_pepper", default: None, secret: true },
    Variable { name: "hop_secret", default: None, secret: true },
    open("jwks_url", NO_ORIGIN),
    open("jwks_path", "/.well-known/jwks.json"),
    open("jwt_issuer", ""),
    open("jwt_audience", ""),
    open("jwt_tenant_claim", "tenant"),
    open("languages", "en"),
    open("cors_origins", ""),
    open("cache_ttl_s", "7200"),
    open("stale_while_revalidate_s", "60"),
    open("stale_if_error_s", "86400"),
    open("redis_url", ""),
    Variable { name: "redis_password", default: Some(""), secret: true },
    open("rate_per_minute", "100"),
    open("tenant_rate_per_minute", "0"),
    open("address_rate_per_minute", "0"),
    open("tokens_per_minute", "0"),
    open("streams_max", "0"),
    open("failures_per_minute", "20"),
    open("strikes_max", "60"),
    open("allowed_networks", ""),
    open("origin_connect_ms", "2000"),
    open("origin_first_byte_ms", "120000"),
    open("origin_between_bytes_ms", "45000"),
    open("deadline_ms", "120000"),
    open("hedge", "off"),
    open("stats", "on"),
];

const fn open(name: &'static str, default: &'static str) -> Variable {
    Variable { name, default: Some(default), secret: false }
}

/// Why the component cannot serve as it is set up. The value of a secret is never part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is not set.
    #[error("the variable {name} is not set")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// Some variables of several that belong together are set, but not all.
    #[error("the variable {name} is not set, but {other} is; they belong together")]
    Incomplete {
        /// The variable that is not set.
        name: &'static str,
        /// One that is.
        other: &'static str,
    },
    /// The runtime could not give a variable.
    #[error("the variable {name} cannot be read: {cause}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What the runtime says.
        cause: String,
    },
    /// A value is not of the variable's form.
    #[error("the variable {name} is {value}, which {wrong}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value in quotes, or a word in its place for a secret.
        value: String,
        /// What is wrong, and what is allowed.
        wrong: String,
    },
}

/// The validated settings.
#[derive(Debug)]
pub struct Settings {
    /// Where the origins are: at least one, each once.
    pub origins: Vec<OriginUrl>,
    /// The keys that are known without asking the store, and the pepper of all key hashes.
    pub keyring: Keyring,
    /// The secret that signs the hop. The origin takes the one before it as well, so that it can be rotated.
    pub hop_secret: Secret,
    /// Whose tokens are taken; `None` for nobody's.
    pub issuer: Option<Issuer>,
    /// The languages that the model is declared for.
    pub languages: Vec<String>,
    /// The web origins that may call from a browser.
    pub cors_origins: AllowedOrigins,
    /// How long a cached copy serves; `None` switches the cache off.
    pub cache: Option<Lifetime>,
    /// Where Redis is; `None` for Spin's key-value store.
    pub redis: Option<RedisAddress>,
    /// What callers may take.
    pub limits: Limits,
    /// Whether the store is told what was counted.
    pub stats: bool,
    /// Whether a second origin is asked where the first takes long.
    pub hedge: bool,
    /// How long the origin may take.
    pub timeouts: Timeouts,
}

/// How long the origin may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// From the request to the first byte of the answer. A copy that is not streamed is written in this time.
    pub first_byte: Duration,
    /// Between two pieces of the answer; longer than the stream's keep-alive interval.
    pub between_bytes: Duration,
    /// From the first attempt to the head of an answer. The origin is told what is left of it.
    pub total: Duration,
}

impl Timeouts {
    /// For questions that need no copy to be written.
    #[must_use]
    pub fn short(self) -> Self {
        let short = |long: Duration| long.min(SHORT_ANSWER);
        Self {
            connect: self.connect,
            first_byte: short(self.first_byte),
            between_bytes: short(self.between_bytes),
            total: short(self.total),
        }
    }

    /// For a request that has so much time left. What comes after the head is the origin's to end.
    #[must_use]
    pub fn within(self, left: Duration) -> Self {
        Self { connect: self.connect.min(left), first_byte: self.first_byte.min(left), ..self }
    }
}

impl Settings {
    /// Validates what `value_of` gives for each of [`VARIABLES`].
    ///
    /// # Errors
    /// The first variable that is missing or not of its form.
    pub fn parse(value_of: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let text = |name: &'static str| text_of(name, &value_of);
        let secret = |name: &'static str| secret_of(name, text(name)?);
        let count = |name: &'static str, min, max| number(name, &text(name)?, min, max);
        let rate =
            |name: &'static str| Ok(nonzero(count(name, 0, RATE_PER_MINUTE_MAX)?).map(|rate| rate as u32));
        let duration = |name: &'static str| Ok(Duration::from_millis(count(name, 1, TIMEOUT_MS_MAX)?));

        let seconds = |name: &'static str| count(name, 0, CACHE_TTL_S_MAX);
        let (ttl_s, if_error_s) = (seconds("cache_ttl_s")?, seconds("stale_if_error_s")?);
        let while_revalidate_s = seconds("stale_while_revalidate_s")?;
        let cors_origins = text("cors_origins")?;
        Ok(Self {
            origins: origin_urls(text)?,
            keyring: Keyring::parse(&secret("key_pepper")?, &text("api_keys")?)
                .map_err(|error| hidden("api_keys", error.to_string()))?,
            hop_secret: Secret::new(secret("hop_secret")?),
            issuer: Issuer::parse(text)?,
            languages: languages(&text("languages")?)?,
            cors_origins: AllowedOrigins::parse(&cors_origins)
                .map_err(|wrong| invalid("cors_origins", &cors_origins, wrong))?,
            cache: nonzero(ttl_s).map(|ttl_s| Lifetime { ttl_s, while_revalidate_s, if_error_s }),
            redis: redis(&text("redis_url")?, &text("redis_password")?)?,
            limits: Limits::parse(rate, Networks::parse("allowed_networks", &text("allowed_networks")?)?)?,
            stats: switch("stats", &text("stats")?)?,
            hedge: switch("hedge", &text("hedge")?)?,
            timeouts: Timeouts {
                connect: duration("origin_connect_ms")?,
                first_byte: duration("origin_first_byte_ms")?,
                between_bytes: duration("origin_between_bytes_ms")?,
                total: duration("deadline_ms")?,
            },
        })
    }
}

/// The value of a variable, or its default.
fn text_of(name: &'static str, value_of: &impl Fn(&str) -> Option<String>) -> Result<String, SettingsError> {
    let given = value_of(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let default =
        VARIABLES.iter().find(|variable| variable.name == name).and_then(|variable| variable.default);
    given.or(default.map(str::to_owned)).ok_or(SettingsError::Missing { name })
}

fn secret_of(name: &'static str, value: String) -> Result<Vec<u8>, SettingsError> {
    if value.len() < SECRET_BYTES_MIN {
        let wrong = format!("has {} bytes; at least {SECRET_BYTES_MIN} are needed", value.len());
        return Err(hidden(name, wrong));
    }
    Ok(value.into_bytes())
}

fn redis(url: &str, password: &str) -> Result<Option<RedisAddress>, SettingsError> {
    if url.is_empty() {
        return Ok(None);
    }
    let address = RedisAddress::parse(url, password);
    // What was meant for the other variable may stand in this one.
    address.map(Some).map_err(|wrong| hidden("redis_url", wrong))
}

fn languages(list: &str) -> Result<Vec<String>, SettingsError> {
    let tags: Vec<String> = list.split(',').map(|tag| tag.trim().to_owned()).collect();
    let well_formed = |tag: &String| tag == "*" || Language::parse(tag).is_some();
    if tags.len() > LANGUAGES_MAX || !tags.iter().all(well_formed) {
        let wrong = format!("is not a list of at most {LANGUAGES_MAX} language tags such as en,de-AT, nor *");
        return Err(SettingsError::Invalid { name: "languages", value: format!("{list:?}"), wrong });
    }
    Ok(tags)
}

fn switch(name: &'static str, value: &str) -> Result<bool, SettingsError> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(invalid(name, value, "is neither on nor off".to_owned())),
    }
}

fn nonzero(count: u64) -> Option<u64> {
    (count != 0).then_some(count)
}

fn invalid(name: &'static str, value: &str, wrong: String) -> SettingsError {
    SettingsError::Invalid { name, value: format!("{value:?}"), wrong }
}

fn hidden(name: &'static str, wrong: String) -> SettingsError {
    SettingsError::Invalid { name, value: "a secret".to_owned(), wrong }
}

#[cfg(test)]
mod tests;
