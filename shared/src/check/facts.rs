//! What a brief states: the numbers, prices and addresses that copy may repeat.

use std::collections::BTreeSet;

use super::numbers::{self, Found, numbers};
use super::prices::{self, Price};
use crate::address::{self, addresses};
use crate::brief::Brief;
use crate::text;

/// Everything a brief states that copy must not invent.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    numbers: BTreeSet<String>,
    prices: BTreeSet<Price>,
    addresses: Vec<String>,
}

impl Facts {
    /// Collects the facts from every text of the brief.
    pub(crate) fn of(brief: &Brief) -> Self {
        let mut facts = Self::default();
        for source in brief.sources() {
            facts.add(source);
        }
        facts
    }

    fn add(&mut self, source: &str) {
        let prepared = numbers::prepare(source);
        let found = numbers(&prepared);
        self.prices.extend(prices::stated(&prepared, &found));
        for Found { values, .. } in found {
            for value in values {
                // A time states its hour and minute, and may be written with a point.
                if let Some((hour, minute)) = value.split_once(':') {
                    self.numbers.extend([hour.to_owned(), minute.to_owned()]);
                    self.numbers.extend(time_with_point(hour, minute));
                    self.numbers.extend(afternoon(hour, minute));
                }
                self.numbers.insert(value);
            }
        }
        let lower = prepared.to_lowercase();
        let spelled = lower.split(|character: char| !character.is_alphabetic() && character != '-');
        for word in spelled {
            self.numbers.extend(numbers::spelled(word).map(|value| value.to_string()));
            self.numbers.extend(word.split('-').filter_map(numbers::spelled).map(|value| value.to_string()));
        }
        self.addresses.extend(addresses(&text::fold(source)));
    }

    /// The first number of the text that the brief does not state, as it is written.
    pub(crate) fn invented_number(&self, copy: &str) -> Option<String> {
        let prepared = numbers::prepare(copy);
        let invented = numbers(&prepared)
            .into_iter()
            .find(|found| !self.states(found) && !numbers::is_list_number(&prepared, found))?;
        Some(prepared[invented.span.0..invented.span.1].to_owned())
    }

    /// Whether the brief states the number. "One" is no claim: it counts scores, days and list items.
    pub(crate) fn states(&self, found: &Found) -> bool {
        found.values.iter().any(|value| {
            let as_time = value.split_once(':').and_then(|(hour, minute)| time_with_point(hour, minute));
            value == "1"
                || self.numbers.contains(value)
                || as_time.is_some_and(|value| self.numbers.contains(&value))
        })
    }

    /// The first price or percentage of the text that the brief does not state, as it is written.
    pub(crate) fn invented_price(&self, copy: &str) -> Option<String> {
        let prepared = numbers::prepare(copy);
        let found = numbers(&prepared);
        found.iter().find_map(|number| {
            let prices = prices::direct(&prepared, number);
            let invented = !prices.is_empty() && prices.is_disjoint(&self.prices);
            invented.then(|| prices::written(&prepared, number))
        })
    }

    /// The first address of the [folded](text::fold) text that the brief does not state.
    pub(crate) fn invented_address(&self, folded: &str) -> Option<String> {
        let stated = |address: &str| self.addresses.iter().any(|known| address::covers(known, address));
        addresses(folded).into_iter().find(|address| !stated(address))
    }
}

/// An afternoon time as a clock of twelve hours shows it: `19:30` is also 7 and 7:30.
fn afternoon(hour: &str, minute: &str) -> Vec<String> {
    match hour.parse::<u8>() {
        Ok(hour @ 13..=23) => vec![format!("{}", hour - 12), format!("{}:{minute}", hour - 12)],
        _ => Vec::new(),
    }
}

/// `7:30` as `7.3`, the form that a decimal number of the same digits has.
fn time_with_point(hour: &str, minute: &str) -> Option<String> {
    if minute.contains(':') {
        return None;
    }
    let padded = if minute.len() == 1 { format!("0{minute}") } else { minute.to_owned() };
    let fraction = padded.trim_end_matches('0');
    Some(if fraction.is_empty() { hour.to_owned() } else { format!("{hour}.{fraction}") })
}
