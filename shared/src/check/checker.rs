//! Applies every rule, once the terms and facts of a brief are made ready.

use super::facts::Facts;
use super::{Check, Rule, Terms, field_rules};
use crate::brief::Brief;
use crate::channel::Channel;
use crate::copy::Fields;
use crate::text;

/// A channel and what a brief asks for, made ready to check many copies.
#[derive(Debug)]
pub struct Checker<'a> {
    channel: &'a Channel,
    source: Option<&'a Brief>,
    must_include: Vec<String>,
    must_exclude: Vec<String>,
    facts: Option<Facts>,
}

/// Finds the first thing in a text that the facts do not state.
type Invented = fn(&Facts, &str) -> Option<String>;

/// One text of the copy, folded once for all rules that compare it.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    /// The path that names it: `post`, or `headline[0]`.
    pub(super) path: String,
    pub(super) text: &'t str,
    pub(super) folded: String,
}

impl<'a> Checker<'a> {
    /// Folds the terms and collects the facts of the brief.
    pub fn new(channel: &'a Channel, terms: Terms<'a>) -> Self {
        let fold = |terms: &[String]| terms.iter().map(|term| text::fold(term)).collect();
        Self {
            channel,
            source: terms.source,
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
                    Piece { path, text, folded: text::fold(text) }
                })
                .collect();
            field_rules::check(field, &mine, self.source, &mut checks);
            pieces.extend(mine);
        }
        self.check_terms(&pieces, &mut checks);
        self.check_facts(&pieces, &mut checks);
        checks
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
            (Rule::GroundedNumbers, Facts::invented_number),
            (Rule::GroundedPrices, Facts::invented_price),
            (Rule::GroundedUrls, Facts::invented_address),
        ];
        for (rule, invented) in rules {
            field_rules::each(rule, "*", pieces, checks, |piece| {
                let invented = invented(facts, piece.text)?;
                Some(format!("\"{}\" is not in the brief", text::echo(&invented)))
            });
        }
    }
}
