//! Every rule of every channel, at the limit and one past it.

use adlib_shared::channel::{CHANNELS, Channel, Field};
use adlib_shared::check::{Checker, Rule, Terms, all_hard_ok, check};
use adlib_shared::copy::Fields;
use adlib_shared::count::Unit;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sample::{brief, faults, faults_of, set, smallest, with};

/// A text of exactly so many units, unlike the text of another number.
fn exactly(field: &Field, length: usize, number: usize) -> String {
    let mark = char::from(b'a' + number as u8);
    let text = if field.hashtag {
        format!("#{}", mark.to_string().repeat(length - 1))
    } else {
        mark.to_string().repeat(length)
    };
    assert_eq!(field.unit.count(&text), length);
    text
}

/// A copy that keeps every rule of the channel, each text at its hard or recommended limit.
fn full(channel: &Channel) -> Fields {
    let mut fields = Fields::new();
    for field in channel.fields {
        let length = field.limit_recommended.or(field.limit_hard).unwrap();
        let length = field.limit_shortest.unwrap_or(length);
        fields.set(field, (0..field.count_max).map(|number| exactly(field, length, number)).collect());
    }
    fields
}

fn failed(channel: &Channel, fields: &Fields) -> Vec<(Rule, String, bool)> {
    let checks = check(channel, fields, &Terms::default());
    checks.into_iter().filter(|c| !c.ok).map(|c| (c.rule, c.field, c.advisory)).collect()
}

#[test]
fn every_channel_takes_a_copy_at_its_limits() {
    for channel in CHANNELS {
        assert_eq!(failed(channel, &full(channel)), [], "{}", channel.id);
    }
}

#[test]
fn one_past_any_limit_is_told() {
    for channel in CHANNELS {
        for field in channel.fields {
            let path = if field.is_single() { field.name.to_owned() } else { format!("{}[0]", field.name) };
            let limits =
                [(field.limit_hard, Rule::Length), (field.limit_recommended, Rule::LengthRecommended)];
            for (limit, rule) in limits.into_iter().filter_map(|(limit, rule)| Some((limit?, rule))) {
                let mut fields = full(channel);
                let mut texts = fields.get(field.name).to_vec();
                texts[0] = exactly(field, limit + 1, 25);
                fields.set(field, texts);
                let failed = failed(channel, &fields);
                let advisory = rule == Rule::LengthRecommended;
                assert!(
                    failed.contains(&(rule, path.clone(), advisory)),
                    "{}.{path}: {failed:?}",
                    channel.id
                );
                let hard = check(channel, &fields, &Terms::default());
                assert_eq!(
                    all_hard_ok(&hard),
                    field.limit_hard.is_none_or(|hard| limit < hard),
                    "{}.{path}",
                    channel.id
                );
            }
        }
    }
}

#[test]
fn a_field_has_as_many_texts_as_the_channel_asks_for() {
    for channel in CHANNELS {
        for field in channel.fields {
            let mut counts = vec![field.count_max + 1];
            counts.extend(field.count_min.checked_sub(1));
            for count in counts {
                let mut fields = full(channel);
                let length = field.length_min.max(2);
                fields.set(field, (0..count).map(|number| exactly(field, length, number)).collect());
                let failed = failed(channel, &fields);
                assert_eq!(failed, [(Rule::Count, field.name.to_owned(), false)], "{}: {count}", channel.id);
            }
        }
    }
}

#[test]
fn a_check_says_what_it_counted() {
    let channel = Channel::find("google_rsa").unwrap();
    let mut fields = full(channel);
    let mut headlines = fields.get("headline").to_vec();
    headlines[0] = "Fresh bread, warm at seven".into();
    fields.set(&channel.fields[0], headlines);
    let checks = check(channel, &fields, &Terms::default());
    let length =
        checks.iter().find(|check| check.field == "headline[0]" && check.rule == Rule::Length).unwrap();
    let expected = json!({
        "rule": "length", "field": "headline[0]", "limit": 30, "counted": 26, "unit": "width", "ok": true,
    });
    assert_eq!(serde_json::to_value(length).unwrap(), expected);
}

