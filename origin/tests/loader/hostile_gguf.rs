//! GGUF files that lie: each is refused by name, without a panic and without an allocation of what it claims.

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::encoding::Encoding;
use adlib_origin::model::gguf::writer::Writer;
use adlib_origin::model::gguf::{self, GgufError};
use adlib_origin::model::{load_error::LoadError, tiny};

use crate::allocations;

const UINT8: u32 = 0;
const UINT32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// A valid file of one tensor and few keys.
fn small() -> Writer {
    let mut file = Writer::new();
    file.text("general.architecture", "llama").integers("numbers", &[1, 2, 3]).texts("words", &["a", "bc"]);
    file.tensor("first", &[2, 32], Encoding::Q8_0, vec![0; 68]).tensor(
        "second",
        &[4],
        Encoding::F32,
        vec![0; 16],
    );
    file
}

fn refusal(bytes: &[u8]) -> String {
    gguf::parse(bytes).expect_err("the file is refused").to_string()
}

/// Opens a file as the origin does and reads all of it.
fn read_all(path: &std::path::Path) -> Result<(), LoadError> {
    let checkpoint = Checkpoint::open(path, &[] as &[&str])?;
    checkpoint.embedding()?;
    checkpoint.final_norm()?;
    checkpoint.head()?;
    for layer in 0..checkpoint.config().layers {
        checkpoint.layer(layer)?;
    }
    checkpoint.tokenizer().map(drop)
}

fn array(kind: u32, length: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), elements].concat()
}

