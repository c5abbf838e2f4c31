//! Applies every rule, once the terms and facts of a brief are made ready.

use super::asked::Asked;
use super::facts::Facts;
use super::{Check, Rule, Terms, field_rules};
use crate::channel::{Channel, Field};
use crate::copy::Fields;
use crate::text;

/// A channel and what a brief asks for, made ready to check many copies.
#[derive(Debug)]
pub struct Checker<'a> {
    channel: &'a Channel,
    asked: Asked,
    must_include: Vec<String>,
    must_exclude: Vec<String>,
    facts: Option<Facts>,
}

/// Finds the first thing in a text that the facts do not state.
type Invented = fn(&Facts, &Piece<'_>) -> Option<String>;

/// One text of the copy, folded once for all rules that compare it.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    /// The path that names it: `post`, or `headline[0]`.
    pub(super) path: String,
    pub(super) text: &'t str,
    pub(super) folded: String,
}

impl<'t> Piece<'t> {
    fn new(path: String, text: &'t str) -> Self {
        Self { path, text, folded: text::fold(text) }
    }
}

impl<'a> Checker<'a> {
    /// Folds the terms and collects the facts of the brief.
    pub fn new(channel: &'a Channel, terms: Terms<'_>) -> Self {
        let fold = |terms: &[String]| terms.iter().map(|term| text::fold(term)).collect();
        Self {
            channel,
            asked: terms.source.map_or_else(Asked::default, Asked::of),
            must_include: fold(terms.must_include),
            must_exclude: fold(terms.must_exclude),
            facts: terms.source.map(Facts::of),
        }
    }

    /// Verifies texts; every rule that applies is reported, fields in the channel's order.
    pub fn check(&self, fields: &Fields) -> Vec<Check> {
        let mut checks = Vec::new();
        for (name, _) in fields.iter().filter(|(name, _)| self.channel.field(name).is_none()) {
            let detail = format!("{} has no such field", self.channel.id);
            checks.push(Check::failed(Rule::KnownField, text::echo(name), detail));
        }
        let mut pieces = Vec::new();
        for field in self.channel.fields {
            let texts = fields.get(field.name).iter().enumerate();
            let mine: Vec<Piece<'_>> = texts
                .map(|(index, text)| {
                    let path = if field.is_single() {
                        field.name.to_owned()
                    } else {
                        format!("{}[{index}]", field.name)
                    };
                    Piece::new(path, text)
                })
                .collect();
            field_rules::check(field, &mine, &self.asked, &mut checks);
            pieces.extend(mine);
        }
        self.check_terms(&pieces, &mut checks);
        self.check_facts(&pieces, &mut checks);
        checks
    }

    /// The rules that a text breaks by itself or beside earlier texts of its field: what [`check`](Self::check) finds
    /// wrong with the text, without looking at the rest of the copy.
    ///
    /// What holds of a field or a copy only when it is complete is left out: [`Rule::Count`],
    /// [`Rule::LengthShortest`], and the terms.
    pub fn broken<'t>(
        &self,
        field: &Field,
        earlier: impl IntoIterator<Item = &'t str>,
        text: &str,
    ) -> Vec<Rule> {
        let piece = [Piece::new(String::new(), text)];
        let mut checks = Vec::new();
        field_rules::check(field, &piece, &self.asked, &mut checks);
        self.check_facts(&piece, &mut checks);
        let is_of_text = |rule: Rule| !matches!(rule, Rule::Count | Rule::LengthShortest);
        let failed = checks.iter().filter(|check| !check.ok).map(|check| check.rule);
        let mut broken: Vec<Rule> = failed.filter(|rule| is_of_text(*rule)).collect();
        if field.distinct && field_rules::repeats(&piece[0], earlier) {
            broken.push(Rule::Distinct);
        }
        broken
    }

    fn check_terms(&self, pieces: &[Piece<'_>], checks: &mut Vec<Check>) {
        for (index, term) in self.must_include.iter().enumerate() {
            let field = format!("must_include[{index}]");
            let found = pieces.iter().find(|piece| text::holds_term(&piece.folded, term));
            checks.push(match found {
                Some(piece) => {
                    Check::held(Rule::MustInclude, field).with_detail(format!("in {}", piece.path))
                }
                None => Check::failed(Rule::MustInclude, field, "in no text of the copy"),
            });
        }
        for (index, term) in self.must_exclude.iter().enumerate() {
            let field = format!("must_exclude[{index}]");
            let found = pieces.iter().find(|piece| text::holds_term(&piece.folded, term));
            checks.push(match found {
                Some(piece) => Check::failed(Rule::MustExclude, field, format!("in {}", piece.path)),
                None => Check::held(Rule::MustExclude, field),
            });
        }
    }

    fn check_facts(&self, pieces: &[Piece<'_>], checks: &mut Vec<Check>) {
        let Some(facts) = &self.facts else { return };
        let rules: [(Rule, Invented); 3] = [
            (Rule::GroundedNumbers, |facts, piece| facts.invented_number(piece.text)),
            (Rule::GroundedPrices, |facts, piece| facts.invented_price(piece.text)),
            (Rule::GroundedUrls, |facts, piece| facts.invented_address(&piece.folded)),
        ];
        for (rule, invented) in rules {
            field_rules::each(rule, "*", pieces, checks, |piece| {
                let invented = invented(facts, piece)?;
                Some(format!("\"{}\" is not in the brief", text::echo(&invented)))
            });
        }
    }
}
