//! Language tags (BCP 47).

use std::borrow::Borrow;

use serde::Serialize;

use crate::limits::LANGUAGE_BYTES_MAX;

/// A well-formed language tag in its canonical case, such as `en`, `pt-BR` or `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// Reads a tag: subtags of 1 to 8 letters and digits, the first of 2 to 8 letters (RFC 5646, section 2.1).
    pub fn parse(tag: &str) -> Option<Self> {
        if tag.len() > LANGUAGE_BYTES_MAX {
            return None;
        }
        let mut canonical = String::with_capacity(tag.len());
        let mut after_singleton = false;
        for (index, subtag) in tag.split('-').enumerate() {
            let letters = subtag.bytes().all(|byte| byte.is_ascii_alphabetic());
            let well_formed = subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && (1..=8).contains(&subtag.len())
                && (index > 0 || (letters && subtag.len() >= 2));
            if !well_formed {
                return None;
            }
            if index > 0 {
                canonical.push('-');
            }
            // Case as RFC 5646, section 2.1.1 has it: regions in capitals, scripts with one, all else small.
            match subtag.len() {
                2 if index > 0 && !after_singleton => canonical.push_str(&subtag.to_ascii_uppercase()),
                4 if index > 0 && !after_singleton && letters => {
                    canonical.push_str(&subtag[..1].to_ascii_uppercase());
                    canonical.push_str(&subtag[1..].to_ascii_lowercase());
                }
                _ => canonical.push_str(&subtag.to_ascii_lowercase()),
            }
            after_singleton |= index > 0 && subtag.len() == 1;
        }
        // A singleton announces subtags that must follow.
        let ends_in_singleton = canonical.rsplit('-').next().is_some_and(|last| last.len() == 1);
        (!ends_in_singleton).then_some(Self(canonical))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first subtag, which names the language without region and script.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// Whether it is English, of whatever region.
    pub fn is_english(&self) -> bool {
        self.primary() == "en"
    }

    /// Whether one of the declared languages has the same primary subtag; `*` declares every language.
    pub fn is_declared(&self, declared: &[impl Borrow<str>]) -> bool {
        declared.iter().any(|tag| {
            let tag = tag.borrow();
            let primary = tag.split('-').next().unwrap_or(tag);
            primary == "*" || primary.eq_ignore_ascii_case(self.primary())
        })
    }
}

impl Default for Language {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
