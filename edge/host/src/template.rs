//! Spin's value templates: literal text with `{{ variable }}` in it.

use thiserror::Error;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// Why a template cannot be parsed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{{{{` without `}}}}` at byte {at}")]
pub struct TemplateError {
    at: usize,
}

impl Template {
    /// Splits the text at its `{{ … }}`; the name between the braces is trimmed.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let inside = &rest[open + 2..];
            let close = inside.find("}}").ok_or(TemplateError { at: text.len() - rest.len() + open })?;
            parts.push(Part::Variable(inside[..close].trim().to_owned()));
            rest = &inside[close + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Puts values in place of the variables; the first variable without a value is the error.
    pub(crate) fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Variable(name) => filled.push_str(value(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let values = |name: &str| (name == "a").then_some("1");
        Template::parse(text).map_err(|e| e.to_string())?.fill(values)
    }

    #[test]
    fn variables_are_replaced_wherever_they_stand() {
        assert_eq!(fill(""), Ok(String::new()));
        assert_eq!(fill("text"), Ok("text".into()));
        assert_eq!(fill("{{a}}"), Ok("1".into()));
        assert_eq!(fill("x{{ a }}y{{a }}"), Ok("x1y1".into()));
        assert_eq!(fill("single { braces } stay"), Ok("single { braces } stay".into()));
    }

    #[test]
    fn an_unknown_variable_is_named() {
        assert_eq!(fill("{{ a }}{{ b }}"), Err("b".into()));
    }

    #[test]
    fn an_open_brace_is_found_at_its_place() {
        assert_eq!(Template::parse("{{a}}xy{{ b"), Err(TemplateError { at: 7 }));
    }
}
