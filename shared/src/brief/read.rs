//! Reads a brief field by field, then judges what the fields say together.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::{
    Brand, Brief, CallToAction, Creativity, Faults, Framework, Language, Objective, Product, Reader, Tone,
};
use crate::channel::{Channel, Field};
use crate::json::Node;
use crate::limits;
use crate::problem::Code;
use crate::text::{self, TextRule};

/// The brief, with something in the place of what is wrong; it counts only where no fault was found.
pub(super) fn brief(node: Node, languages: &[impl Borrow<str>], faults: &mut Faults) -> Brief {
    let mut reader = Reader::root(node, faults);
    let product = reader.required_object("product").map(Product::read).unwrap_or_default();
    let channel = reader.channel("channel");
    let term = TextRule::line(limits::TERM_MAX);
    let mut brief = Brief {
        audience: reader.text("audience", TextRule::lines(limits::AUDIENCE_MAX)),
        objective: word(&mut reader, "objective", Objective::from_word).unwrap_or(Objective::Conversion),
        framework: word(&mut reader, "framework", Framework::from_word).unwrap_or(Framework::Auto),
        tone: tone(&mut reader),
        language: language(&mut reader, languages),
        brand: reader.object("brand").and_then(Brand::read),
        must_include: reader.texts("must_include", limits::MUST_INCLUDE_MAX, term),
        must_exclude: reader.texts("must_exclude", limits::MUST_EXCLUDE_MAX, term),
        call_to_action: call_to_action(&mut reader),
        variants: variants(&mut reader),
        creativity: creativity(&mut reader),
        seed: seed(&mut reader),
        limits: BTreeMap::new(),
        stream: stream(&mut reader),
        channel: channel.unwrap_or(&crate::channel::CHANNELS[0]),
        product,
    };
    brief.limits = field_limits(&mut reader, channel);
    reject_contradictions(&mut reader, &brief);
    if let Some(channel) = channel {
        reject_infeasible(&mut reader, &brief, channel);
    }
    reader.finish();
    brief
}

/// A word of a closed list, if the member is there.
fn word<T>(reader: &mut Reader<'_>, name: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    let node = reader.take(name)?;
    reader.word(name, node, find)
}

fn tone(reader: &mut Reader<'_>) -> Vec<Tone> {
    let Some(node) = reader.take("tone") else { return vec![Tone::Professional] };
    let Node::List(items) = node else {
        reader.expected("tone", &node, "an array");
        return Vec::new();
    };
    if !(1..=limits::TONES_MAX).contains(&items.len()) {
        reader.fault("tone", format!("has {} items, 1 to {} are allowed", items.len(), limits::TONES_MAX));
        return Vec::new();
    }
    let mut tones = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let name = format!("tone[{index}]");
        match reader.word(&name, item, Tone::from_word) {
            Some(tone) if tones.contains(&tone) => reader.fault(&name, format!("repeats \"{tone}\"")),
            found => tones.extend(found),
        }
    }
    tones
}

fn language(reader: &mut Reader<'_>, declared: &[impl Borrow<str>]) -> Language {
    let read = match reader.take("language") {
        None => Some(Language::default()),
        Some(Node::Text(tag)) => {
            let read = Language::parse(&tag);
            if read.is_none() {
                reader.fault("language", format!("is \"{}\", which is not a BCP 47 tag", text::echo(&tag)));
            }
            read
        }
        Some(other) => {
            reader.expected("language", &other, "a string");
            None
        }
    };
    if let Some(language) = read.as_ref().filter(|language| !language.is_declared(declared)) {
        let detail = format!("is \"{language}\", the model is declared for {}", declared.join(", "));
        reader.fault_of(Code::UnsupportedLanguage, "language", detail);
    }
    read.unwrap_or_default()
}

fn call_to_action(reader: &mut Reader<'_>) -> CallToAction {
    match reader.text("call_to_action", TextRule::line(limits::CALL_TO_ACTION_MAX)) {
        Some(text) if text != "auto" => CallToAction::Text(text),
        _ => CallToAction::Auto,
    }
}

fn variants(reader: &mut Reader<'_>) -> usize {
    let most = limits::VARIANTS_MAX;
    match reader.take("variants") {
        None => limits::VARIANTS_DEFAULT,
        Some(Node::Unsigned(count)) if (1..=most as u64).contains(&count) => count as usize,
        Some(Node::Unsigned(count)) => {
            reader.fault("variants", format!("is {count}, 1 to {most} are allowed"));
            limits::VARIANTS_DEFAULT
        }
        Some(other) => {
            reader.expected("variants", &other, "a whole number");
            limits::VARIANTS_DEFAULT
        }
    }
}

