//! The keyed hash is the one of the standards.

use adlib_shared::keyed_hash::KeyedHash;
use data_encoding::HEXLOWER;

#[test]
fn it_is_hmac_sha256_and_can_be_used_again() {
    // RFC 4231, test cases 1, 2 and 6; the last has a secret longer than SHA-256's block.
    for (secret, text, hash) in [
        (
            &[0x0b; 20][..],
            &b"Hi There"[..],
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        let keyed = KeyedHash::new(secret);
        for _ in 0..2 {
            assert_eq!(HEXLOWER.encode(&keyed.of(text)), hash);
        }
    }
}
