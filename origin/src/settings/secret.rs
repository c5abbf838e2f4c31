//! The secrets of the hop between edge and origin. They are never printed.

use adlib_shared::signature::Secret;

use super::raw::Raw;

/// Bytes of a secret: fewer are guessable, more are a mistake.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=512;

/// The secrets that requests may be signed with: the current one and, during a rotation, the one before.
#[derive(Debug, Clone)]
pub struct HopSecrets(Vec<Secret>);

impl HopSecrets {
    /// Accepts these secrets, one or two.
    pub fn new(current: Secret, previous: Option<Secret>) -> Self {
        Self(std::iter::once(current).chain(previous).collect())
    }

    /// Reads both secrets, each from a file or given directly.
    pub(super) fn read(raw: &mut Raw) -> Option<Self> {
        let current = secret(raw, "hop_secret", "hop_secret_file");
        let previous = secret(raw, "hop_secret_previous", "hop_secret_previous_file");
        if current.is_none() && previous.is_some() {
            raw.refuse_unseen("hop_secret_previous", "only together with hop_secret");
        }
        Some(Self::new(current?, previous))
    }

    /// Those that are accepted, as verification takes them.
    pub fn accepted(&self) -> &[Secret] {
        &self.0
    }
}

fn secret(raw: &mut Raw, name: &str, name_file: &str) -> Option<Secret> {
    let given = raw.text(name);
    let (origin, text) = match raw.text(name_file) {
        None => (name, given?),
        Some(_) if given.is_some() => {
            raw.refuse_unseen(name, &format!("either {name} or {name_file}, not both"));
            return None;
        }
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => (name_file, text),
            Err(error) => {
                raw.refuse(name_file, &path, &format!("a readable file of text ({error})"));
                return None;
            }
        },
    };
    let bytes = text.trim().as_bytes();
    if !SECRET_BYTES.contains(&bytes.len()) {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        raw.refuse_unseen(origin, &format!("{least} to {most} bytes; it has {}", bytes.len()));
        return None;
    }
    Some(Secret::new(bytes))
}
