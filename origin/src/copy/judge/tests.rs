//! The quick verdict is the one that the whole copy's check and score give.

use adlib_shared::copy::Fields;
use adlib_shared::score;
use serde_json::{Value, json};

use super::*;
use crate::copy::plan;

/// The verdict as it follows from checking and scoring the whole of the copy so far.
fn slow(judge: &Judge, draft: &Draft<'_>, likelihood: f32) -> Verdict {
    let line = &draft.lines[draft.before.len()];
    let texts = draft.before.texts().iter().map(String::as_str).chain([draft.text]);
    let mut fields = Fields::new();
    for (line, text) in draft.lines.iter().zip(texts.clone()) {
        fields.push(line.field, text.to_owned());
    }
    let mut this_line = Fields::new();
    this_line.push(line.field, draft.text.to_owned());
    let path = fields.texts().last().map(|(path, _)| path).expect("a draft has a text");
    let terms = Terms { source: Some(judge.brief()), ..Terms::default() };
    let checks = check::check(judge.brief().channel, &fields, &terms);
    let broken = checks.iter().filter(|check| !check.ok && check.field == path);
    let mut faults: f32 = broken.map(|check| cost(check.rule, draft.ends_line)).sum();
    let holds = |text: &str, term: &str| text::holds_term(&text::fold(text), &text::fold(term));
    if judge.brief().must_exclude.iter().any(|term| holds(draft.text, term)) {
        faults += COST_HARD;
    }
    if draft.cut {
        faults += COST_CUT;
    }
    let missing = |term: &String| !texts.clone().any(|text| holds(text, term));
    if draft.ends_line && line.required.iter().any(missing) {
        faults += COST_TERM_MISSING;
    }
    faults += judge.scorer().doubts(draft.text).into_iter().map(cost_of_doubt).sum::<f32>();
    let support = judge.scorer().support(draft.text);
    let quality =
        likelihood + WORTH_FAITHFUL * faithfulness(support) - WORTH_FRESH * score::repetition(&fields);
    let share = judge.scorer().faithfulness(&this_line);
    let strays = support.claimed >= STRAY_CLAIMED_MIN && share < STRAY_SHARE;
    if strays {
        faults += COST_STRAYS;
    }
    Verdict { faults, quality, strays }
}

fn brief(channel: &str) -> Brief {
    let body: Value = json!({
        "product": {
            "name": "Kvass & Kettle",
            "description": "Rye kvass brewed in Tallinn, fermented for 48 hours, sold in 330 ml bottles.",
            "price": "€3.50",
            "url": "https://kvass.example/shop"
        },
        "channel": channel,
        "must_include": ["rye kvass"],
        "must_exclude": ["beer"]
    });
    Brief::parse(&serde_json::to_vec(&body).expect("JSON"), &["en"]).expect("a valid brief")
}

/// Texts with and without every kind of fault.
const TEXTS: [&str; 17] = [
    "Rye kvass from Tallinn",
    "Rye kvass from Tallinn",
    "Fermented for 48 hours, sold in 330 ml bottles.",
    "Fermented for 96 hours",
    "Only €3.50 a bottle",
    "Only €2.50 a bottle!",
    "Order at kvass.example/shop today.",
    "Order at elsewhere.example today.",
    "Better than beer",
    "Brewed with the",
    "",
    " padded ",
    "#kvass",
    "Kvass, kvass, kvass, kvass and more kvass for a long summer in Tallinn, in Tartu and in Narva (all of it",
    "Bröd och kvass — 48 timmar 🍞",
    "Rye kvass from Tallinn, rye kvass from Tallinn, rye kvass from Tallinn.",
    "Seven days of Summer in Old Riga",
];

#[test]
fn the_quick_verdict_is_that_of_the_whole_check() {
    let mut faulty = 0;
    for channel in adlib_shared::channel::CHANNELS {
        let brief = brief(channel.id);
        let Ok(lines) = plan::lines(&brief) else { continue };
        let judge = Judge::new(brief);
        for start in (0..TEXTS.len()).step_by(4) {
            let (mut before, accepted) = (Finished::default(), Accepted::default());
            for (at, _) in lines.iter().enumerate() {
                for text in TEXTS {
                    for (ends_line, cut) in [(false, false), (true, false), (true, true)] {
                        let draft = Draft {
                            lines: &lines,
                            before: &before,
                            text,
                            accepted: &accepted,
                            ends_line,
                            cut,
                        };
                        let (quick, slow) = (judge.judge(&draft, -1.5), slow(&judge, &draft, -1.5));
                        assert_eq!(quick, slow, "{}: line {at}: {text:?}", channel.id);
                        faulty += usize::from(!quick.is_clean());
                    }
                }
                before.push(TEXTS[(start + at * 5) % TEXTS.len()].to_owned());
            }
        }
    }
    assert!(faulty > 1000, "only {faulty} drafts had a fault");
}

/// The verdict on a second stretch of a long line.
fn of_stretch(accepted: &str, news: &str) -> Verdict {
    let brief = brief("product_description");
    let lines = plan::lines(&brief).expect("a plan");
    let before = Finished::default();
    let (judge, text) = (Judge::new(brief), format!("{accepted}{news}"));
    let accepted = &judge.accepted(accepted.to_owned());
    let draft = Draft { lines: &lines, before: &before, text: &text, accepted, ends_line: false, cut: false };
    judge.judge(&draft, -1.5)
}

#[test]
fn what_is_mostly_not_of_the_brief_strays() {
    let told = "Rye kvass from Tallinn, fermented for 48 hours.";
    assert!(of_stretch("", told).is_clean());
    let astray = of_stretch(told, " Grandmothers whisper while copper moonlight paints harbours.");
    assert!(astray.strays() && !astray.is_clean());
    assert!(of_stretch(told, " Sold in 330 ml bottles.").value() > astray.value());
    let after = of_stretch(&format!("{told} Grandmothers whisper of moonlight."), " Sold in 330 ml bottles.");
    assert!(after.is_clean(), "an earlier stretch is not judged again");
}

#[test]
fn a_doubtful_claim_is_a_fault_of_the_stretch_that_makes_it() {
    let told = "Rye kvass from Tallinn, fermented for 48 hours.";
    for doubtful in [" Brewed by Ketil of Tallinn.", " Sold in 330 barrels.", " No bottles are sold."] {
        assert!(!of_stretch(told, doubtful).is_clean(), "{doubtful}");
        let after = of_stretch(&format!("{told}{doubtful}"), " Sold in 330 ml bottles.");
        assert!(after.is_clean(), "{doubtful}");
    }
}
