//! What the client asks for.

mod brand;
mod call_to_action;
mod creativity;
mod faults;
mod framework;
mod language;
mod objective;
mod product;
mod read;
mod reader;
mod tone;

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::Serialize;

pub use self::brand::Brand;
pub use self::call_to_action::CallToAction;
pub use self::creativity::Creativity;
pub use self::framework::Framework;
pub use self::language::Language;
pub use self::objective::Objective;
pub use self::product::Product;
pub use self::tone::Tone;
pub(crate) use self::{faults::Faults, reader::Reader};
use crate::channel::{Channel, Field};
use crate::json::Node;
use crate::limits;
use crate::problem::Problem;

/// A valid brief: every limit of the contract holds, text is in NFC, defaults are filled in and aliases resolved.
///
/// It serialises to the canonical wire form, and parsing that form gives the same brief again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Brief {
    /// What is advertised.
    pub product: Product,
    /// Where the copy appears.
    pub channel: &'static Channel,
    /// Whom it addresses, at most 800 graphemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What it is to achieve.
    pub objective: Objective,
    /// The order in which it makes its case.
    pub framework: Framework,
    /// How it sounds: one to three different tones.
    pub tone: Vec<Tone>,
    /// The language to write in.
    pub language: Language,
    /// Who speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<Brand>,
    /// Terms that each variant must hold: at most 10 of 60 graphemes.
    pub must_include: Vec<String>,
    /// Terms that no variant may hold: at most 50 of 60 graphemes.
    pub must_exclude: Vec<String>,
    /// What the reader is asked to do.
    pub call_to_action: CallToAction,
    /// How many variants to write, 1 to 10.
    pub variants: usize,
    /// How freely to write.
    pub creativity: Creativity,
    /// The seed of the sampling; where it is absent the origin chooses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Limits tighter than the channel's, by field and in the field's unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<&'static str, usize>,
    /// Whether the copy is sent as it is written. It does not change what is written.
    pub stream: bool,
}

impl Brief {
    /// Reads the body of a request, for a model that is declared for `languages` (`*` for all).
    ///
    /// # Errors
    /// `too_large`, `malformed_json`, or one of the codes with status 422, with every field that is wrong.
    pub fn parse(body: &[u8], languages: &[impl Borrow<str>]) -> Result<Self, Problem> {
        Self::from_node(Node::parse(body, limits::BODY_BYTES_MAX)?, languages)
    }

    /// Reads a brief that stands in a larger document.
    ///
    /// # Errors
    /// One of the codes with status 422, with every field that is wrong.
    pub fn from_node(node: Node, languages: &[impl Borrow<str>]) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let brief = read::brief(node, languages, &mut faults);
        faults.into_result()?;
        Ok(brief)
    }

    /// The canonical wire form.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("a brief holds only strings and finite numbers, which JSON can always write")
    }

    /// The longest text that the field may hold: what this brief says, else the channel's hard limit.
    pub fn limit_hard(&self, field: &Field) -> Option<usize> {
        field.limit_hard_under(&self.limits)
    }

    /// Every text of the brief that copy may draw its facts from, in the order of the fields. What the brand does not
    /// do and what it has published before are about style: a price in them is not this product's.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let Product { name, description, features, benefits, price, offer, url } = &self.product;
        let product =
            [name, description].into_iter().chain(features).chain(benefits).chain(price).chain(offer);
        let brand = self.brand.iter().flat_map(|brand| {
            let Brand { name, voice, dos, donts: _, examples: _ } = brand;
            name.iter().chain(voice).chain(dos)
        });
        let rest = url.iter().chain(&self.audience).chain(&self.must_include);
        product.chain(rest).chain(brand).map(String::as_str).chain(self.call_to_action.text())
    }
}
