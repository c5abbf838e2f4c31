//! The house copywriter's pairs are an oracle: another program has checked them all.

use std::fs;
use std::path::PathBuf;

use adlib_shared::brief::Brief;
use adlib_shared::check::{self, Rule, Terms};
use adlib_shared::copy::Fields;
use adlib_shared::score::Scorer;
use serde_json::Value;

/// Pairs that break a rule which the oracle does not have: a made-up mail address, a text shorter than the channel asks.
const KNOWN_FAULTS: [(&str, Rule); 2] =
    [("pairs-13.jsonl:71", Rule::LengthMin), ("pairs-2.jsonl:174", Rule::GroundedUrls)];

pub(crate) fn rows(prefix: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/adapter/data");
    let mut rows = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with(prefix) {
            continue;
        }
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        for (line, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            rows.push((format!("{name}:{}", line + 1), serde_json::from_str(row).unwrap()));
        }
    }
    rows
}

pub(crate) fn brief(place: &str, row: &Value) -> Brief {
    let body = serde_json::to_vec(&row["brief"]).unwrap();
    Brief::parse(&body, &["en"]).unwrap_or_else(|problem| panic!("{place}: {problem:?}"))
}

#[test]
fn every_pair_holds() {
    let rows = rows("pairs-");
    assert!(rows.len() > 2000, "only {} pairs were found", rows.len());
    let mut faults = Vec::new();
    for (place, row) in &rows {
        let brief = brief(place, row);
        let fields: Fields = serde_json::from_value(row["copy"].clone()).unwrap();
        for check in check::check(brief.channel, &fields, &Terms::of(&brief)) {
            if !check.ok && !check.advisory && !KNOWN_FAULTS.contains(&(place.as_str(), check.rule)) {
                let text = fields.texts().find(|(path, _)| *path == check.field).map(|(_, text)| text);
                faults.push(format!("{place}: {} {} {:?} {text:?}", check.rule, check.field, check.detail));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_briefs_own_copy_scores_higher_than_that_of_another_brief() {
    let rows = rows("pairs-");
    let read = |place: &str, row: &Value| {
        (brief(place, row), serde_json::from_value::<Fields>(row["copy"].clone()).unwrap())
    };
    let pairs: Vec<(Brief, Fields)> = rows.iter().map(|(place, row)| read(place, row)).collect();
    let (mut compared, mut higher, mut faithful) = (0, 0, 0.0);
    for (at, (brief, own)) in pairs.iter().enumerate().step_by(5) {
        let other = pairs[at + 1..]
            .iter()
            .find(|(other, _)| other.channel == brief.channel && other.product.name != brief.product.name);
        let Some((_, other)) = other else { continue };
        let scorer = Scorer::new(brief);
        compared += 1;
        higher += usize::from(scorer.score(own).total > scorer.score(other).total);
        faithful += scorer.score(own).faithfulness;
    }
    assert!(compared > 400 && higher * 100 >= compared * 99, "{higher} of {compared}");
    assert!(faithful / compared as f32 > 0.7, "{}", faithful / compared as f32);
}

#[test]
fn every_brief_of_the_evaluation_is_valid() {
    let rows = rows("briefs");
    assert!(rows.len() > 90, "only {} briefs were found", rows.len());
    for (place, row) in rows {
        brief(&place, &row);
    }
}
