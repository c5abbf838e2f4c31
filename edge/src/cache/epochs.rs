//! What can be purged at one stroke: every entry is made under the epochs of its tags, and counts only as long as they are
//! the current ones.
//!
//! An epoch is a random number. To purge a tag is to give it another one, however many entries bear it; what was made
//! under the last epoch can never become valid again, since no epoch comes twice. A tag without an epoch, because it was
//! never seen or because the store has lost it, is given a new one: what was lost cannot revive what was purged. An answer
//! that was asked for before a purge is stored with the epochs of that time, so it is void when it comes.
//!
//! Each tag has two epochs: with another hard one an entry is gone, with another soft one it is stale.

use adlib_shared::purge::{Mode, Tag};
use twox_hash::XxHash3_128;

/// The epochs of all tags of an entry, folded into one number of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epochs {
    /// A purge that changes this voids the entry.
    pub hard: u128,
    /// A purge that changes this makes the entry stale.
    pub soft: u128,
}

impl Epochs {
    /// The name of a tag's epoch in the store.
    pub fn name(tag: &Tag, mode: Mode) -> String {
        match mode {
            Mode::Hard => tag.to_string(),
            Mode::Soft => format!("soft/{tag}"),
        }
    }

    /// The names of all epochs of these tags.
    pub fn names(tags: &[Tag]) -> impl Iterator<Item = String> {
        Mode::ALL.iter().flat_map(|mode| tags.iter().map(|tag| Self::name(tag, *mode)))
    }

    /// The epochs of these tags among those that the store gave for `names`; `None` where it gave none.
    pub fn of(tags: &[Tag], names: &[String], values: &[u128]) -> Option<Self> {
        let value = |name: String| values.get(names.iter().position(|known| *known == name)?);
        let fold = |mode: Mode| {
            let values = tags.iter().map(|tag| value(Self::name(tag, mode)));
            let bytes: Option<Vec<[u8; 16]>> =
                values.map(|value| value.map(|value| value.to_le_bytes())).collect();
            bytes.map(|bytes| XxHash3_128::oneshot(bytes.as_flattened()))
        };
        Some(Self { hard: fold(Mode::Hard)?, soft: fold(Mode::Soft)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_of_each_tag_counts_in_its_own_kind() {
        let tags = [Tag::All, Tag::Tenant("acme".to_owned()), Tag::Channel("x"), Tag::Template(1)];
        let names: Vec<String> = Epochs::names(&tags).collect();
        assert_eq!(
            names,
            [
                "all",
                "tenant/acme",
                "channel/x",
                "template/1",
                "soft/all",
                "soft/tenant/acme",
                "soft/channel/x",
                "soft/template/1"
            ]
        );
        let values: Vec<u128> = (1..=8).collect();
        let before = Epochs::of(&tags, &names, &values).expect("all are known");
        for (index, name) in names.iter().enumerate() {
            let mut renewed = values.clone();
            renewed[index] = 99;
            let after = Epochs::of(&tags, &names, &renewed).expect("all are known");
            let is_soft = name.starts_with("soft/");
            assert_eq!((after.hard != before.hard, after.soft != before.soft), (!is_soft, is_soft), "{name}");
        }
        assert_eq!(Epochs::of(&tags, &names, &values[..7]), None);
        assert_eq!(Epochs::of(&tags, &names, &[]), None, "a store that failed gives none");
    }
}