#[test]
fn the_special_rules_of_channels_hold() {
    let rsa = |headline: &str| json!({"headline": [headline, "b", "c"], "description": ["d", "e"]});
    assert_eq!(faults("google_rsa", rsa("Now!")), [(Rule::ForbiddenCharacters, "headline[0]".into())]);
    assert_eq!(faults("google_rsa", rsa("C")), [(Rule::Distinct, "headline[2]".into())]);
    assert_eq!(faults("google_rsa", json!({"headline": ["a", "b", "c"], "description": ["Now!", "e"]})), []);
    let tiktok = |text: &str| faults("tiktok_ad", json!({"text": text})).len();
    assert_eq!(
        ["ok", "no #tag", "no { here", "no }", "no 🔥", "no ☕", "™ is none"].map(tiktok),
        [0, 1, 1, 1, 1, 1, 0]
    );
    let youtube = json!({"title": "a < b", "description": "c > d"});
    assert_eq!(faults("youtube", youtube).len(), 2);
    let sms = faults("sms", json!({"text": "Кофе"}));
    assert_eq!(sms, [(Rule::Length, "text".into())]);
    let pmax = json!({
        "headline": ["a", "b", "c"], "long_headline": ["d"], "description": ["e".repeat(61), "f".repeat(61)],
    });
    assert_eq!(faults("google_pmax", pmax), [(Rule::LengthShortest, "description".into())]);
    let short = faults("product_description", json!({"text": "x".repeat(299)}));
    assert_eq!(short, [(Rule::LengthMin, "text".into())]);
}

#[test]
fn a_hashtag_is_one_word_behind_its_sign() {
    let tag = |tag: &str| faults("instagram", json!({"caption": "a", "hashtags": [tag]})).len();
    assert_eq!(["#Bread", "#crème_brûlée", "#パン", "#24hours", "#नमस्ते", "#party🎉"].map(tag), [0; 6]);
    assert_eq!(["Bread", "#", "#two words", "#a-b", "#24", "#a#b", "##a"].map(tag), [1; 7]);
}

#[test]
fn a_title_on_amazon_repeats_no_word_more_than_twice() {
    let amazon = |title: &str| {
        let bullets: Vec<String> = (0..5).map(|n| format!("Point {n}")).collect();
        faults("amazon", json!({"title": title, "bullet": bullets, "description": "x"}))
    };
    assert_eq!(amazon("Tea pot, tea cup"), []);
    assert_eq!(amazon("Tea pot, tea cup, TEA tray"), [(Rule::WordRepeats, "title".into())]);
    assert_eq!(amazon("Cable 1 m, 2 m or 3 m with clip, with bag and with case"), []);
    assert_eq!(amazon("Tea for $5"), [(Rule::ForbiddenCharacters, "title".into())]);
}

#[test]
fn empty_padded_and_unfinished_texts_are_told() {
    let x =
        |text: &str| faults("x", json!({"post": text})).into_iter().map(|(rule, _)| rule).collect::<Vec<_>>();
    assert_eq!(x("Bread."), []);
    assert_eq!(x(""), [Rule::NotEmpty]);
    assert_eq!(x("  "), [Rule::NotEmpty]);
    assert_eq!(x("Bread "), [Rule::NotEmpty]);
    for text in ["Bread,", "Bread –", "Bread (rye", "Bread &"] {
        assert_eq!(x(text), [Rule::Unfinished], "{text}");
    }
    assert_eq!(x("Bread for the"), [], "the language is not known");
    let brief = brief(&with("/channel", json!("x")));
    assert_eq!(faults_of(&brief, json!({"post": "Meal kits for THE"})), [(Rule::Unfinished, "post".into())]);
    assert_eq!(faults_of(&brief, json!({"post": "Meal kits you dream of."})), []);
}

#[test]
fn an_unknown_field_is_told() {
    assert_eq!(faults("x", json!({"post": "a", "title": "b"})), [(Rule::KnownField, "title".into())]);
}

