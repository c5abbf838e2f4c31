//! Bytes as text.

/// Two lower-case digits for each byte.
pub(crate) fn of(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("half a byte is below 16");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[test]
fn every_byte_has_two_digits() {
    assert_eq!(of(&[0, 7, 0xa0, 0xff]), "0007a0ff");
}
