//! The key under which a copy is cached.

use data_encoding::HEXLOWER;

use crate::brief::{Brand, Brief, Creativity, Product};
use crate::keyed_hash::KeyedHash;
use crate::limits::CREATIVITY_STEPS;
use crate::named::named_enum;

/// The revision of this encoding. A change of what a part means needs another one.
pub const SCHEMA_VERSION: u32 = 2;

named_enum! {
    /// What was asked of the model.
    Operation {
        Copy = "copy", "A brief became copy";
    }
}

/// Whose entry it is. Tenants never share entries unless both the tenant and the request opt in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One tenant's own.
    Tenant(&'a str),
    /// Shared by all who opted in.
    Shared,
}

/// A keyed hash over everything that decides what is written: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of a brief, for a model of this fingerprint and a prompt template of this revision.
    ///
    /// `secret` keeps keys from being guessed and from being compared between deployments.
    pub fn of(
        secret: &KeyedHash,
        scope: Scope<'_>,
        operation: Operation,
        brief: &Brief,
        fingerprint: &str,
        template_revision: u32,
    ) -> Self {
        Self(secret.of(&encode(scope, operation, brief, fingerprint, template_revision)))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hex form, 64 characters.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl std::fmt::Display for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Everything that decides what is written, as bytes that differ wherever one part differs.
fn encode(
    scope: Scope<'_>,
    operation: Operation,
    brief: &Brief,
    fingerprint: &str,
    template_revision: u32,
) -> Vec<u8> {
    let mut parts = Parts::default();
    parts.number(u64::from(SCHEMA_VERSION));
    match scope {
        Scope::Tenant(tenant) => parts.some(tenant),
        Scope::Shared => parts.none(),
    }
    parts.text(operation.as_str());
    parts.text(fingerprint);
    parts.number(u64::from(template_revision));
    parts.brief(brief);
    parts.bytes
}

/// Length-prefixed parts. The order of parts is fixed, every list is preceded by its length and every option by
/// whether it is there, so no two sequences have the same bytes.
#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
}

impl Parts {
    /// Seven bits a byte, the low ones first; the last byte alone has its high bit clear (LEB128). Nearly all numbers
    /// are small, and a hash takes its time for every byte.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn none(&mut self) {
        self.number(0);
    }

    fn some(&mut self, text: &str) {
        self.number(1);
        self.text(text);
    }

    fn option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.some(text),
            None => self.none(),
        }
    }

    fn list<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.number(texts.len() as u64);
        texts.for_each(|text| self.text(text));
    }

    fn texts(&mut self, texts: &[String]) {
        self.list(texts.iter().map(String::as_str));
    }

    /// Every field is named here, so that a new one does not compile until it has its place.
    fn brief(&mut self, brief: &Brief) {
        let Brief {
            product,
            channel,
            audience,
            objective,
            framework,
            tone,
            language,
            brand,
            must_include,
            must_exclude,
            call_to_action,
            variants,
            creativity,
            seed,
            limits,
            // How the copy travels does not change what is written.
            stream: _,
        } = brief;
        self.product(product);
        self.text(channel.id);
        self.number(u64::from(channel.revision));
        self.option(audience.as_deref());
        self.text(objective.as_str());
        self.text(framework.as_str());
        self.list(tone.iter().map(|tone| tone.as_str()));
        self.text(language.as_str());
        self.brand(brand.as_ref());
        self.texts(must_include);
        self.texts(must_exclude);
        self.option(call_to_action.text());
        self.number(*variants as u64);
        self.creativity(*creativity);
        self.option(seed.map(|seed| seed.to_string()).as_deref());
        self.number(limits.len() as u64);
        for (field, limit) in limits {
            self.text(field);
            self.number(*limit as u64);
        }
    }

    fn product(&mut self, product: &Product) {
        let Product { name, description, features, benefits, price, offer, url } = product;
        self.text(name);
        self.text(description);
        self.texts(features);
        self.texts(benefits);
        self.option(price.as_deref());
        self.option(offer.as_deref());
        self.option(url.as_deref());
    }

    fn brand(&mut self, brand: Option<&Brand>) {
        let Some(brand) = brand else { return self.none() };
        let Brand { name, voice, dos, donts, examples } = brand;
        self.number(1);
        self.option(name.as_deref());
        self.option(voice.as_deref());
        self.texts(dos);
        self.texts(donts);
        self.texts(examples);
    }

    fn creativity(&mut self, creativity: Creativity) {
        let code = match creativity {
            Creativity::Low => 0,
            Creativity::Balanced => 1,
            Creativity::High => 2,
            Creativity::Value(level) => 3 + (level * f32::from(CREATIVITY_STEPS)).round() as u64,
        };
        self.number(code);
    }
}
