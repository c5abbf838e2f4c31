//! What is known about a key: which one it is, what it may be used for, and how much.

mod id;
mod limits;
mod new_key;
mod rotation;
mod scope;

pub use self::id::KeyId;
pub use self::limits::KeyLimits;
pub use self::new_key::NewKey;
pub use self::rotation::Rotation;
pub use self::scope::Scope;
use crate::limits::KEY_NAME_BYTES_MAX;

/// Whether a text can name a tenant or a key.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.len() <= KEY_NAME_BYTES_MAX
        && text.bytes().all(plain)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