#[test]
fn terms_are_found_as_whole_words_in_any_case() {
    let post = |include: &[&str], exclude: &[&str], text: &str| {
        let mut body = with("/channel", json!("x"));
        set(&mut body, "/must_include", json!(include));
        set(&mut body, "/must_exclude", json!(exclude));
        faults_of(&brief(&body), json!({"post": text})).into_iter().map(|(rule, _)| rule).collect::<Vec<_>>()
    };
    assert_eq!(post(&["Meal Kit"], &[], "A MEAL KIT."), []);
    assert_eq!(post(&["meal kit"], &[], "Two meal kits."), [Rule::MustInclude]);
    assert_eq!(post(&[], &["art"], "A party starts."), []);
    for text in ["Art!", "state-of-the-art", "Modern ART.", "ａｒｔ", "a\u{ad}rt", "ar\u{200b}t"] {
        assert_eq!(post(&[], &["art"], text), [Rule::MustExclude], "{text}");
    }
    assert_eq!(post(&[], &["don't"], "Don’t wait."), [Rule::MustExclude]);
    assert_eq!(post(&[], &["strasse"], "Straße"), [Rule::MustExclude]);
    assert_eq!(post(&[], &["C++"], "Learn C++ here"), [Rule::MustExclude]);
    assert_eq!(post(&[], &["免费"], "现在免费试用"), [Rule::MustExclude], "a script without spaces");
}

