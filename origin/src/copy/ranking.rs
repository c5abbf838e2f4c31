//! Finished variants: which hold, which repeat another, and which is best.

use adlib_shared::brief::Brief;
use adlib_shared::check::{self, Check, Terms};
use adlib_shared::copy::{Fields, Variant};
use adlib_shared::score::{self, Score, Scorer};
use adlib_shared::text;

use super::plan::Line;

/// A variant as it came out of its guide, checked.
pub(super) struct Candidate {
    fields: Fields,
    checks: Vec<Check>,
    likelihood: f32,
}

impl Candidate {
    pub(super) fn new(brief: &Brief, lines: &[Line], texts: Vec<String>, likelihood: f32) -> Self {
        let mut fields = Fields::new();
        for (line, text) in lines.iter().zip(texts) {
            fields.push(line.field, text);
        }
        let checks = check::check(brief.channel, &fields, &Terms::of(brief));
        Self { fields, checks, likelihood }
    }

    /// Whether it keeps every hard limit.
    pub(super) fn is_ok(&self) -> bool {
        check::all_hard_ok(&self.checks)
    }

    fn text(&self) -> String {
        let texts: Vec<&str> = self.fields.texts().map(|(_, text)| text).collect();
        text::fold(&texts.join("\n"))
    }
}

/// The id of the `index`-th variant.
pub(super) fn variant_id(index: usize) -> String {
    format!("v{}", index + 1)
}

/// The variants that are missing, break a hard limit, or are word for word another one.
pub(super) fn to_write_again(candidates: &[Option<Candidate>]) -> Vec<usize> {
    let texts: Vec<Option<String>> = candidates
        .iter()
        .map(|candidate| candidate.as_ref().filter(|c| c.is_ok()).map(Candidate::text))
        .collect();
    (0..candidates.len()).filter(|&i| texts[i].is_none() || texts[..i].contains(&texts[i])).collect()
}

/// The variants that hold, scored, and the id of the best; nothing where none holds.
pub(super) fn rank(scorer: &Scorer, candidates: Vec<Option<Candidate>>) -> Option<(Vec<Variant>, String)> {
    let kept: Vec<(usize, Candidate)> = candidates
        .into_iter()
        .enumerate()
        .filter_map(|(index, candidate)| Some((index, candidate?)))
        .filter(|(_, candidate)| candidate.is_ok())
        .collect();
    let all: Vec<&Fields> = kept.iter().map(|(_, candidate)| &candidate.fields).collect();
    let scores: Vec<Score> = (0..kept.len())
        .map(|i| {
            let others = all.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, fields)| *fields);
            scorer.score(all[i]).with_distinctness(score::distinctness(all[i], others))
        })
        .collect();
    let best = (0..kept.len()).max_by(|&a, &b| {
        let by_score = scores[a].total.total_cmp(&scores[b].total);
        // Equal scores: the likelier, then the earlier.
        by_score.then(kept[a].1.likelihood.total_cmp(&kept[b].1.likelihood)).then(b.cmp(&a))
    })?;
    let best = variant_id(kept[best].0);
    let variants = kept
        .into_iter()
        .zip(scores)
        .map(|((index, candidate), score)| Variant {
            id: variant_id(index),
            fields: candidate.fields,
            checks: candidate.checks,
            ok: true,
            score,
        })
        .collect();
    Some((variants, best))
}
