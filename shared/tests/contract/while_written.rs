//! What judges a text while it is written says the same as what judges the whole copy.

use adlib_shared::brief::Brief;
use adlib_shared::channel::{CHANNELS, Channel, Field};
use adlib_shared::check::{Checker, Rule, Terms, check};
use adlib_shared::copy::Fields;
use adlib_shared::score::{Scorer, Trigrams, repetition};
use adlib_shared::text;
use proptest::prelude::*;

use crate::pairs;

/// The texts of a copy in the channel's order, each with its field.
fn texts<'f>(channel: &'static Channel, fields: &'f Fields) -> Vec<(&'static Field, &'f str)> {
    let of_field =
        |field: &'static Field| fields.get(field.name).iter().map(move |text| (field, text.as_str()));
    channel.fields.iter().flat_map(of_field).collect()
}

/// Compares what is said of each text as the last one with what the whole of the copy up to it gives.
fn same(brief: &Brief, texts: &[(&'static Field, &str)]) -> Result<usize, String> {
    let terms = Terms { source: Some(brief), ..Terms::default() };
    let (checker, scorer) = (Checker::new(brief.channel, terms), Scorer::new(brief));
    let (mut whole, mut trigrams, mut broken) = (Fields::new(), Trigrams::default(), 0);
    for (at, &(field, text)) in texts.iter().enumerate() {
        if field.is_single() && texts[..at].iter().any(|(other, _)| other.name == field.name) {
            continue;
        }
        whole.push(field, text.to_owned());
        let path = whole.texts().last().map(|(path, _)| path).unwrap();
        let faults = check(brief.channel, &whole, &terms).into_iter().filter(|c| !c.ok && c.field == path);
        let mut slow: Vec<Rule> = faults.map(|check| check.rule).collect();
        slow.retain(|rule| !matches!(rule, Rule::Count | Rule::LengthShortest));
        let earlier = texts[..at].iter().filter(|(other, _)| other.name == field.name).map(|(_, text)| *text);
        let mut quick = checker.broken(field, earlier, text);
        slow.sort_unstable();
        quick.sort_unstable();
        broken += quick.len();
        let mut alone = Fields::new();
        alone.push(field, text.to_owned());
        let measures = [
            (scorer.support(text).share(), scorer.faithfulness(&alone)),
            (trigrams.repetition_with(&text::fold(text)), repetition(&whole)),
        ];
        trigrams.add(text);
        let equal = slow == quick
            && measures.iter().all(|(quick, slow)| quick.to_bits() == slow.to_bits())
            && trigrams.repetition().to_bits() == repetition(&whole).to_bits();
        if !equal {
            return Err(format!("{path} {text:?}: {quick:?}, not {slow:?}; {measures:?}"));
        }
    }
    Ok(broken)
}

#[test]
fn of_the_house_copywriters_pairs_whole_and_spoilt() {
    let rows = pairs::rows("pairs-");
    let mut broken = 0;
    for (at, (place, row)) in rows.iter().enumerate().step_by(7) {
        let own = pairs::brief(place, row);
        // Another product's facts are invented ones here.
        let other =
            rows[at + 1..].iter().find(|(_, other)| other["brief"]["channel"] == row["brief"]["channel"]);
        let fields: Fields = serde_json::from_value(row["copy"].clone()).unwrap();
        let texts = texts(own.channel, &fields);
        let briefs = [Some(own), other.map(|(place, row)| pairs::brief(place, row))];
        for brief in briefs.iter().flatten() {
            broken += same(brief, &texts).unwrap_or_else(|fault| panic!("{place}: {fault}"));
            let twice: Vec<_> = texts.iter().flat_map(|&text| [text, text]).collect();
            broken += same(brief, &twice).unwrap_or_else(|fault| panic!("{place}: {fault}"));
            let halves: Vec<_> = texts
                .iter()
                .map(|&(field, text)| (field, &text[..text.floor_char_boundary(text.len() / 2)]))
                .collect();
            broken += same(brief, &halves).unwrap_or_else(|fault| panic!("{place}: {fault}"));
        }
    }
    assert!(broken > 1000, "only {broken} faults were compared");
}

proptest! {
    #[test]
    fn of_any_texts(
        channel in 0..CHANNELS.len(),
        texts in prop::collection::vec("\\PC{0,40}|[0-9.,:'$€%# a-cA!🙂(/@\n]{0,40}|(www\\.)?[ab]{2}\\.(com|de)( the)?", 1..6),
        description in "\\PC{1,40}|[0-9.,:'$€% a-c]{1,40}",
    ) {
        let channel = &CHANNELS[channel];
        let Some(brief) = crate::sample::brief_for(channel, &description) else { return Ok(()) };
        let texts: Vec<_> = texts.iter().enumerate().map(|(at, text)| {
            (&channel.fields[at * channel.fields.len() / texts.len()], text.as_str())
        }).collect();
        let outcome = same(&brief, &texts);
        prop_assert!(outcome.is_ok(), "{:?}", outcome);
    }
}
