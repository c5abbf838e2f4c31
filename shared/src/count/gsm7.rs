//! The GSM-7 default alphabet and its extension table (3GPP TS 23.038, section 6.2.1).

/// What a character outside the alphabet counts: more than any limit, and far from overflow when summed.
pub const GSM7_FOREIGN: usize = 1_000_000;

/// The characters of the default alphabet that are not ASCII letters or digits.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// The characters of the extension table, each after an escape.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The septets of one character.
pub(super) fn septets(character: char) -> usize {
    if character.is_ascii_alphanumeric() || BASIC.contains(character) {
        1
    } else if EXTENSION.contains(character) {
        2
    } else {
        GSM7_FOREIGN
    }
}
