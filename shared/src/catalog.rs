//! What there is: the wire types of `GET /v1/channels`, `/v1/tones`, `/v1/frameworks` and `/v1/models`.

use serde::{Deserialize, Serialize};

use crate::brief::{Framework, Tone};
use crate::channel::{CHANNELS, Channel, Field, REVISION};
use crate::count::Unit;

/// A list, as the OpenAI API wraps one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// Always `list`.
    pub object: String,
    /// The items.
    pub data: Vec<T>,
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { object: "list".to_owned(), data: items.into_iter().collect() }
    }
}

/// One channel with its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelInfo {
    /// Its id.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Other ids by which it is found.
    pub aliases: &'static [&'static str],
    /// The revision of its rules.
    pub revision: u32,
    /// Its fields, in order.
    pub fields: Vec<FieldInfo>,
}

/// One field of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// Its name.
    pub name: &'static str,
    /// Fewest texts.
    pub count_min: usize,
    /// Most texts.
    pub count_max: usize,
    /// What lengths count.
    pub unit: Unit,
    /// Shortest text.
    pub length_min: usize,
    /// Longest text: guaranteed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_hard: Option<usize>,
    /// Length to aim at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_recommended: Option<usize>,
    /// Length that one of the texts should keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_shortest: Option<usize>,
    /// Characters that are refused, in one string.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub forbidden: String,
    /// Whether emoji are refused.
    pub emoji_forbidden: bool,
    /// Whether the texts must differ.
    pub distinct: bool,
    /// Whether each text is a hashtag.
    pub hashtag: bool,
    /// How often one word may stand in a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_repeats_max: Option<usize>,
}

/// A word of the contract and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WordInfo {
    /// The word.
    pub id: &'static str,
    /// What it means.
    pub description: &'static str,
    /// What a framework does in turn.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub slots: &'static [&'static str],
}

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its name.
    pub id: String,
    /// Always `model`, as OpenAI clients expect.
    pub object: String,
    /// `sha256:` and the digest over weights and adapters.
    pub fingerprint: String,
    /// The languages it is declared for.
    pub languages: Vec<String>,
    /// Most tokens of prompt and answer together.
    pub context_tokens_max: usize,
    /// The revision of the channel rules it writes for.
    pub channel_revision: u32,
}

impl ModelInfo {
    /// A model that writes for the channels of this revision.
    pub fn new(
        id: impl Into<String>,
        fingerprint: impl Into<String>,
        languages: Vec<String>,
        context_tokens_max: usize,
    ) -> Self {
        Self {
            id: id.into(),
            object: "model".to_owned(),
            fingerprint: fingerprint.into(),
            languages,
            context_tokens_max,
            channel_revision: REVISION,
        }
    }
}

/// `GET /v1/channels`.
pub fn channels() -> List<ChannelInfo> {
    CHANNELS.iter().map(ChannelInfo::from).collect()
}

/// `GET /v1/tones`.
pub fn tones() -> List<WordInfo> {
    let info = |tone: &Tone| WordInfo { id: tone.as_str(), description: tone.about(), slots: &[] };
    Tone::ALL.iter().map(info).collect()
}

/// `GET /v1/frameworks`.
pub fn frameworks() -> List<WordInfo> {
    let info = |framework: &Framework| WordInfo {
        id: framework.as_str(),
        description: framework.about(),
        slots: framework.slots(),
    };
    Framework::ALL.iter().map(info).collect()
}

impl From<&'static Channel> for ChannelInfo {
    fn from(channel: &'static Channel) -> Self {
        let Channel { id, name, aliases, revision, fields } = channel;
        Self { id, name, aliases, revision: *revision, fields: fields.iter().map(FieldInfo::from).collect() }
    }
}

impl From<&'static Field> for FieldInfo {
    fn from(field: &'static Field) -> Self {
        Self {
            name: field.name,
            count_min: field.count_min,
            count_max: field.count_max,
            unit: field.unit,
            length_min: field.length_min,
            limit_hard: field.limit_hard,
            limit_recommended: field.limit_recommended,
            limit_shortest: field.limit_shortest,
            forbidden: field.forbidden.iter().collect(),
            emoji_forbidden: field.emoji_forbidden,
            distinct: field.distinct,
            hashtag: field.hashtag,
            word_repeats_max: field.word_repeats_max,
        }
    }
}
