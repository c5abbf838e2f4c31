//! Who speaks.

use serde::Serialize;

use super::reader::Reader;
use crate::limits;
use crate::text::TextRule;

/// Who speaks, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Brand {
    /// Its name, at most 80 graphemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it speaks, at most 300 graphemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    /// What it does: at most 10 texts of 120 graphemes. `do` on the wire.
    #[serde(rename = "do")]
    pub dos: Vec<String>,
    /// What it does not do: at most 10 texts of 120 graphemes. `dont` on the wire.
    #[serde(rename = "dont")]
    pub donts: Vec<String>,
    /// Copy it has published: at most 8 texts of 600 graphemes, perhaps in several lines.
    pub examples: Vec<String>,
}

impl Brand {
    /// A brand of which nothing is said is none, so that `{}` and an absent brand share one canonical form.
    pub(super) fn read(mut reader: Reader<'_>) -> Option<Self> {
        let rule = TextRule::line(limits::BRAND_RULE_MAX);
        let example = TextRule::lines(limits::BRAND_EXAMPLE_MAX);
        let brand = Self {
            name: reader.text("name", TextRule::line(limits::BRAND_NAME_MAX)),
            voice: reader.text("voice", TextRule::line(limits::BRAND_VOICE_MAX)),
            dos: reader.texts("do", limits::BRAND_RULES_MAX, rule),
            donts: reader.texts("dont", limits::BRAND_RULES_MAX, rule),
            examples: reader.texts("examples", limits::BRAND_EXAMPLES_MAX, example),
        };
        reader.finish();
        let silent = brand.name.is_none()
            && brand.voice.is_none()
            && brand.dos.is_empty()
            && brand.donts.is_empty()
            && brand.examples.is_empty();
        (!silent).then_some(brand)
    }
}
