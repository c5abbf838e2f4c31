//! What has to hold for whatever comes from outside: not only that nothing panics, but that what is read is canonical, that
//! what is signed verifies and nothing else does, and that no entry opens under another key.
//!
//! `cargo dev fuzz` runs each target under libFuzzer, which changes inputs by what code they reach. The tests here run
//! them on their own seeds, and on changes of those, as any other test.

mod admin;
mod batch;
mod bearer;
mod brief;
mod directives;
mod entry;
mod event;
mod signature;

/// One thing that reads what comes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, by which it is chosen and its folder is called.
    pub name: &'static str,
    /// Reads an input and panics where something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that are hard to find by chance.
    pub words: &'static [&'static str],
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    admin::TARGET,
    batch::TARGET,
    bearer::TARGET,
    brief::TARGET,
    directives::TARGET,
    entry::TARGET,
    event::TARGET,
    signature::TARGET,
];

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// The words as a dictionary of libFuzzer.
    pub fn dictionary(&self) -> String {
        let quoted = |word: &&str| {
            let bytes = word.bytes().map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02X}"),
            });
            format!("\"{}\"\n", bytes.collect::<String>())
        };
        self.words.iter().map(quoted).collect()
    }
}

/// The bytes with one bit changed, which the first two of `at` choose.
fn with_a_bit_changed(bytes: &[u8], at: &[u8]) -> Vec<u8> {
    let place = at.iter().take(2).fold(0, |place, &byte| place << 8 | usize::from(byte));
    let mut changed = bytes.to_vec();
    if !changed.is_empty() {
        let bit = place % (changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    changed
}

#[cfg(test)]
mod tests;
