//! Every field of a brief at its limit and one past it, and every way in which a body is refused.

use adlib_shared::brief::{Brief, CallToAction, Creativity, Framework, Objective, Tone};
use adlib_shared::limits;
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

use crate::sample::{brief, parse, set, smallest, with};

/// The code and the fields of the problem that a brief must be.
fn refused(body: &Value) -> (Code, Vec<String>) {
    let problem = parse(body).map(|brief| panic!("{body} was taken: {brief:?}")).unwrap_err();
    (problem.code, problem.errors.into_iter().map(|error| error.field).collect())
}

fn refused_field(body: &Value, field: &str) {
    assert_eq!(refused(body), (Code::InvalidField, vec![field.to_owned()]), "{body}");
}

fn refused_bytes(body: &[u8]) -> Problem {
    Brief::parse(body, &["en"]).unwrap_err()
}

#[test]
fn the_smallest_brief_has_the_contracts_defaults() {
    let brief = brief(&smallest());
    assert_eq!(brief.channel.id, "google_rsa");
    assert_eq!((brief.objective, brief.framework), (Objective::Conversion, Framework::Auto));
    assert_eq!(brief.tone, [Tone::Professional]);
    assert_eq!(brief.language.as_str(), "en");
    assert_eq!((brief.variants, brief.creativity, brief.seed), (3, Creativity::Balanced, None));
    assert_eq!(brief.call_to_action, CallToAction::Auto);
    assert!(!brief.stream && brief.brand.is_none() && brief.must_include.is_empty());
}

#[test]
fn every_text_is_taken_at_its_limit_and_refused_one_past_it() {
    let texts = [
        ("/product/name", "product.name", limits::PRODUCT_NAME_MAX),
        ("/product/description", "product.description", limits::PRODUCT_DESCRIPTION_MAX),
        ("/product/price", "product.price", limits::PRODUCT_PRICE_MAX),
        ("/product/offer", "product.offer", limits::PRODUCT_OFFER_MAX),
        ("/audience", "audience", limits::AUDIENCE_MAX),
        ("/brand/name", "brand.name", limits::BRAND_NAME_MAX),
        ("/brand/voice", "brand.voice", limits::BRAND_VOICE_MAX),
        ("/call_to_action", "call_to_action", limits::CALL_TO_ACTION_MAX),
    ];
    for (pointer, field, limit) in texts {
        // A family is one grapheme of 11 bytes, so the count is of graphemes and not of bytes.
        for grapheme in ["x", "e\u{301}", "👨‍👦"] {
            brief(&with(pointer, json!(grapheme.repeat(limit))));
            refused_field(&with(pointer, json!(grapheme.repeat(limit + 1))), field);
        }
        refused_field(&with(pointer, json!("")), field);
        refused_field(&with(pointer, json!(" \n ")), field);
        refused_field(&with(pointer, json!(7)), field);
    }
}

#[test]
fn every_list_is_taken_at_its_limits_and_refused_one_past_them() {
    let lists = [
        ("/product/features", "product.features", limits::PRODUCT_POINTS_MAX, limits::PRODUCT_POINT_MAX),
        ("/product/benefits", "product.benefits", limits::PRODUCT_POINTS_MAX, limits::PRODUCT_POINT_MAX),
        ("/brand/do", "brand.do", limits::BRAND_RULES_MAX, limits::BRAND_RULE_MAX),
        ("/brand/dont", "brand.dont", limits::BRAND_RULES_MAX, limits::BRAND_RULE_MAX),
        ("/brand/examples", "brand.examples", limits::BRAND_EXAMPLES_MAX, limits::BRAND_EXAMPLE_MAX),
        ("/must_include", "must_include", limits::MUST_INCLUDE_MAX, limits::TERM_MAX),
        ("/must_exclude", "must_exclude", limits::MUST_EXCLUDE_MAX, limits::TERM_MAX),
    ];
    for (pointer, field, count, length) in lists {
        brief(&with(pointer, json!(vec!["x".repeat(length); count])));
        refused_field(&with(pointer, json!(vec!["x"; count + 1])), field);
        let mut items = vec!["x".to_owned(); count];
        items[count - 1] = "x".repeat(length + 1);
        refused_field(&with(pointer, json!(items)), &format!("{field}[{}]", count - 1));
        refused_field(&with(pointer, json!("x")), field);
        refused_field(&with(pointer, json!(["x", null])), &format!("{field}[1]"));
    }
}

