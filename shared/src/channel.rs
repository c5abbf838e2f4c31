//! The places where copy appears, with their fields, limits and counting rules (revision 1 of the contract).

mod table;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

pub use self::table::CHANNELS;
use crate::count::Unit;

/// The revision of the channel table; it is part of every cache key.
pub const REVISION: u32 = 1;

/// One field of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// Fewest texts; 0 for a field that may be absent.
    pub count_min: usize,
    /// Most texts. A field of one text travels as a string, others as an array.
    pub count_max: usize,
    /// Shortest text, in [`unit`](Self::unit).
    pub length_min: usize,
    /// Longest text, in [`unit`](Self::unit): guaranteed.
    pub limit_hard: Option<usize>,
    /// Length to aim at, in [`unit`](Self::unit): reported, not guaranteed.
    pub limit_recommended: Option<usize>,
    /// A length that at least one of the field's texts should keep: aimed at and reported.
    pub limit_shortest: Option<usize>,
    /// What lengths count.
    pub unit: Unit,
    /// Characters that no text of the field may hold.
    pub forbidden: &'static [char],
    /// Whether emoji are forbidden.
    pub emoji_forbidden: bool,
    /// Whether the field's texts must differ from each other.
    pub distinct: bool,
    /// Whether each text is a hashtag: `#` and letters, digits or underscores, not digits alone.
    pub hashtag: bool,
    /// How often one word may stand in a text; function words and single letters do not count.
    pub word_repeats_max: Option<usize>,
}

impl Field {
    /// Whether the field holds at most one text, and so travels as a string.
    pub const fn is_single(&self) -> bool {
        self.count_max == 1
    }

    /// The hard limit where a brief's own limits, by field, go before the channel's.
    pub(crate) fn limit_hard_under(&self, limits: &BTreeMap<&'static str, usize>) -> Option<usize> {
        limits.get(self.name).copied().or(self.limit_hard)
    }

    /// The limit that a brief may tighten and that a text is planned for: the hard one, or the recommended one.
    pub const fn limit(&self) -> Option<usize> {
        match self.limit_hard {
            Some(limit) => Some(limit),
            None => self.limit_recommended,
        }
    }
}

/// One place where copy appears.
#[derive(Debug)]
pub struct Channel {
    /// Its id on the wire.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Other ids by which it is found.
    pub aliases: &'static [&'static str],
    /// The revision of its rules.
    pub revision: u32,
    /// Its fields, in the order in which they are written.
    pub fields: &'static [Field],
}

impl Channel {
    /// The channel of an id or an alias.
    pub fn find(id: &str) -> Option<&'static Self> {
        CHANNELS.iter().find(|channel| channel.id == id || channel.aliases.contains(&id))
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Channel {}

/// A channel travels as its id.
impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}
