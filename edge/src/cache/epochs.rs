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
            Mode::Hard => tag.name(),
            Mode::Soft => ["soft/", &tag.name()].concat(),
        }
    }

    /// The names of all epochs of these tags: the hard ones, then the soft ones.
    pub fn names(tags: &[Tag]) -> Vec<String> {
        Mode::ALL.iter().flat_map(|mode| tags.iter().map(|tag| Self::name(tag, *mode))).collect()
    }

    /// Folds what the store gave for `names`; `None` where it did not give all of them.
    pub fn fold(names: &[String], values: &[u128]) -> Option<Self> {
        if values.len() != names.len() {
            return None;
        }
        let (hard, soft) = values.split_at(values.len() / 2);
        let fold = |values: &[u128]| {
            let bytes: Vec<[u8; 16]> = values.iter().map(|value| value.to_le_bytes()).collect();
            XxHash3_128::oneshot(bytes.as_flattened())
        };
        Some(Self { hard: fold(hard), soft: fold(soft) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_of_each_tag_counts_in_its_own_kind() {
        let tags = [Tag::All, Tag::Tenant("acme".to_owned()), Tag::Channel("x"), Tag::Template(1)];
        let names = Epochs::names(&tags);
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
        let before = Epochs::fold(&names, &values).expect("all are known");
        for (index, name) in names.iter().enumerate() {
            let mut renewed = values.clone();
            renewed[index] = 99;
            let after = Epochs::fold(&names, &renewed).expect("all are known");
            let is_soft = name.starts_with("soft/");
            assert_eq!((after.hard != before.hard, after.soft != before.soft), (!is_soft, is_soft), "{name}");
        }
        assert_eq!(Epochs::fold(&names, &values[..7]), None);
        assert_eq!(Epochs::fold(&names, &[]), None, "a store that failed gives none");
    }
}