#[test]
fn numbers_are_taken_at_their_limits_and_refused_one_past_them() {
    for variants in [1, limits::VARIANTS_MAX] {
        assert_eq!(brief(&with("/variants", json!(variants))).variants, variants);
    }
    for variants in
        [json!(0), json!(limits::VARIANTS_MAX + 1), json!(-1), json!(1.0), json!("3"), json!(true)]
    {
        refused_field(&with("/variants", variants), "variants");
    }
    assert_eq!(brief(&with("/seed", json!(u64::MAX))).seed, Some(u64::MAX));
    assert_eq!(brief(&with("/seed", json!(0))).seed, Some(0));
    for seed in ["-1", "18446744073709551616", "1.5", "1e3", "\"1\""] {
        let body = with("/seed", serde_json::from_str(seed).unwrap());
        refused_field(&body, "seed");
    }
    for level in [0.0, 0.123, 1.0] {
        assert_eq!(
            brief(&with("/creativity", json!(level))).creativity,
            Creativity::from_level(level).unwrap()
        );
    }
    for creativity in [json!(1.001), json!(-0.001), json!("wild"), json!([]), json!(2)] {
        refused_field(&with("/creativity", creativity), "creativity");
    }
    refused_field(&with("/stream", json!("true")), "stream");
}

#[test]
fn a_tone_is_one_to_three_different_words() {
    for tones in [json!(["bold"]), json!(["bold", "witty", "minimalist"])] {
        brief(&with("/tone", tones));
    }
    refused_field(&with("/tone", json!([])), "tone");
    refused_field(&with("/tone", json!(["bold", "witty", "formal", "urgent"])), "tone");
    refused_field(&with("/tone", json!(["bold", "bold"])), "tone[1]");
    refused_field(&with("/tone", json!(["bold", "Witty"])), "tone[1]");
    refused_field(&with("/tone", json!("bold")), "tone");
    refused_field(&with("/framework", json!("AIDA")), "framework");
    refused_field(&with("/objective", json!("conversions")), "objective");
}

#[test]
fn an_alias_names_its_channel_and_an_unknown_one_is_told_apart() {
    assert_eq!(brief(&with("/channel", json!("twitter"))).channel.id, "x");
    assert_eq!(refused(&with("/channel", json!("myspace"))), (Code::UnknownChannel, vec!["channel".into()]));
    refused_field(&with("/channel", json!(5)), "channel");
    let mut body = smallest();
    body.as_object_mut().unwrap().remove("channel");
    refused_field(&body, "channel");
}

#[test]
fn a_language_is_taken_where_the_model_is_declared_for_it() {
    let body = |tag: &str| serde_json::to_vec(&with("/language", json!(tag))).unwrap();
    assert_eq!(Brief::parse(&body("EN-us"), &["en"]).unwrap().language.as_str(), "en-US");
    assert_eq!(Brief::parse(&body("zh-hant-tw"), &["zh-Hans"]).unwrap().language.as_str(), "zh-Hant-TW");
    assert_eq!(Brief::parse(&body("de"), &["*"]).unwrap().language.primary(), "de");
    assert_eq!(Brief::parse(&body("de"), &["en", "fr"]).unwrap_err().code, Code::UnsupportedLanguage);
    assert_eq!(Brief::parse(&body("en"), &[""; 0]).unwrap_err().code, Code::UnsupportedLanguage);
    for malformed in ["", "e", "englishlanguage", "en_US", "en-", "-en", "en-x", "1n", "en us", "ен"] {
        refused_field(&with("/language", json!(malformed)), "language");
    }
    let longest = "en-aaaaaaaa-bbbbbbbb-cccccccc-ddddd";
    assert_eq!(longest.len(), limits::LANGUAGE_BYTES_MAX);
    brief(&with("/language", json!(longest)));
    refused_field(&with("/language", json!(format!("{longest}d"))), "language");
}