fn creativity(reader: &mut Reader<'_>) -> Creativity {
    let level = match reader.take("creativity") {
        None => return Creativity::default(),
        Some(node @ Node::Text(_)) => {
            return reader.word("creativity", node, Creativity::from_word).unwrap_or_default();
        }
        Some(Node::Unsigned(level)) => level as f64,
        Some(Node::Number(level)) => level,
        Some(other) => {
            reader.expected("creativity", &other, "low, balanced, high or a number from 0 to 1");
            return Creativity::default();
        }
    };
    Creativity::from_level(level).unwrap_or_else(|| {
        reader.fault("creativity", "is not between 0 and 1");
        Creativity::default()
    })
}

fn seed(reader: &mut Reader<'_>) -> Option<u64> {
    match reader.take("seed")? {
        Node::Unsigned(seed) => Some(seed),
        Node::Number(_) => {
            reader.fault("seed", format!("is not a whole number from 0 to {}", u64::MAX));
            None
        }
        other => {
            reader.expected("seed", &other, "a whole number");
            None
        }
    }
}

fn stream(reader: &mut Reader<'_>) -> bool {
    match reader.take("stream") {
        None => false,
        Some(Node::Bool(stream)) => stream,
        Some(other) => {
            reader.expected("stream", &other, "a boolean");
            false
        }
    }
}

/// Limits by field. Without a known channel nothing can be said about them.
fn field_limits(reader: &mut Reader<'_>, channel: Option<&'static Channel>) -> BTreeMap<&'static str, usize> {
    let mut limits = BTreeMap::new();
    let Some(mut members) = reader.object("limits") else { return limits };
    let Some(channel) = channel else {
        members.take_rest();
        return limits;
    };
    for (name, node) in members.take_rest() {
        let shown = text::echo(&name);
        match (channel.field(&name), node) {
            (_, Node::Null) => {}
            (None, _) => members.fault(&shown, format!("is not a field of {}", channel.id)),
            (Some(field), Node::Unsigned(limit)) => match tighter(field, limit) {
                Ok(limit) => _ = limits.insert(field.name, limit),
                Err(detail) => members.fault(&shown, detail),
            },
            (Some(_), other) => members.expected(&shown, &other, "a whole number"),
        }
    }
    limits
}

/// The limit, if it lies between the field's shortest text and the channel's own limit.
fn tighter(field: &Field, limit: u64) -> Result<usize, String> {
    let most = field.limit().unwrap_or(usize::MAX);
    usize::try_from(limit).ok().filter(|limit| (field.length_min..=most).contains(limit)).ok_or_else(|| {
        format!("is {limit}, {} to {most} are allowed, counted in {}", field.length_min, field.unit)
    })
}

/// A term that is required or a call to action must not hold a term that is excluded.
fn reject_contradictions(reader: &mut Reader<'_>, brief: &Brief) {
    let excluded: Vec<String> = brief.must_exclude.iter().map(|term| text::fold(term)).collect();
    let included = brief.must_include.iter().enumerate();
    let named = included
        .map(|(index, term)| (format!("must_include[{index}]"), term.as_str()))
        .chain(brief.call_to_action.text().map(|text| ("call_to_action".to_owned(), text)));
    let mut contradictions = Vec::new();
    for (name, term) in named {
        let folded = text::fold(term);
        if let Some(index) = excluded.iter().position(|excluded| text::holds_term(&folded, excluded)) {
            contradictions.push((name, format!("holds must_exclude[{index}]")));
        }
    }
    for (name, detail) in contradictions {
        reader.fault_of(Code::ContradictoryTerms, &name, detail);
    }
}

/// A required term must fit at least one field of the channel.
fn reject_infeasible(reader: &mut Reader<'_>, brief: &Brief, channel: &Channel) {
    for (index, term) in brief.must_include.iter().enumerate() {
        let fits = |field: &Field| {
            brief.limit_hard(field).is_none_or(|limit| field.unit.count(term) <= limit)
                && !term.contains(field.forbidden)
                && !(field.emoji_forbidden && text::holds_emoji(term))
        };
        if !channel.fields.iter().any(fits) {
            let detail = format!("fits no field of {}", channel.id);
            reader.fault_of(Code::InfeasibleConstraints, &format!("must_include[{index}]"), detail);
        }
    }
}
