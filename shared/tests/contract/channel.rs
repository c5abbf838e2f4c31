//! The channel table, as the contract prints it.

use adlib_shared::brief::{Framework, Tone};
use adlib_shared::catalog;
use adlib_shared::channel::{CHANNELS, Channel, Field};

/// Fields of one channel: name, fewest and most, hard and recommended limit, unit.
fn row(field: &Field) -> String {
    let number = |limit: Option<usize>| limit.map_or("–".to_owned(), |limit| limit.to_string());
    let Field { name, count_min, count_max, limit_hard, limit_recommended, unit, .. } = field;
    format!(
        "{name} {count_min}–{count_max} hard {} rec {} {unit}",
        number(*limit_hard),
        number(*limit_recommended)
    )
}

#[test]
fn the_table_is_the_contracts() {
    let search = "headline 3–15 hard 30 rec – width | description 2–4 hard 90 rec – width | path 0–2 hard 15 rec – width";
    let expected = [
        ("google_rsa", search),
        (
            "google_display",
            "headline 1–5 hard 30 rec – width | long_headline 1–1 hard 90 rec – width | description 1–5 hard 90 rec – width | business_name 1–1 hard 25 rec – width",
        ),
        (
            "google_pmax",
            "headline 3–15 hard 30 rec – width | long_headline 1–5 hard 90 rec – width | description 2–5 hard 90 rec – width",
        ),
        ("microsoft_rsa", search),
        (
            "meta_feed",
            "primary_text 1–1 hard 2200 rec 125 g | headline 1–1 hard – rec 40 g | description 1–1 hard – rec 30 g",
        ),
        ("instagram", "caption 1–1 hard 2200 rec – u16 | hashtags 0–5 hard 60 rec – u16"),
        ("x", "post 1–1 hard 280 rec – xw"),
        (
            "linkedin_ad",
            "intro 1–1 hard 3000 rec 150 u16 | headline 1–1 hard 200 rec 70 u16 | description 1–1 hard 300 rec 100 u16",
        ),
        ("linkedin_post", "post 1–1 hard 3000 rec – u16"),
        ("tiktok_ad", "text 1–1 hard 100 rec – width"),
        ("youtube", "title 1–1 hard 100 rec – u16 | description 1–1 hard 5000 rec – bytes"),
        (
            "email",
            "subject 1–1 hard – rec 60 g | preheader 1–1 hard – rec 100 g | body 1–1 hard 4000 rec – g",
        ),
        ("sms", "text 1–1 hard 160 rec – gsm"),
        ("push", "title 1–1 hard 65 rec 40 g | body 1–1 hard 240 rec 110 g"),
        ("seo_meta", "title 1–1 hard – rec 60 g | description 1–1 hard – rec 160 g"),
        (
            "amazon",
            "title 1–1 hard 200 rec – cp | bullet 5–5 hard 250 rec – cp | description 1–1 hard 2000 rec – cp",
        ),
        ("product_description", "text 1–1 hard 1200 rec – g"),
        (
            "landing_hero",
            "headline 1–1 hard 80 rec – g | subheadline 1–1 hard 160 rec – g | call_to_action 1–1 hard 25 rec – g",
        ),
    ];
    let table: Vec<(&str, String)> = CHANNELS
        .iter()
        .map(|channel| (channel.id, channel.fields.iter().map(row).collect::<Vec<_>>().join(" | ")))
        .collect();
    let expected: Vec<(&str, String)> =
        expected.iter().map(|(id, fields)| (*id, (*fields).to_owned())).collect();
    assert_eq!(table, expected);
}

#[test]
fn a_channel_is_found_by_id_and_alias_alone() {
    assert_eq!(Channel::find("twitter").map(|channel| channel.id), Some("x"));
    for channel in CHANNELS {
        assert_eq!(Channel::find(channel.id), Some(channel));
        for field in channel.fields {
            assert!(field.limit().is_some(), "{}.{} has no limit at all", channel.id, field.name);
            assert!(field.count_min <= field.count_max && field.length_min <= field.limit().unwrap());
        }
    }
    assert_eq!(Channel::find("Google_RSA"), None);
    assert_eq!(Channel::find(""), None);
}

#[test]
fn the_catalog_lists_all_there_is() {
    let channels = serde_json::to_value(catalog::channels()).unwrap();
    assert_eq!(channels["object"], "list");
    assert_eq!(channels["data"].as_array().unwrap().len(), 18);
    assert_eq!(channels["data"][0]["fields"][0]["forbidden"], "!");
    assert_eq!(channels["data"][6]["aliases"][0], "twitter");
    assert_eq!(catalog::tones().data.len(), 24);
    assert_eq!(catalog::frameworks().data.len(), 7);
    for tone in Tone::ALL {
        assert_eq!(Tone::from_word(tone.as_str()), Some(*tone));
    }
    assert_eq!(Framework::FourPs.slots(), ["promise", "picture", "proof", "push"]);
}
