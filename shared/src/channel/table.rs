//! The channel table of the contract, revision 1.

use super::{Channel, Field, REVISION};
use crate::count::Unit::{self, Bytes, CodePoints, Graphemes, Gsm7, Utf16, Width, XWeighted};

/// One text up to a hard limit.
const fn one(name: &'static str, limit: usize, unit: Unit) -> Field {
    Field {
        name,
        count_min: 1,
        count_max: 1,
        length_min: 1,
        limit_hard: Some(limit),
        limit_recommended: None,
        limit_shortest: None,
        unit,
        forbidden: &[],
        emoji_forbidden: false,
        distinct: false,
        hashtag: false,
        word_repeats_max: None,
    }
}

/// Several texts, all different, each up to a hard limit.
const fn many(name: &'static str, count: (usize, usize), limit: usize, unit: Unit) -> Field {
    Field { count_min: count.0, count_max: count.1, distinct: true, ..one(name, limit, unit) }
}

/// One text with a recommended length and perhaps a hard one.
const fn aimed(name: &'static str, recommended: usize, hard: Option<usize>, unit: Unit) -> Field {
    Field { limit_recommended: Some(recommended), limit_hard: hard, ..one(name, recommended, unit) }
}

/// A field that refuses some characters.
const fn without(field: Field, forbidden: &'static [char]) -> Field {
    Field { forbidden, ..field }
}

/// A channel without aliases.
const fn channel(id: &'static str, name: &'static str, fields: &'static [Field]) -> Channel {
    Channel { id, name, aliases: &[], revision: REVISION, fields }
}

/// Google and Microsoft take the same responsive search ad.
const SEARCH_AD: &[Field] = &[
    without(many("headline", (3, 15), 30, Width), &['!']),
    many("description", (2, 4), 90, Width),
    many("path", (0, 2), 15, Width),
];

/// Every channel, in the order of the contract.
pub static CHANNELS: &[Channel] = &[
    channel("google_rsa", "Google responsive search ad", SEARCH_AD),
    channel(
        "google_display",
        "Google responsive display ad",
        &[
            many("headline", (1, 5), 30, Width),
            one("long_headline", 90, Width),
            many("description", (1, 5), 90, Width),
            one("business_name", 25, Width),
        ],
    ),
    channel(
        "google_pmax",
        "Google Performance Max asset group",
        &[
            many("headline", (3, 15), 30, Width),
            many("long_headline", (1, 5), 90, Width),
            Field { limit_shortest: Some(60), ..many("description", (2, 5), 90, Width) },
        ],
    ),
    channel("microsoft_rsa", "Microsoft responsive search ad", SEARCH_AD),
    channel(
        "meta_feed",
        "Facebook and Instagram feed ad",
        &[
            aimed("primary_text", 125, Some(2200), Graphemes),
            aimed("headline", 40, None, Graphemes),
            aimed("description", 30, None, Graphemes),
        ],
    ),
    channel(
        "instagram",
        "Instagram post",
        &[one("caption", 2200, Utf16), Field { hashtag: true, ..many("hashtags", (0, 5), 60, Utf16) }],
    ),
    Channel { aliases: &["twitter"], ..channel("x", "Post on X", &[one("post", 280, XWeighted)]) },
    channel(
        "linkedin_ad",
        "LinkedIn sponsored content",
        &[
            aimed("intro", 150, Some(3000), Utf16),
            aimed("headline", 70, Some(200), Utf16),
            aimed("description", 100, Some(300), Utf16),
        ],
    ),
    channel("linkedin_post", "LinkedIn post", &[one("post", 3000, Utf16)]),
    channel(
        "tiktok_ad",
        "TikTok in-feed ad",
        &[without(Field { emoji_forbidden: true, ..one("text", 100, Width) }, &['#', '{', '}'])],
    ),
    channel(
        "youtube",
        "YouTube video",
        &[
            without(one("title", 100, Utf16), &['<', '>']),
            without(one("description", 5000, Bytes), &['<', '>']),
        ],
    ),
    channel(
        "email",
        "Email",
        &[
            aimed("subject", 60, None, Graphemes),
            aimed("preheader", 100, None, Graphemes),
            one("body", 4000, Graphemes),
        ],
    ),
    channel("sms", "Text message in one GSM-7 part", &[one("text", 160, Gsm7)]),
    channel(
        "push",
        "Push notification",
        &[aimed("title", 40, Some(65), Graphemes), aimed("body", 110, Some(240), Graphemes)],
    ),
    channel(
        "seo_meta",
        "Page title and description for search engines",
        &[aimed("title", 60, None, Graphemes), aimed("description", 160, None, Graphemes)],
    ),
    channel(
        "amazon",
        "Amazon product listing",
        &[
            without(
                Field { word_repeats_max: Some(2), ..one("title", 200, CodePoints) },
                &['!', '$', '?', '_', '{', '}', '^', '¬', '¦'],
            ),
            many("bullet", (5, 5), 250, CodePoints),
            one("description", 2000, CodePoints),
        ],
    ),
    channel(
        "product_description",
        "Product description",
        &[Field { length_min: 300, ..one("text", 1200, Graphemes) }],
    ),
    channel(
        "landing_hero",
        "Landing page hero",
        &[
            one("headline", 80, Graphemes),
            one("subheadline", 160, Graphemes),
            one("call_to_action", 25, Graphemes),
        ],
    ),
];
