//! What is known about a key: which one it is, what it may be used for, and how much.

mod id;
mod limits;
mod scope;

pub use self::id::KeyId;
pub use self::limits::KeyLimits;
pub use self::scope::Scope;
