//! Problem documents (RFC 9457), which also carry the `error` object that OpenAI clients read.

mod code;

use serde::{Deserialize, Serialize};

pub use self::code::Code;
use crate::limits;

/// The media type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// One field of the request that is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Path of the field, such as `product.features[3]`.
    pub field: String,
    /// What is wrong with it, in a sentence without a full stop.
    pub detail: String,
}

/// An error as the client sees it. What the log says is another text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// The stable code, which also fixes status and title.
    pub code: Code,
    /// What happened this time, in a sentence without a full stop.
    pub detail: String,
    /// The fields that are wrong, at most [`limits::FIELD_ERRORS_MAX`].
    pub errors: Vec<FieldError>,
    /// What identifies this occurrence: the request id.
    pub instance: Option<String>,
    /// Seconds after which to try again. It travels as the header `Retry-After`, not in the document.
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem without field errors.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), instance: None, retry_after_s: None }
    }

    /// Adds a field error; those beyond [`limits::FIELD_ERRORS_MAX`] are left out.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        if self.errors.len() < limits::FIELD_ERRORS_MAX {
            self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        }
        self
    }

    /// Names this occurrence, by the request id.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub fn with_retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// The document as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("a problem holds only strings and numbers, which JSON can always write")
    }
}

/// The document on the wire.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    error: OpenAiError<'a>,
}

/// What OpenAI clients read of an error.
#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Code,
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, detail, errors, instance, retry_after_s: _ } = self;
        let param = errors.first().map(|error| error.field.as_str());
        Document {
            r#type: format!("/problems/{code}"),
            title: code.title(),
            status: code.status(),
            detail,
            code: *code,
            instance: instance.as_deref(),
            errors,
            error: OpenAiError { message: detail, r#type: code.openai_type(), param, code: *code },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Problem {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The members that are not derived from the code.
        #[derive(Deserialize)]
        struct Read {
            code: Code,
            #[serde(default)]
            detail: String,
            #[serde(default)]
            errors: Vec<FieldError>,
            instance: Option<String>,
        }
        let Read { code, detail, mut errors, instance } = Read::deserialize(deserializer)?;
        errors.truncate(limits::FIELD_ERRORS_MAX);
        Ok(Self { code, detail, errors, instance, retry_after_s: None })
    }
}