#[test]
fn text_is_normalised() {
    let read = brief(&with("/product/description", json!("  Cafe\u{301}\r\nopen \n")));
    assert_eq!(read.product.description, "Café\nopen");
}

#[test]
fn characters_that_hide_or_reorder_are_refused() {
    let refused = [
        '\0',
        '\t',
        '\u{b}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{2028}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{fdd0}',
        '\u{fffe}',
        '\u{10ffff}',
        '\u{e0001}',
        '\u{e007f}',
        '\u{fff9}',
    ];
    for character in refused {
        refused_field(&with("/product/name", json!(format!("a{character}b"))), "product.name");
        refused_field(&with("/product/description", json!(format!("a{character}b"))), "product.description");
    }
    refused_field(&with("/product/name", json!("a\nb")), "product.name");
    refused_field(&with("/brand/do", json!(["a\nb"])), "brand.do[0]");
    brief(&with("/brand/examples", json!(["a\nb"])));
    // A newline is the only control character that a text of several lines may hold.
    refused_field(&with("/product/description", json!("a\rb")), "product.description");
}

#[test]
fn a_flood_of_combining_marks_is_bounded() {
    let marks = |count: usize| json!(format!("x{}", "\u{20dd}".repeat(count)));
    let fits = (limits::PRODUCT_NAME_MAX * limits::TEXT_BYTES_PER_GRAPHEME_MAX - 1) / 3;
    brief(&with("/product/name", marks(fits)));
    refused_field(&with("/product/name", marks(fits + 1)), "product.name");
    // U+0344 is two bytes, and four once it is normalised.
    let bytes = limits::PRODUCT_NAME_MAX * limits::TEXT_BYTES_PER_GRAPHEME_MAX;
    refused_field(&with("/product/name", json!("\u{344}".repeat(bytes / 2))), "product.name");
}

#[test]
fn a_url_is_a_web_address() {
    let longest = format!("https://a.example/{}", "x".repeat(limits::PRODUCT_URL_BYTES_MAX - 18));
    for url in ["https://a.example", "HTTP://a.b.example:8080/x?y=1#z", "lanternstreet.example", &longest] {
        brief(&with("/product/url", json!(url)));
    }
    let over = format!("{longest}x");
    for url in [
        "ftp://a.example",
        "javascript:alert(1)",
        "https://",
        "https://a b.example",
        "a",
        "https://a..b",
        &over,
    ] {
        refused_field(&with("/product/url", json!(url)), "product.url");
    }
}

#[test]
fn limits_only_tighten() {
    assert_eq!(brief(&with("/limits", json!({"headline": 20}))).limits["headline"], 20);
    brief(&with("/limits", json!({"headline": 30})));
    refused_field(&with("/limits", json!({"headline": 31})), "limits.headline");
    refused_field(&with("/limits", json!({"headline": 0})), "limits.headline");
    refused_field(&with("/limits", json!({"headline": "20"})), "limits.headline");
    refused_field(&with("/limits", json!({"body": 20})), "limits.body");
    // Without a hard limit the recommended one bounds, and where there is a shortest length it bounds from below.
    let limited = |channel: &str, limits: Value| {
        let mut body = with("/channel", json!(channel));
        set(&mut body, "/limits", limits);
        body
    };
    brief(&limited("email", json!({"subject": 60})));
    refused_field(&limited("email", json!({"subject": 61})), "limits.subject");
    brief(&limited("product_description", json!({"text": 300})));
    refused_field(&limited("product_description", json!({"text": 299})), "limits.text");
}