/// The bytes of a file with other bytes at a place.
fn patched(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = small().to_bytes();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// Where a text stands in a file.
fn place(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("the text is there")
}

#[test]
fn a_small_file_is_read() {
    let (metadata, tensors) = gguf::parse(&small().to_bytes()).expect("it is valid");
    assert_eq!(metadata.text("general.architecture"), Ok(Some("llama")));
    assert_eq!(metadata.texts("words"), Ok(Some(&["a".to_owned(), "bc".to_owned()][..])));
    assert_eq!(tensors[0].shape, [2, 32]);
    assert_eq!(tensors[1].range.len(), 16);
}

#[test]
fn a_file_that_ends_anywhere_is_refused() {
    let whole = small().to_bytes();
    let end = gguf::parse(&whole).expect("it is valid").1[1].range.end;
    for length in 0..end {
        gguf::parse(&whole[..length]).expect_err("it is cut off");
    }
    gguf::parse(&whole[..end]).expect("only padding is missing");
}

#[test]
fn the_beginning_says_what_it_is() {
    assert_eq!(refusal(&patched(0, b"GGML")), "not a GGUF file: it does not begin with 'GGUF'");
    assert_eq!(refusal(&patched(4, &[1, 0, 0, 0])), "GGUF version 1 is not supported; 2 and 3 are");
    assert_eq!(refusal(&patched(4, &[4, 0, 0, 0])), "GGUF version 4 is not supported; 2 and 3 are");
    assert_eq!(refusal(&patched(4, &[0, 0, 0, 3])), "big-endian GGUF files are not supported");
    gguf::parse(&patched(4, &[2, 0, 0, 0])).expect("version 2 has the same form");
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    let huge = u64::MAX.to_le_bytes();
    assert!(
        refusal(&patched(8, &huge)).starts_with("the number of tensors is 18446744073709551615; at most")
    );
    assert!(refusal(&patched(16, &huge)).starts_with("the number of metadata keys is 18446744073709551615"));
    let many = (gguf::TENSORS_MAX as u64).to_le_bytes();
    assert!(refusal(&patched(8, &many)).contains("needs 2097152 bytes, but only"));
    assert!(
        refusal(&patched(24, &huge)).starts_with("a metadata key is 18446744073709551615; at most 65535")
    );
    let long = 60_000u64.to_le_bytes();
    assert!(refusal(&patched(24, &long)).starts_with("a metadata key at byte 32 needs 60000 bytes"));
    for (length, expected) in [(u64::MAX, "at most 4194304 is allowed"), (4_000_000, "but only")] {
        let mut file = small();
        file.raw("list", ARRAY, array(UINT32, length, &[]));
        let text = refusal(&file.to_bytes());
        assert!(text.starts_with("key list: an array's length") && text.contains(expected), "{text}");
    }
    let mut file = small();
    file.raw("text", STRING, u64::MAX.to_le_bytes().into());
    assert_eq!(
        refusal(&file.to_bytes()),
        "key text: a text is 18446744073709551615; at most 1048576 is allowed"
    );
}

#[test]
fn values_that_are_no_values_are_refused() {
    let refused = |kind: u32, value: Vec<u8>| refusal(&small().raw("odd", kind, value).to_bytes());
    assert_eq!(refused(13, vec![0; 8]), "key odd: value type 13 is not defined");
    assert_eq!(refused(BOOL, vec![2]), "key odd: a boolean is 2; 0 or 1 is allowed");
    assert_eq!(refused(ARRAY, array(13, 1, &[0; 8])), "key odd: value type 13 is not defined");
    assert_eq!(refused(ARRAY, array(ARRAY, 1, &[0; 64])), "key odd: arrays of arrays are not supported");
    assert!(refused(STRING, [&2u64.to_le_bytes()[..], &[0xC3, 0x28]].concat()).ends_with("is not UTF-8"));
}

#[test]
fn names_stand_once() {
    assert_eq!(refusal(&small().integer("numbers", 1).to_bytes()), "key numbers stands twice");
    let twice = small().tensor("first", &[4], Encoding::F32, vec![0; 16]).to_bytes();
    assert_eq!(refusal(&twice), "tensor first stands twice");
}

#[test]
fn alignments_are_powers_of_two_within_bounds() {
    for (alignment, allowed) in [(8, true), (32, true), (0, false), (4, false), (48, false), (1 << 17, false)]
    {
        let bytes = small().integer("general.alignment", alignment).to_bytes();
        assert_eq!(gguf::parse(&bytes).is_ok(), allowed, "{alignment}");
    }
    let text = refusal(&small().text("general.alignment", "32").to_bytes());
    assert!(text.starts_with("general.alignment is a text"), "{text}");
}

#[test]
fn tensors_that_lie_are_refused_by_name() {
    // After the name of `first`: dimensions (4), two sizes (8 each), type (4), offset (8).
    let at = place(&small().to_bytes(), "first") + "first".len();
    let refused = |offset: usize, with: &[u8]| {
        let text = refusal(&patched(at + offset, with));
        text.strip_prefix("tensor first: ").unwrap_or(&text).to_owned()
    };
    assert_eq!(refused(0, &0u32.to_le_bytes()), "0 dimensions; from 1 to 4 are allowed");
    assert_eq!(refused(0, &5u32.to_le_bytes()), "5 dimensions; from 1 to 4 are allowed");
    assert_eq!(refused(4, &0u64.to_le_bytes()), "dimension 0 is zero");
    assert_eq!(refused(12, &u64::MAX.to_le_bytes()), "the product of its dimensions overflows");
    assert_eq!(refused(12, &((1u64 << 59) - 1).to_le_bytes()), "the product of its dimensions overflows");
    assert!(
        refused(12, &(1u64 << 58).to_le_bytes()).starts_with("its 9799832789158199296 bytes at offset 0")
    );
    assert_eq!(refused(4, &33u64.to_le_bytes()), "rows of 33 values do not fill blocks of 32");
    assert_eq!(refused(20, &99u32.to_le_bytes()), "type 99 is not supported");
    assert_eq!(refused(24, &12u64.to_le_bytes()), "offset 12 is not a multiple of the alignment 32");
    assert!(
        refused(24, &(1u64 << 40).to_le_bytes())
            .starts_with("its 68 bytes at offset 1099511627776 lie outside")
    );
    assert!(refused(24, &(u64::MAX - 31).to_le_bytes()).contains("lie outside"));
    assert!(refused(12, &1_000_000u64.to_le_bytes()).contains("lie outside"));
    // `first` has 68 bytes and `second` lies at 96.
    assert_eq!(refused(24, &32u64.to_le_bytes()), "tensor second: its data overlaps that of tensor first");
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let outcome = |file: &Writer| gguf::parse(&file.to_bytes()).map(drop);
    let limited = |outcome: Result<(), GgufError>| matches!(outcome, Err(GgufError::Limit { .. }));
    let with_keys = |count: usize| {
        let mut file = Writer::new();
        for key in 0..count {
            file.boolean(&key.to_string(), true);
        }
        outcome(&file)
    };
    assert_eq!(with_keys(gguf::KEYS_MAX), Ok(()));
    assert!(limited(with_keys(gguf::KEYS_MAX + 1)));
    let with_tensors = |count: usize| {
        let mut file = Writer::new();
        for tensor in 0..count {
            file.tensor(&tensor.to_string(), &[1], Encoding::F32, vec![0; 4]);
        }
        outcome(&file)
    };
    assert_eq!(with_tensors(gguf::TENSORS_MAX), Ok(()));
    assert!(limited(with_tensors(gguf::TENSORS_MAX + 1)));
    let with_key = |bytes: usize| outcome(Writer::new().boolean(&"k".repeat(bytes), true));
    assert_eq!(with_key(gguf::KEY_BYTES_MAX), Ok(()));
    assert!(limited(with_key(gguf::KEY_BYTES_MAX + 1)));
    let with_text = |bytes: usize| outcome(Writer::new().text("text", &"t".repeat(bytes)));
    assert_eq!(with_text(gguf::TEXT_BYTES_MAX), Ok(()));
    assert!(
        with_text(gguf::TEXT_BYTES_MAX + 1).is_err_and(|error| error.to_string().contains("at most 1048576"))
    );
    let with_name =
        |bytes: usize| outcome(Writer::new().tensor(&"n".repeat(bytes), &[1], Encoding::F32, vec![0; 4]));
    assert_eq!(with_name(gguf::NAME_BYTES_MAX), Ok(()));
    assert!(limited(with_name(gguf::NAME_BYTES_MAX + 1)));
    let with_array = |length: usize| {
        outcome(Writer::new().raw("list", ARRAY, array(UINT8, length as u64, &vec![0; length])))
    };
    assert_eq!(with_array(gguf::ARRAY_LENGTH_MAX), Ok(()));
    assert!(with_array(gguf::ARRAY_LENGTH_MAX + 1).is_err());
    let with_dimensions =
        |count: usize| outcome(Writer::new().tensor("t", &vec![1; count], Encoding::F32, vec![0; 4]));
    assert_eq!(with_dimensions(gguf::DIMENSIONS_MAX), Ok(()));
    assert!(with_dimensions(gguf::DIMENSIONS_MAX + 1).is_err());
}

#[test]
fn a_header_is_bounded_as_a_whole() {
    let filled = |bytes: usize| {
        let mut file = Writer::new();
        let overhead = "key00".len() + 8 + 4 + 8;
        let (mut left, mut key) = (bytes - 24, 0);
        while left > 0 {
            let length = (left - overhead).min(gguf::TEXT_BYTES_MAX - overhead);
            file.text(&format!("key{key:02}"), &"t".repeat(length));
            left -= length + overhead;
            key += 1;
        }
        // What the header holds, without the padding that follows it.
        let mut file = file.to_bytes();
        file.truncate(bytes);
        gguf::parse(&file).map(drop)
    };
    assert_eq!(filled(gguf::HEADER_BYTES_MAX), Ok(()));
    let past = filled(gguf::HEADER_BYTES_MAX + 1).expect_err("one byte more is refused");
    assert!(past.to_string().contains("the size of the header in bytes"), "{past}");
}

#[test]
fn a_model_that_lacks_a_key_or_has_a_wrong_one_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.gguf");
    let refused = |change: &dyn Fn(&mut Writer) -> &mut Writer| {
        let mut file = tiny::writer(1);
        change(&mut file);
        std::fs::write(&path, file.to_bytes()).expect("the file is written");
        let text = read_all(&path).expect_err("the model is refused").to_string();
        text.split_once(": ").expect("the path comes first").1.to_owned()
    };
    let required = [
        "general.architecture",
        "llama.block_count",
        "llama.context_length",
        "llama.embedding_length",
        "llama.feed_forward_length",
        "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
    ];
    for key in required {
        let expected = format!("{key} is missing; the key is required");
        let mended = if key.ends_with("head_count") { format!("{key} is missing") } else { expected };
        assert!(refused(&|file| file.remove(key)).starts_with(&mended), "{key}");
    }
    let set = |key: &'static str, value: u32| refused(&move |file| file.remove(key).integer(key, value));
    assert_eq!(set("llama.block_count", 0), "the number of layers is 0; at least 1 is needed");
    assert_eq!(set("llama.block_count", 3), "tensor blk.2.attn_norm.weight is missing");
    assert_eq!(
        set("llama.block_count", 1),
        "tensor blk.1.attn_q.weight is not part of the architectures that are supported"
    );
    assert!(set("llama.attention.head_count", 0).starts_with("llama.attention.head_count is 0"));
    assert!(set("llama.attention.head_count", 3).starts_with("llama.attention.head_count is 3; a divisor"));
    assert!(
        set("llama.attention.head_count_kv", 3)
            .starts_with("the number of query heads is 4; a multiple of 3")
    );
    assert!(set("llama.attention.head_count_kv", 4).contains("shape [64, 128] does not fit"));
    assert!(set("llama.context_length", u32::MAX).starts_with("the context length is 4294967295; at most"));
    assert!(
        set("llama.feed_forward_length", 255).starts_with("the feed-forward width is 255; a multiple of 32")
    );
    assert!(set("llama.expert_count", 8).starts_with("llama.expert_count is 8; mixtures of experts"));
    assert!(set("llama.rope.dimension_count", 16).starts_with("llama.rope.dimension_count is 16; only"));
    assert!(
        set("general.architecture", 1).starts_with("general.architecture is an unsigned integer; a text")
    );
    assert!(set("tokenizer.ggml.eos_token_id", 60_000).starts_with("token 60000 has no row"));
    let gpt = refused(&|file| file.remove("general.architecture").text("general.architecture", "gpt2"));
    assert_eq!(gpt, "general.architecture is gpt2; llama, qwen2 and qwen3 are supported");
    let bias = refused(&|file| file.vector("blk.0.attn_q.bias", &[0.0; 128]));
    assert_eq!(bias, "tensor blk.0.attn_k.bias is missing");
    let merge =
        refused(&|file| file.remove("tokenizer.ggml.merges").texts("tokenizer.ggml.merges", &["a zz"]));
    assert_eq!(merge, "merge 0 (\"a zz\") does not join two tokens into a third");
    let template =
        refused(&|file| file.remove("tokenizer.chat_template").text("tokenizer.chat_template", "{% if"));
    assert!(template.starts_with("the chat template fails"), "{template}");
}

/// Thousands of random wounds, most of them in the header. Whatever comes of it, nothing panics, and no allocation is
/// larger than a small multiple of the file.
#[test]
fn no_mutation_panics_or_allocates_what_it_claims() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.gguf");
    let whole = tiny::writer(1).to_bytes();
    let header = gguf::parse(&whole).expect("it is valid").1[0].range.start;
    let mut random = Random(42);
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = match random.below(4) {
                0 => random.below(bytes.len() - 8),
                1 => random.below(700),
                _ => random.below(header),
            };
            let numbers = [0, 1, 0xFF, 0xFFFF_FFFF, u64::MAX, 1 << 62, random.next(), random.next() % 4096];
            let number = numbers[random.below(numbers.len())].to_le_bytes();
            let width = [1, 4, 8][random.below(3)];
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        std::fs::write(&path, &bytes).expect("the file is written");
        allocations::reset();
        refused += usize::from(read_all(&path).is_err());
        let largest = allocations::largest();
        assert!(
            largest <= 16 * whole.len(),
            "an allocation of {largest} bytes for a file of {}",
            whole.len()
        );
    }
    assert!((200..2_000).contains(&refused), "{refused} of 2000 were refused: the mutations miss their aim");
}

/// SplitMix64 (Steele and others, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
