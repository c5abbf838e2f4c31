//! Scores order copies as a reader would.

#![expect(clippy::float_cmp, reason = "the bounds 0 and 1 are exact")]

use adlib_shared::copy::Fields;
use adlib_shared::score::{Doubt, Scorer, distinctness, readability, repetition};
use proptest::prelude::*;
use serde_json::json;

use crate::sample::{brief, fields, set, smallest};

fn post(text: &str) -> Fields {
    fields(json!({"post": text}))
}

fn scorer() -> Scorer {
    let mut body = smallest();
    set(&mut body, "/product/name", json!("Kilima Ridge"));
    set(
        &mut body,
        "/product/description",
        json!("Coffee from Nyeri, Kenya, roasted every Tuesday in Ghent."),
    );
    set(&mut body, "/product/price", json!("€13.50 for 250 g"));
    set(&mut body, "/must_include", json!(["free delivery"]));
    set(&mut body, "/channel", json!("x"));
    Scorer::new(&brief(&body))
}

#[test]
fn what_stands_in_the_brief_is_faithful() {
    let of = |text: &str| scorer().faithfulness(&post(text));
    let told = of("Kilima Ridge: Kenyan coffee, roasted on Tuesday in Ghent. €13.50 with free delivery.");
    assert!(told > 0.85, "{told}");
    assert!(of("Coffee roasted in Ghent.") > of("Coffee roasted in Antwerp."), "an invented name");
    assert!(of("Coffee for €13.50.") > of("Coffee for €12.50."), "an invented price");
    assert!(of("Coffee, 250 g.") > of("Coffee, 500 g."), "an invented number");
    assert!(of("Coffee from Nyeri.") > of("Moonlight dances over velvet mountains."), "an invented scene");
    assert!((of("Order today.") - 1.0).abs() < 1e-6, "an invitation claims nothing");
}

#[test]
fn a_copy_that_tells_more_of_the_brief_covers_more() {
    let of = |text: &str| scorer().coverage(&post(text));
    let (all, name, none) = (
        of(
            "Kilima Ridge, coffee from Nyeri, Kenya, roasted every Tuesday in Ghent. €13.50 for 250 g, free delivery.",
        ),
        of("Kilima Ridge coffee."),
        of("Hello."),
    );
    assert!((all - 1.0).abs() < 1e-6, "{all}");
    assert!(all > name && name > none && none == 0.0);
}

/// The doubts about a text for a brief whose description denies one thing and counts another.
fn doubts(text: &str) -> Vec<Doubt> {
    let mut body = smallest();
    set(&mut body, "/product/name", json!("Herdwick Hotels"));
    let description =
        "Six small hotels in the Lake District, 300 books in each, no televisions, a 52 cm shelf.";
    set(&mut body, "/product/description", json!(description));
    set(&mut body, "/product/features", json!(["sugar-free breakfast", "check-in from 12:30"]));
    Scorer::new(&brief(&body)).doubts(text)
}

#[test]
fn names_that_the_brief_does_not_hold_are_doubted() {
    assert_eq!(doubts("Six Herdwick Hotels in the Lake District. Rooms are ready."), []);
    assert_eq!(doubts("A hotel in Wales with books."), [Doubt::Name]);
    assert_eq!(doubts("Small Hotels, Quiet Evenings, Warm Welcome"), [], "a title capitalises every word");
    assert_eq!(doubts("Quiet evenings. Books to read."), [], "so does the beginning of a sentence");
    assert_eq!(doubts("A day with books. #ReadInWales"), [], "a hashtag is a name of its own");
}

#[test]
fn names_with_wrong_letters_are_doubted() {
    assert_eq!(doubts("Sheldwick Hotels in the Lake District."), [Doubt::GarbledName]);
    assert_eq!(doubts("herdwicks have six hotels"), [], "an inflected name is none");
    assert_eq!(doubts("Herdwick hotels by the laKe."), [Doubt::GarbledName]);
    assert_eq!(doubts("Stay by a lakeside hostel."), [], "two letters of six are another word");
    assert_eq!(doubts("Stay by the cake."), [], "short words have too many neighbours");
}

