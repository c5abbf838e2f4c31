//! Every named limit of the wire contract.
//!
//! Lengths of text count graphemes unless the name says otherwise.

/// Largest body of `POST /v1/copy`, in bytes.
///
/// The largest valid brief holds about 17,900 graphemes of text; at [`TEXT_BYTES_PER_GRAPHEME_MAX`] that is 215 KB,
/// and a URL of 2 KiB and the JSON around it fit into the rest (a test builds that brief).
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest body of `POST /v1/copy/batch`, in bytes: 64 briefs of 64 KiB.
pub const BATCH_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most briefs in one batch.
pub const BATCH_BRIEFS_MAX: usize = 64;
/// Largest body of `POST /v1/check`, in bytes: 15 × 10 texts at the longest limit of any channel stay far below.
pub const CHECK_BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest body of `POST /admin/cache/purge`, in bytes.
pub const PURGE_BODY_BYTES_MAX: usize = 4 * 1024;
/// Longest name of a tenant or fingerprint of a model that is purged, in bytes: a SHA-256 in hexadecimal digits with
/// its prefix takes 71.
pub const PURGE_NAME_BYTES_MAX: usize = 128;
/// Deepest nesting of JSON in a request. A brief uses 3 levels, a batch 5.
pub const JSON_DEPTH_MAX: usize = 8;
/// Most values in one JSON document, nested ones included: 64 of the largest briefs, of 154 values each, stay below.
pub const JSON_VALUES_MAX: usize = 16 * 1024;
/// Most field errors that one problem document lists.
pub const FIELD_ERRORS_MAX: usize = 32;
/// Longest piece of the client's own text that an error repeats, in characters.
pub const ECHO_CHARS_MAX: usize = 40;

/// Bytes of UTF-8 that a text may take per grapheme of its limit, so that a flood of combining marks is bounded.
/// Scripts of India need the most of ordinary text, about 9 bytes a grapheme.
pub const TEXT_BYTES_PER_GRAPHEME_MAX: usize = 12;

/// Longest `product.name`.
pub const PRODUCT_NAME_MAX: usize = 80;
/// Longest `product.description`.
pub const PRODUCT_DESCRIPTION_MAX: usize = 2000;
/// Most `product.features`, and most `product.benefits`.
pub const PRODUCT_POINTS_MAX: usize = 15;
/// Longest item of `product.features` and `product.benefits`.
pub const PRODUCT_POINT_MAX: usize = 120;
/// Longest `product.price`.
pub const PRODUCT_PRICE_MAX: usize = 40;
/// Longest `product.offer`.
pub const PRODUCT_OFFER_MAX: usize = 120;
/// Longest `product.url`, in bytes.
pub const PRODUCT_URL_BYTES_MAX: usize = 2048;
/// Longest `audience`.
pub const AUDIENCE_MAX: usize = 800;
/// Most `tone` words.
pub const TONES_MAX: usize = 3;
/// Longest `language` tag, in bytes (RFC 5646, section 4.4.1, recommends room for 35).
pub const LANGUAGE_BYTES_MAX: usize = 35;
/// Longest `brand.name`.
pub const BRAND_NAME_MAX: usize = 80;
/// Longest `brand.voice`.
pub const BRAND_VOICE_MAX: usize = 300;
/// Most items of `brand.do` and of `brand.dont`.
pub const BRAND_RULES_MAX: usize = 10;
/// Longest item of `brand.do` and `brand.dont`.
pub const BRAND_RULE_MAX: usize = 120;
/// Most `brand.examples`.
pub const BRAND_EXAMPLES_MAX: usize = 8;
/// Longest item of `brand.examples`.
pub const BRAND_EXAMPLE_MAX: usize = 600;
/// Most `must_include` terms.
pub const MUST_INCLUDE_MAX: usize = 10;
/// Most `must_exclude` terms.
pub const MUST_EXCLUDE_MAX: usize = 50;
/// Longest term of `must_include` and `must_exclude`.
pub const TERM_MAX: usize = 60;
/// Longest `call_to_action`.
pub const CALL_TO_ACTION_MAX: usize = 40;
/// Most `variants` of one copy.
pub const VARIANTS_MAX: usize = 10;
/// `variants` where a brief does not say.
pub const VARIANTS_DEFAULT: usize = 3;
/// Parts of 1 that `creativity` as a number is rounded to.
pub const CREATIVITY_STEPS: u16 = 1000;

/// Longest id of a copy, in bytes.
pub const COPY_ID_BYTES_MAX: usize = 64;

/// Most fields in a check or a copy: no channel has more than 4.
pub const CHECK_FIELDS_MAX: usize = 16;
/// Most texts of one field in a check: no channel has more than 15, the rest are reported as over the count.
pub const CHECK_TEXTS_MAX: usize = 64;
/// Longest text in a check, in bytes: over the longest limit of any channel (5000 bytes, 4000 graphemes).
pub const CHECK_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Largest single server-sent event that the decoder accepts, in bytes: ten variants with all their checks take
/// less than half.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Seconds between the comments that keep an idle stream alive.
pub const EVENT_KEEP_ALIVE_S: u64 = 15;

/// Shortest random part of an API key, in characters: 22 of base 62 hold 128 bits.
pub const API_KEY_BODY_CHARS_MIN: usize = 22;
/// Longest random part of an API key, in characters.
pub const API_KEY_BODY_CHARS_MAX: usize = 64;
/// Longest name of a tenant, and of a key, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 64;
/// Largest body of `POST /admin/keys` and of what lies under it, in bytes: two names, four scopes and some numbers.
pub const KEY_BODY_BYTES_MAX: usize = 4 * 1024;
/// Most requests a minute, and most tokens a minute, that a key can be given.
pub const KEY_RATE_PER_MINUTE_MAX: u32 = 60_000_000;
/// Most streams at once that a key can be given.
pub const KEY_STREAMS_MAX: u32 = 100_000;
/// Longest time that the secrets before the newest one are still taken, in seconds: a week.
pub const KEY_OVERLAP_S_MAX: u64 = 7 * 24 * 3600;

/// Seconds that a signature's `created` may lie before or after the verifier's clock.
pub const SIGNATURE_WINDOW_S: u64 = 30;
/// Longest `signature-input` header, in bytes.
pub const SIGNATURE_INPUT_BYTES_MAX: usize = 512;
/// Longest nonce of a signature, in bytes.
pub const SIGNATURE_NONCE_BYTES_MAX: usize = 64;
/// Longest header value that a signature covers, in bytes.
pub const SIGNATURE_VALUE_BYTES_MAX: usize = 2048;

/// Longest time that a request can be given by `adlib-deadline-ms`, in milliseconds: ten minutes.
pub const DEADLINE_MS_MAX: u64 = 600_000;

/// Seconds that a cached copy lives where nothing else is configured.
pub const CACHE_TTL_S_DEFAULT: u64 = 7200;
/// Requests a minute and key where nothing else is configured.
pub const REQUESTS_PER_MINUTE_DEFAULT: u32 = 100;
