//! A brief planned: the prompt, and the lines of copy to be written one after the other.

use adlib_shared::brief::Brief;
use adlib_shared::channel::Field;
use adlib_shared::problem::{Code, Problem};

/// Longest text that is aimed at where a channel allows more, in the field's unit: about what the adapter has seen.
pub const AIM_MAX: usize = 900;

/// Fields that may hold more than this are written sentence by sentence and may hold line breaks.
pub const LONG_FIELD_MIN: usize = 120;

/// One text to write.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its field.
    pub field: &'static Field,
    /// Its index among the field's texts.
    pub index: usize,
    /// Most that it may count, in the field's unit.
    pub limit: usize,
    /// Terms that must stand here unless an earlier line holds them.
    pub required: Vec<String>,
    /// The text, where the brief leaves nothing to write.
    pub given: Option<String>,
}

impl Line {
    /// Whether the line is written sentence by sentence.
    pub fn is_long(&self) -> bool {
        self.limit > LONG_FIELD_MIN
    }
}

/// The lines of a brief's copy, in the order in which they are written.
pub fn lines(brief: &Brief) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::new();
    for field in brief.channel.fields {
        let limit = limit(brief, field);
        for index in 0..planned_count(brief.channel.id, field) {
            let given = given(brief, field).filter(|text| field.unit.count(text) <= limit);
            lines.push(Line { field, index, limit, required: Vec::new(), given });
        }
    }
    assign_terms(brief, &mut lines)?;
    Ok(lines)
}

/// Texts per field: what the adapter was trained on, within the channel's counts.
fn planned_count(channel: &str, field: &Field) -> usize {
    let usual = match (channel, field.name) {
        ("google_rsa" | "microsoft_rsa", "headline") | ("amazon", "bullet") => 5,
        ("google_pmax", "headline") | ("instagram", "hashtags") => 4,
        ("google_display", "headline") => 3,
        ("google_rsa" | "microsoft_rsa" | "google_pmax", "description") => 2,
        (_, "path") => 0,
        _ => 1,
    };
    usual.clamp(field.count_min, field.count_max)
}

/// The tightest of the channel's limits, the brief's and what is aimed at.
fn limit(brief: &Brief, field: &Field) -> usize {
    [field.limit_hard, field.limit_recommended, brief.limits.get(field.name).copied()]
        .into_iter()
        .flatten()
        .fold(AIM_MAX.max(field.length_min), usize::min)
}

/// Texts that the brief states itself.
fn given(brief: &Brief, field: &Field) -> Option<String> {
    match field.name {
        "business_name" => {
            let brand = brief.brand.as_ref().and_then(|brand| brand.name.clone());
            Some(brand.unwrap_or_else(|| brief.product.name.clone()))
        }
        "call_to_action" => brief.call_to_action.text().map(str::to_owned),
        _ => None,
    }
}

/// Gives each required term a line with room for it: the longest term first, the roomiest line, the last of equals.
fn assign_terms(brief: &Brief, lines: &mut [Line]) -> Result<(), Problem> {
    let mut terms: Vec<&String> = brief.must_include.iter().collect();
    terms.sort_by_key(|term| std::cmp::Reverse(term.len()));
    for term in terms {
        let room = |line: &Line| {
            let taken: usize = line.required.iter().map(|held| line.field.unit.count(held) + 1).sum();
            line.limit.checked_sub(taken + line.field.unit.count(term))
        };
        let roomiest = lines
            .iter_mut()
            .filter(|line| line.given.is_none() && takes_terms(line.field, term))
            .filter_map(|line| room(line).map(|room| (room, line)))
            .max_by_key(|(room, _)| *room);
        let Some((_, line)) = roomiest else {
            return Err(Problem::new(
                Code::InfeasibleConstraints,
                format!(
                    "the required terms do not fit the channel's fields; the first without room is \"{term}\""
                ),
            ));
        };
        line.required.push(term.clone());
    }
    Ok(())
}

/// Whether a required term may be asked of the field at all.
fn takes_terms(field: &Field, term: &str) -> bool {
    !matches!(field.name, "hashtags" | "path" | "call_to_action") && !term.contains(field.forbidden)
}