/// The rules that a post breaks against a brief with this description.
fn grounded(description: &str, post: &str) -> Vec<Rule> {
    let mut body = with("/product/description", json!(description));
    set(&mut body, "/channel", json!("x"));
    faults_of(&brief(&body), json!({"post": post})).into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn numbers_stand_in_the_brief_however_they_are_written() {
    let holds = [
        ("Grown at 1,400 metres", "1400 m"),
        ("Grown at 1\u{a0}400 metres", "1400 m"),
        ("Grown at 1'400 metres", "1400 m"),
        ("A litre at 13.50", "13,5"),
        ("Open from 7:00", "from 7"),
        ("Open from 7:30", "from 7.30"),
        ("Open till 19:30", "till 7:30"),
        ("Three courses", "3 courses"),
        ("Twenty-four hours", "24 hours, 20 minutes"),
        ("A dozen eggs", "12 eggs"),
        ("Area of 40 m²", "40 m²"),
        ("Weighs 2.0 kg", "2 kg"),
        ("Version 1.2.3", "1.2.3"),
        ("Made in १२ hours", "12 hours"),
        ("Nothing", "Number 1"),
        ("Soak for 12 hours, feeds 4", "1. Soak 12 hours.\n2. It feeds 4."),
    ];
    for (description, post) in holds {
        assert_eq!(grounded(description, post), [], "{post:?} from {description:?}");
    }
    let invented = [
        ("Grown at 1,400 metres", "140 metres"),
        ("Grown at 1,400 metres", "1.4 metres"),
        ("Grown at 1400 metres", "400 metres"),
        ("Open from 7:00", "from 7:45"),
        ("Costs 45 minutes at 7:00", "7:45"),
        ("No number", "9 of 10 agree"),
        ("Version 1.2.3", "1.2.4"),
        ("Ten cups", "11 cups"),
        ("Grown here", "٣٥ metres"),
    ];
    for (description, post) in invented {
        assert_eq!(grounded(description, post), [Rule::GroundedNumbers], "{post:?} from {description:?}");
    }
}

#[test]
fn prices_and_percentages_stand_in_the_brief_with_their_sign() {
    let holds = [
        ("24 dollars", "$24"),
        ("USD 24", "$24.00"),
        ("€10–20", "from €20"),
        ("10 to 20 %", "10% off"),
        ("20 percent", "20% off"),
        ("NOK 890", "890 kr"),
        ("AU$19", "$19"),
        ("5 frames for £3", "Try 5 frames"),
    ];
    for (description, post) in holds {
        assert_eq!(grounded(description, post), [], "{post:?} from {description:?}");
    }
    let invented = [
        ("24 hours", "$24"),
        ("€24", "$24"),
        ("10 kg, 20% off", "10% off"),
        ("2 kg for £5", "£2"),
        ("€10, 20 pieces", "€20"),
    ];
    for (description, post) in invented {
        assert_eq!(grounded(description, post), [Rule::GroundedPrices], "{post:?} from {description:?}");
    }
}

#[test]
fn what_the_brand_avoids_or_published_before_states_no_facts() {
    let mut body = with("/channel", json!("x"));
    set(
        &mut body,
        "/brand",
        json!({"do": ["Name the 3 farms"], "dont": ["Promise 24 hours"], "examples": ["Only $9"]}),
    );
    let brief = brief(&body);
    assert_eq!(faults_of(&brief, json!({"post": "From 3 farms"})), []);
    assert_eq!(faults_of(&brief, json!({"post": "In 24 hours"})), [(Rule::GroundedNumbers, "post".into())]);
    let price = [(Rule::GroundedNumbers, "post".into()), (Rule::GroundedPrices, "post".into())];
    assert_eq!(faults_of(&brief, json!({"post": "Only $9"})), price);
}

#[test]
fn addresses_stand_in_the_brief() {
    let of = |post: &str| grounded("See https://www.larder.example/kits for more", post);
    for post in
        ["larder.example/kits", "https://larder.example/kits/", "(www.larder.example).", "Node.js and a.m."]
    {
        assert_eq!(of(post), [], "{post}");
    }
    for post in [
        "https://larder.example/other",
        "lard.example",
        "www.other.test",
        "Visit Larder.com",
        "mail@larder.example",
    ] {
        assert_eq!(of(post), [Rule::GroundedUrls], "{post}");
    }
}

#[test]
fn a_briefs_own_limit_is_a_hard_one() {
    let mut body = with("/channel", json!("email"));
    set(&mut body, "/limits", json!({"subject": 20, "body": 100}));
    let brief = brief(&body);
    let email = |subject: usize, text: usize| {
        let texts = json!({"subject": "x".repeat(subject), "preheader": "y", "body": "z".repeat(text)});
        faults_of(&brief, texts)
    };
    assert_eq!(email(20, 100), []);
    assert_eq!(email(21, 101), [(Rule::Length, "subject".into()), (Rule::Length, "body".into())]);
}

proptest! {
    #[test]
    fn any_texts_are_answered(
        channel in 0..CHANNELS.len(), texts in prop::collection::vec("\\PC{0,40}|[0-9.,:'$€% a-c\n]{0,40}", 0..4),
        description in "\\PC{1,40}|[0-9.,:'$€% a-c]{1,40}",
    ) {
        let channel = &CHANNELS[channel];
        let Some(brief) = crate::sample::brief_for(channel, &description) else { return Ok(()) };
        let mut fields = Fields::new();
        for field in channel.fields {
            fields.set(field, texts.clone());
        }
        let checks = Checker::new(channel, Terms::of(&brief)).check(&fields);
        prop_assert!(checks.iter().all(|check| check.ok || check.detail.is_some() || check.limit.is_some()));
    }

    #[test]
    fn what_the_brief_says_is_never_called_invented(text in "[0-9.,:'$€%£ a-c–-]{1,40}") {
        let mut body = smallest();
        set(&mut body, "/channel", json!("x"));
        set(&mut body, "/product/description", json!(format!("x {text}")));
        let Ok(brief) = crate::sample::parse(&body) else { return Ok(()) };
        let faults = faults_of(&brief, json!({"post": brief.product.description}));
        let invented = [Rule::GroundedNumbers, Rule::GroundedPrices, Rule::GroundedUrls];
        prop_assert!(!faults.iter().any(|(rule, _)| invented.contains(rule)), "{:?}", faults);
    }

    #[test]
    fn a_copy_travels_unchanged(texts in prop::collection::vec("\\PC{1,10}", 1..4)) {
        let channel = Channel::find("google_display").unwrap();
        let mut fields = Fields::new();
        fields.set(&channel.fields[0], texts.clone());
        fields.set(&channel.fields[1], texts[..1].to_vec());
        let value: Value = serde_json::to_value(&fields).unwrap();
        prop_assert!(value["headline"].is_array() && value["long_headline"].is_string());
        prop_assert_eq!(serde_json::from_value::<Fields>(value).unwrap(), fields);
    }
}

#[test]
fn every_unit_is_used_by_some_field() {
    let used =
        |unit: &Unit| CHANNELS.iter().flat_map(|channel| channel.fields).any(|field| field.unit == *unit);
    assert!(Unit::ALL.iter().all(used));
}
