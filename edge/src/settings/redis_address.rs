//! Where Redis is, and the password for it.

use http::Uri;

/// An address with its password. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress(String);

impl RedisAddress {
    /// Reads `redis://host:port` or `rediss://host:port` (TLS), without a path or a password in it, because a runtime
    /// takes the same text as the host that the component may speak to.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(url: &str, password: &str) -> Result<Self, String> {
        let wrong =
            || "is not an address such as redis://127.0.0.1:6379, without a path or a password".to_owned();
        let parts = url.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(wrong()) };
        let bare = parts.path_and_query.is_none_or(|path| path.as_str() == "/");
        let known = matches!(scheme.as_str(), "redis" | "rediss");
        if !bare || !known || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        if password.is_empty() {
            return Ok(Self(format!("{scheme}://{authority}")));
        }
        // RFC 3986, section 2: what is not unreserved is written as octets.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let octet =
            |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        let password: String = password.bytes().map(octet).collect();
        Ok(Self(format!("{scheme}://:{password}@{authority}")))
    }

    /// The address as the runtime takes it, with the password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisAddress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_put_where_the_runtime_expects_it_and_never_printed() {
        for (url, password, expected) in [
            ("redis://127.0.0.1:6379", "", "redis://127.0.0.1:6379"),
            ("rediss://cache.example/", "hush", "rediss://:hush@cache.example"),
            ("redis://[::1]:6379", "a/b@c:é", "redis://:a%2Fb%40c%3A%C3%A9@[::1]:6379"),
        ] {
            let address = RedisAddress::parse(url, password).expect(url);
            assert_eq!((address.expose(), format!("{address:?}").as_str()), (expected, "RedisAddress"));
        }
    }

    #[test]
    fn anything_but_a_bare_address_is_refused() {
        for url in
            ["127.0.0.1:6379", "http://a", "redis://", "redis://a/1", "redis://:secret@a", "redis:///a"]
        {
            assert!(RedisAddress::parse(url, "").is_err(), "{url}");
        }
    }
}
