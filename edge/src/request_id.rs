//! The name under which one request can be found again, at the edge and at the origin.

use data_encoding::HEXLOWER;
use http::HeaderValue;

/// Longest id that is taken over from the client, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// An id of 1 to 64 letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The client's own id where it is of the form, else one of 128 random bits in hexadecimal digits.
    pub fn choose(given: Option<&HeaderValue>, entropy: impl FnOnce() -> u128) -> Self {
        given
            .and_then(|value| value.to_str().ok())
            .filter(|id| is_well_formed(id))
            .map_or_else(|| Self(HEXLOWER.encode(&entropy().to_be_bytes())), |id| Self(id.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_well_formed(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: &str) -> String {
        let value = HeaderValue::from_str(given).expect("a header value");
        RequestId::choose(Some(&value), || 7).as_str().to_owned()
    }

    #[test]
    fn a_well_formed_id_of_the_client_is_kept() {
        for id in ["a", "3f2b-11.x_Y", &"a".repeat(REQUEST_ID_BYTES_MAX)] {
            assert_eq!(chosen(id), id);
        }
    }

    #[test]
    fn any_other_id_is_replaced_by_a_random_one() {
        for id in ["", "a b", "a\"b", "é", "a/b", &"a".repeat(REQUEST_ID_BYTES_MAX + 1)] {
            assert_eq!(chosen(id), format!("{:032x}", 7), "{id}");
        }
        assert_eq!(RequestId::choose(None, || u128::MAX).as_str(), "f".repeat(32));
    }
}