#[test]
fn numbers_of_other_things_are_doubted() {
    assert_eq!(doubts("300 books and 6 hotels, from 12:30 on."), []);
    assert_eq!(doubts("300 rooms."), [Doubt::Quantity]);
    assert_eq!(doubts("A 52-inch shelf."), [Doubt::Quantity]);
    assert_eq!(doubts("A 52cm shelf, 300."), []);
    assert_eq!(
        doubts("300 to read. 300 days."),
        [],
        "function words and what any copy says count nothing new"
    );
}

#[test]
fn denials_that_the_brief_does_not_make_are_doubted() {
    assert_eq!(doubts("No televisions. Sugar-free breakfast without sugar."), []);
    assert_eq!(doubts("No breakfast."), [Doubt::Negation]);
    assert_eq!(doubts("You won't find books here."), [Doubt::Negation]);
    assert_eq!(doubts("A television-free hotel, free breakfast."), []);
    assert_eq!(
        doubts("No Wales here but 300 rooms in all."),
        [Doubt::Name, Doubt::Quantity, Doubt::Negation]
    );
}

#[test]
fn short_words_and_sentences_read_easily() {
    let easy = readability("We bake bread. It is warm. Come by.", true);
    let hard = readability(
        "Notwithstanding organisational considerations, interdisciplinary implementation necessitates administrative \
         coordination.",
        true,
    );
    assert!(easy > 0.9 && hard < 0.1, "{easy} {hard}");
    assert!(readability("Wir backen Brot. Es ist warm.", false) > 0.9);
    assert_eq!(readability("", true), 0.0);
    assert_eq!(readability("…", false), 0.0);
}

#[test]
fn a_phrase_that_comes_again_is_repetition() {
    assert_eq!(repetition(&post("Fresh bread every day from our oven.")), 0.0);
    let looped = repetition(&post("Fresh bread every day. Fresh bread every day. Fresh bread every day."));
    assert!(looped > 0.5, "{looped}");
    let across =
        repetition(&fields(json!({"headline": "Fresh bread every day", "body": "Fresh bread every day"})));
    assert!(across > 0.4, "{across}");
}

#[test]
fn variants_are_distinct_from_what_stands_beside_them() {
    let (one, near, far) =
        (post("Fresh bread daily"), post("Fresh bread, daily"), post("Sleep under a dark sky"));
    assert_eq!(distinctness(&one, []), 1.0);
    assert_eq!(distinctness(&one, [&one]), 0.0);
    assert!(distinctness(&one, [&near]) < 0.3);
    assert!(distinctness(&one, [&far]) > 0.9);
    assert_eq!(distinctness(&one, [&far, &near]), distinctness(&one, [&near]), "the nearest counts");
}

#[test]
fn the_total_follows_its_parts() {
    let scorer = scorer();
    let good =
        scorer.score(&post("Kilima Ridge: coffee from Nyeri, roasted on Tuesday in Ghent. Free delivery."));
    let bad = scorer
        .score(&post("Unleash unprecedented synergies, unprecedented synergies, unprecedented synergies!"));
    assert!(good.total > bad.total + 0.2, "{good:?} {bad:?}");
    assert!(good.with_distinctness(0.2).total < good.total);
}

proptest! {
    #[test]
    fn every_part_lies_between_0_and_1(text in "\\PC{0,80}|[A-Za-z0-9€%. \n]{0,80}", other in "\\PC{0,40}") {
        let score = scorer().score(&post(&text)).with_distinctness(distinctness(&post(&text), [&post(&other)]));
        for part in [
            score.total, score.readability, score.coverage, score.distinctness, score.faithfulness, score.repetition,
        ] {
            prop_assert!((0.0..=1.0).contains(&part), "{:?}", score);
        }
    }
}
