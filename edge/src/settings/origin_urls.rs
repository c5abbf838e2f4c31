//! Where the origins are. A runtime allows outbound hosts one template each, so each origin has a variable of its own.

use super::{OriginUrl, SettingsError, invalid};

/// The variables, in their order.
pub const ORIGIN_VARIABLES: [&str; 4] =
    ["origin_url", "second_origin_url", "third_origin_url", "fourth_origin_url"];
/// The value of a variable that names no origin. It cannot be empty, because the manifest's list of allowed hosts takes no
/// empty entry; and no host can have this name (RFC 6761, section 6.4).
pub const NO_ORIGIN: &str = "http://none.invalid";

/// The addresses of all origins.
pub(super) fn origin_urls(
    text: impl Fn(&'static str) -> Result<String, SettingsError>,
) -> Result<Vec<OriginUrl>, SettingsError> {
    let mut urls: Vec<OriginUrl> = Vec::new();
    for name in ORIGIN_VARIABLES {
        let value = text(name)?;
        if value == NO_ORIGIN {
            continue;
        }
        let url = OriginUrl::parse(&value).map_err(|wrong| invalid(name, &value, wrong))?;
        if urls.contains(&url) {
            return Err(invalid(name, &value, "stands there twice".to_owned()));
        }
        urls.push(url);
    }
    if urls.is_empty() {
        return Err(invalid(ORIGIN_VARIABLES[0], NO_ORIGIN, "names no origin, as the others do".to_owned()));
    }
    Ok(urls)
}
