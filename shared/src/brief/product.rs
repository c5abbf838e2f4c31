//! What is advertised.

use serde::Serialize;

use super::reader::Reader;
use crate::limits;
use crate::text::TextRule;

/// What is advertised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Product {
    /// Its name, 1 to 80 graphemes.
    pub name: String,
    /// What it is, 1 to 2000 graphemes, perhaps in several lines.
    pub description: String,
    /// What it has: at most 15 texts of 120 graphemes.
    pub features: Vec<String>,
    /// What it gives: at most 15 texts of 120 graphemes.
    pub benefits: Vec<String>,
    /// What it costs, at most 40 graphemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// What is offered beside it, at most 120 graphemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Where it is found, at most 2048 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Product {
    pub(super) fn read(mut reader: Reader<'_>) -> Self {
        let point = TextRule::line(limits::PRODUCT_POINT_MAX);
        let product = Self {
            name: reader.required_text("name", TextRule::line(limits::PRODUCT_NAME_MAX)),
            description: reader
                .required_text("description", TextRule::lines(limits::PRODUCT_DESCRIPTION_MAX)),
            features: reader.texts("features", limits::PRODUCT_POINTS_MAX, point),
            benefits: reader.texts("benefits", limits::PRODUCT_POINTS_MAX, point),
            price: reader.text("price", TextRule::line(limits::PRODUCT_PRICE_MAX)),
            offer: reader.text("offer", TextRule::line(limits::PRODUCT_OFFER_MAX)),
            url: read_url(&mut reader),
        };
        reader.finish();
        product
    }
}

/// A web address with or without its scheme.
fn read_url(reader: &mut Reader<'_>) -> Option<String> {
    let url = reader.text("url", TextRule::line(limits::PRODUCT_URL_BYTES_MAX))?;
    if url.len() > limits::PRODUCT_URL_BYTES_MAX {
        let detail =
            format!("has {} bytes, at most {} are allowed", url.len(), limits::PRODUCT_URL_BYTES_MAX);
        reader.fault("url", detail);
        return None;
    }
    if !is_web_address(&url) {
        reader.fault("url", "is not a web address: http or https, a host with a dot, no spaces");
        return None;
    }
    Some(url)
}

fn is_web_address(url: &str) -> bool {
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest
        }
        Some(_) => return false,
        None => url,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .map_or(host, |(host, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { "" });
    let labels_hold = host.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    });
    let closed = !url.chars().any(|character| character.is_whitespace() || "<>\"\\^`{|}".contains(character));
    closed && labels_hold && host.contains('.')
}
