//! Who may issue tokens, and where its keys are.

use http::Uri;

use super::{NO_ORIGIN, OriginUrl, SettingsError, invalid};

/// Longest name of an issuer and of an audience, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 512;
/// Longest path of the keys, and longest name of the tenant's claim, in bytes.
pub(super) const PATH_BYTES_MAX: usize = 256;
/// Hosts whose keys may come without TLS: nobody stands between.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// An issuer of JSON Web Tokens. What it says of a bearer's tenant and scopes is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Where it publishes its keys.
    pub keys_url: Uri,
    /// Its name, which every token repeats (`iss`).
    pub name: String,
    /// Our name, for which a token has to be made (`aud`).
    pub audience: String,
    /// The claim that names the tenant.
    pub tenant_claim: String,
}

impl Issuer {
    /// Reads the variables; `None` where there is no issuer.
    pub(super) fn parse(
        text: impl Fn(&'static str) -> Result<String, SettingsError>,
    ) -> Result<Option<Self>, SettingsError> {
        let [url, name, audience] = [text("jwks_url")?, text("jwt_issuer")?, text("jwt_audience")?];
        let given = [
            ("jwks_url", url != NO_ORIGIN),
            ("jwt_issuer", !name.is_empty()),
            ("jwt_audience", !audience.is_empty()),
        ];
        let first = |is_set: bool| given.iter().find(|(_, set)| *set == is_set).map(|(name, _)| *name);
        match (first(true), first(false)) {
            (None, _) => return Ok(None),
            (Some(other), Some(name)) => return Err(SettingsError::Incomplete { name, other }),
            (Some(_), None) => {}
        }
        let named = [("jwt_issuer", &name, NAME_BYTES_MAX), ("jwt_audience", &audience, NAME_BYTES_MAX)];
        let tenant_claim = text("jwt_tenant_claim")?;
        for (variable, value, bytes_max) in
            named.into_iter().chain([("jwt_tenant_claim", &tenant_claim, PATH_BYTES_MAX)])
        {
            if value.len() > bytes_max {
                return Err(invalid(variable, value, format!("has more than {bytes_max} bytes")));
            }
        }
        let keys_url = keys_url(&url, &text("jwks_path")?)?;
        Ok(Some(Self { keys_url, name, audience, tenant_claim }))
    }
}

/// Where the keys are. Host and path are two variables, because a runtime takes the first as an allowed host.
fn keys_url(host: &str, path: &str) -> Result<Uri, SettingsError> {
    let bare = OriginUrl::parse(host).map_err(|wrong| invalid("jwks_url", host, wrong))?;
    let wrong_path = || {
        invalid(
            "jwks_path",
            path,
            format!("is not a path of at most {PATH_BYTES_MAX} bytes that begins with /"),
        )
    };
    let is_path = path.starts_with('/') && path.len() <= PATH_BYTES_MAX && !path.contains('#');
    let url = Some(format!("{bare}{path}")).filter(|_| is_path).and_then(|url| url.parse::<Uri>().ok());
    let url = url.ok_or_else(wrong_path)?;
    let is_safe =
        url.scheme_str() == Some("https") || url.host().is_some_and(|host| LOOPBACK.contains(&host));
    if is_safe {
        return Ok(url);
    }
    Err(invalid(
        "jwks_url",
        host,
        "has no TLS: write https, so that nobody can put keys in place of the issuer's".to_owned(),
    ))
}