#[test]
fn required_and_excluded_terms_must_not_contradict_each_other() {
    let mut body = with("/must_include", json!(["Oven-baked BREAD"]));
    set(&mut body, "/must_exclude", json!(["cheap", "bread"]));
    assert_eq!(refused(&body), (Code::ContradictoryTerms, vec!["must_include[0]".into()]));
    set(&mut body, "/must_exclude", json!(["bre"]));
    brief(&body);
    let mut body = with("/call_to_action", json!("Buy now"));
    set(&mut body, "/must_exclude", json!(["BUY"]));
    assert_eq!(refused(&body), (Code::ContradictoryTerms, vec!["call_to_action".into()]));
}

#[test]
fn a_required_term_must_fit_a_field() {
    let required = |channel: &str, term: &str| {
        let mut body = with("/channel", json!(channel));
        set(&mut body, "/must_include", json!([term]));
        body
    };
    let infeasible = (Code::InfeasibleConstraints, vec!["must_include[0]".to_owned()]);
    brief(&required("sms", "Cafe €5"));
    assert_eq!(refused(&required("sms", "Кофе")), infeasible, "not in the GSM-7 alphabet");
    assert_eq!(refused(&required("tiktok_ad", "#1 choice")), infeasible);
    assert_eq!(refused(&required("tiktok_ad", "Fire 🔥")), infeasible);
    brief(&required("google_rsa", "Now!"));
    let mut tight = required("landing_hero", &"x".repeat(21));
    set(&mut tight, "/limits", json!({"headline": 20, "subheadline": 20, "call_to_action": 20}));
    assert_eq!(refused(&tight), infeasible);
}

#[test]
fn all_faults_are_told_at_once() {
    let body = json!({"product": {"name": "", "colour": "red"}, "channel": "myspace", "tone": [], "variants": 0, "x": 1});
    let (code, fields) = refused(&body);
    assert_eq!(code, Code::InvalidField, "the code of the first kind of fault");
    let expected =
        ["product.name", "product.description", "product.colour", "channel", "tone", "variants", "x"];
    assert_eq!(fields, expected);
    let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("unknown{n}"), json!(n))).collect();
    assert_eq!(refused(&Value::Object(many)).1.len(), limits::FIELD_ERRORS_MAX);
}

