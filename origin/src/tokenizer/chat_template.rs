//! Messages to a prompt, by the Jinja template that a model's files carry.

use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};

use super::python_json;

/// The template of models that carry none: ChatML, which most small chat models were trained with.
pub(crate) const CHATML: &str = "{% for message in messages %}\
    {{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}\
    {% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Longest template, in bytes; the longest known are of some thirty thousand.
const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// Instructions that one rendering may take; a conversation of a hundred messages takes some ten thousand.
const FUEL: u64 = 1_000_000;
/// Longest prompt, in bytes.
const PROMPT_BYTES_MAX: usize = 4 << 20;
/// The template's name within the environment.
const NAME: &str = "chat";

/// One message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `system`, `user` or `assistant`.
    pub role: &'a str,
    /// The text.
    pub content: &'a str,
}

impl Message<'_> {
    fn to_value(self) -> Value {
        context! { role => self.role, content => self.content }
    }
}

/// A template that does not parse, or refuses a conversation.
#[derive(Debug, thiserror::Error)]
#[error("the chat template fails: {0}")]
pub struct TemplateError(String);

/// Texts of the tokens that templates may write.
#[derive(Debug, Default)]
pub(super) struct SpecialTexts {
    pub(super) begin: String,
    pub(super) end: String,
}

/// A compiled chat template. The language is Jinja2 as Hugging Face transformers sets it up: blocks trimmed, loop
/// controls, `raise_exception`, `strftime_now`, `tojson` without HTML escapes, and Python's string methods.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    texts: SpecialTexts,
}

impl ChatTemplate {
    /// Compiles a model's template, or ChatML where it has none.
    pub(super) fn new(source: Option<&str>, texts: SpecialTexts) -> Result<Self, TemplateError> {
        let source = source.unwrap_or(CHATML);
        if source.len() > TEMPLATE_BYTES_MAX {
            let (bytes, max) = (source.len(), TEMPLATE_BYTES_MAX);
            return Err(TemplateError(format!("it is {bytes} bytes long; at most {max} are allowed")));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(failure)?);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, source.to_owned()).map_err(failure)?;
        Ok(Self { environment, texts })
    }

    /// The prompt for a conversation; with `add_generation_prompt` it ends where the assistant's answer begins.
    /// `now` is the date that templates may write.
    pub fn render(
        &self,
        messages: &[Message<'_>],
        add_generation_prompt: bool,
        now: SystemTime,
    ) -> Result<String, TemplateError> {
        let template = self.environment.get_template(NAME).map_err(failure)?;
        let rendered = template.render(context! {
            messages => messages.iter().copied().map(Message::to_value).collect::<Vec<_>>(),
            add_generation_prompt => add_generation_prompt,
            bos_token => &self.texts.begin,
            eos_token => &self.texts.end,
            // Transformers defines both; templates ask whether they are none.
            tools => (),
            documents => (),
            strftime_now => Value::from_function(move |format: String| strftime(&format, now)),
        });
        let prompt = rendered.map_err(failure)?;
        if prompt.len() > PROMPT_BYTES_MAX {
            let bytes = prompt.len();
            return Err(TemplateError(format!(
                "the prompt is {bytes} bytes long; at most {PROMPT_BYTES_MAX} are allowed"
            )));
        }
        Ok(prompt)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn failure(error: minijinja::Error) -> TemplateError {
    let place = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
    TemplateError(format!(
        "{}{place}",
        error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
    ))
}

fn raise_exception(message: String) -> Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime(format: &str, now: SystemTime) -> Result<String, minijinja::Error> {
    let wrong = |error: jiff::Error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string());
    let time = jiff::Timestamp::try_from(now).map_err(wrong)?.to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(format, &time).map_err(wrong)
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands a filter's arguments over")]
fn to_json(value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    let text = python_json::dumps(value, indent.map(|spaces| spaces.min(16)));
    let wrong =
        |error: serde_json::Error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    text.map(Value::from_safe_string).map_err(wrong)
}
