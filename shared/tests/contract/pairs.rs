//! The house copywriter's pairs are an oracle: another program has checked them all.

use std::fs;
use std::path::PathBuf;

use adlib_shared::brief::Brief;
use adlib_shared::check::{self, Rule, Terms};
use adlib_shared::copy::Fields;
use serde_json::Value;

/// Pairs that break a rule which the oracle does not have: a made-up mail address, a text shorter than the channel asks.
const KNOWN_FAULTS: [(&str, Rule); 2] =
    [("pairs-13.jsonl:71", Rule::LengthMin), ("pairs-2.jsonl:174", Rule::GroundedUrls)];

fn rows(prefix: &str) -> Vec<(String, Value)> {
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

fn brief(place: &str, row: &Value) -> Brief {
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