#[test]
fn null_is_the_same_as_absent() {
    let mut body = smallest();
    for member in ["audience", "brand", "seed", "limits", "tone", "stream", "creativity"] {
        body[member] = Value::Null;
    }
    assert_eq!(brief(&body), brief(&smallest()));
    assert_eq!(refused(&json!({"product": null, "channel": "x"})).1, ["product"]);
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let cases: [(&[u8], &str); 10] = [
        (b"", "line 1 column 0"),
        (b"{\"product\": ", "line 1 column 12"),
        (b"{}\n]", "line 2 column 1"),
        (b"{} {}", "line 1 column 4"),
        (b"{\"a\": \xff}", "byte 6"),
        (b"{\"a\": 1, \"a\": 2}", "\"a\" stands twice"),
        (b"{\"a\": {\"b\": 1, \"\\u0062\": 2}}", "\"b\" stands twice"),
        (b"{\"a\": \"\\ud800\"}", "line 1 column"),
        (b"\xef\xbb\xbf{}", "line 1 column 1"),
        (b"{\"a\": 1e999}", "line 1 column"),
    ];
    for (body, place) in cases {
        let problem = refused_bytes(body);
        assert_eq!(problem.code, Code::MalformedJson, "{:?}", String::from_utf8_lossy(body));
        assert!(problem.detail.contains(place), "{}", problem.detail);
    }
    for body in [&b"null"[..], b"[]", b"\"x\"", b"1", b"true"] {
        let problem = refused_bytes(body);
        assert_eq!((problem.code, problem.errors[0].field.as_str()), (Code::InvalidField, "body"));
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let code = |depth: usize| refused_bytes(nested(depth).as_bytes()).code;
    assert_eq!(code(limits::JSON_DEPTH_MAX), Code::InvalidField);
    assert_eq!(code(limits::JSON_DEPTH_MAX + 1), Code::MalformedJson);
    assert_eq!(code(100_000), Code::MalformedJson);
    let objects = "{\"a\":".repeat(50_000);
    assert_eq!(refused_bytes(objects.as_bytes()).code, Code::MalformedJson);
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
    let code = |items: usize| refused_bytes(list(items).as_bytes()).code;
    assert_eq!(code(limits::JSON_VALUES_MAX - 1), Code::InvalidField, "the list is a value too");
    assert_eq!(code(limits::JSON_VALUES_MAX), Code::MalformedJson);
}

#[test]
fn the_body_is_bounded() {
    let mut body = serde_json::to_vec(&smallest()).unwrap();
    body.resize(limits::BODY_BYTES_MAX, b' ');
    Brief::parse(&body, &["en"]).unwrap();
    body.push(b' ');
    assert_eq!(refused_bytes(&body).code, Code::TooLarge);
}

#[test]
fn the_largest_valid_brief_fits_the_body() {
    // 11 bytes a grapheme, with a joiner that no normalisation removes.
    let text = |graphemes: usize| "👨‍👦".repeat(graphemes);
    let url = format!("https://a.example/{}", "x".repeat(limits::PRODUCT_URL_BYTES_MAX - 18));
    let points = vec![text(limits::PRODUCT_POINT_MAX); limits::PRODUCT_POINTS_MAX];
    let rules = vec![text(limits::BRAND_RULE_MAX); limits::BRAND_RULES_MAX];
    let include = vec![text(limits::TERM_MAX); limits::MUST_INCLUDE_MAX];
    let body = json!({
        "product": {
            "name": text(limits::PRODUCT_NAME_MAX), "description": text(limits::PRODUCT_DESCRIPTION_MAX),
            "features": points, "benefits": points, "price": text(limits::PRODUCT_PRICE_MAX),
            "offer": text(limits::PRODUCT_OFFER_MAX), "url": url,
        },
        "channel": "linkedin_ad",
        "audience": text(limits::AUDIENCE_MAX),
        "objective": "lead_generation", "framework": "auto", "tone": ["conversational", "inspirational", "authoritative"],
        "language": "en-aaaaaaaa-bbbbbbbb-cccccccc-ddddd",
        "brand": {
            "name": text(limits::BRAND_NAME_MAX), "voice": text(limits::BRAND_VOICE_MAX), "do": rules, "dont": rules,
            "examples": vec![text(limits::BRAND_EXAMPLE_MAX); limits::BRAND_EXAMPLES_MAX],
        },
        "must_include": include,
        "must_exclude": vec!["👩‍👧".repeat(limits::TERM_MAX); limits::MUST_EXCLUDE_MAX],
        "call_to_action": text(limits::CALL_TO_ACTION_MAX),
        "variants": 10, "creativity": 0.123, "seed": u64::MAX, "limits": {"intro": 3000}, "stream": true,
    });
    let bytes = serde_json::to_vec(&body).unwrap();
    assert!(bytes.len() > limits::BODY_BYTES_MAX / 2, "{} bytes are not the largest brief", bytes.len());
    let brief = Brief::parse(&bytes, &["en"]).unwrap();
    assert!(brief.to_json().len() <= limits::BODY_BYTES_MAX);
    // What the byte limit of every text allows at most still fits.
    let widest = bytes.len() * limits::TEXT_BYTES_PER_GRAPHEME_MAX / 11;
    assert!(widest <= limits::BODY_BYTES_MAX, "{widest} bytes");
}
