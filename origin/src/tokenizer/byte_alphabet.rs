//! GPT-2's alphabet of 256 characters, in which byte-level vocabularies write bytes.

/// The character that stands for a byte: itself where it is printable, else one from U+0100 on, in order.
pub(crate) fn character(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|other| !printable(*other)).count() as u32;
    char::from_u32(0x100 + place).expect("68 characters from U+0100 on are letters")
}

/// The byte that a character stands for.
pub(super) struct Bytes {
    table: [Option<u8>; 0x144],
}

impl Bytes {
    pub(super) fn new() -> Self {
        let mut table = [None; 0x144];
        for byte in 0..=255 {
            table[character(byte) as usize] = Some(byte);
        }
        Self { table }
    }

    /// The bytes of a token's text, or nothing if it holds a character that stands for no byte.
    pub(super) fn decode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.table.get(c as usize).copied().flatten()).collect()
    }
}
