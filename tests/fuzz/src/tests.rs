//! The targets on their own seeds, and on changes of them: what libFuzzer does, without looking where it leads.

use super::*;

/// Changes of each seed.
const CHANGES: u64 = 200;

/// Numbers that look random and are the same in every run (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }
}

fn changed(seed: &[u8], words: &[&str], numbers: &mut Numbers) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=numbers.next(3) {
        let at = numbers.next(input.len() + 1);
        match numbers.next(4) {
            0 => input.truncate(at),
            1 => input.insert(at, numbers.next(256) as u8),
            2 => drop(input.splice(at..at, words[numbers.next(words.len())].bytes())),
            _ => input = with_a_bit_changed(&input, &(at as u16).to_be_bytes()),
        }
    }
    input
}

#[test]
fn every_target_holds_for_its_seeds_and_for_changes_of_them() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has something to begin with", target.name);
        (target.run)(&[]);
        let mut numbers = Numbers(1);
        for seed in &seeds {
            (target.run)(seed);
            for _ in 0..CHANGES {
                (target.run)(&changed(seed, target.words, &mut numbers));
            }
        }
    }
}

#[test]
fn targets_are_found_by_their_names_and_words_are_written_as_libfuzzer_reads_them() {
    for target in TARGETS {
        assert_eq!(Target::named(target.name).map(|found| found.name), Some(target.name));
    }
    assert!(Target::named("nothing").is_none());
    let target = Target { words: &["a\"b\\", "é\n"], ..brief::TARGET };
    assert_eq!(target.dictionary(), "\"a\\\"b\\\\\"\n\"\\xC3\\xA9\\x0A\"\n");
}
