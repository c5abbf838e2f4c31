//! The default model's tokenizer and chat template.

use std::time::SystemTime;

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::tokenizer::{Message, Tokenizer};

fn tokenizer() -> Tokenizer {
    let checkpoint =
        Checkpoint::open(crate::default_model_path(), &[] as &[&str]).expect("the default model opens");
    checkpoint.tokenizer().expect("its tokenizer is built")
}

#[test]
fn the_tokens_of_the_reference_prompts_are_found() {
    let tokenizer = tokenizer();
    let fixture = include_str!("../fixtures/logits.json");
    let fixture: serde_json::Value = serde_json::from_str(fixture).expect("the fixture is JSON");
    for prompt in fixture["prompts"].as_array().expect("a list of prompts") {
        let expected: Vec<u32> = serde_json::from_value(prompt["tokens"].clone()).expect("a list of ids");
        assert_eq!(tokenizer.encode(prompt["text"].as_str().expect("a text"), true), expected);
    }
}

#[test]
fn text_that_looks_like_a_special_token_is_text_unless_allowed() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.encode("<|im_end|>", true), [2]);
    let plain = tokenizer.encode("<|im_end|>", false);
    assert!(plain.len() > 1 && !plain.contains(&2), "{plain:?}");
    assert_eq!(tokenizer.decode(&plain), "<|im_end|>");
}

#[test]
fn special_tokens_have_names_and_no_text() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.special("<|im_start|>"), Some(1));
    assert_eq!(tokenizer.special("the"), None);
    assert_eq!(tokenizer.eos(), [0, 2]);
    assert_eq!(tokenizer.begin(), None, "the file says that nothing is put in front");
    assert!(tokenizer.is_special(2) && tokenizer.token_bytes(2).is_empty());
    assert_eq!(tokenizer.vocab_size(), 49152);
    assert!(tokenizer.token_bytes(49152).is_empty() && tokenizer.token_bytes(u32::MAX).is_empty());
}

#[test]
fn a_stream_never_splits_a_character() {
    let tokenizer = tokenizer();
    let text = "Ça va? 東京 👩‍👩‍👧‍👦 naïve — “fin”…";
    let mut stream = tokenizer.decode_stream();
    let pieces: Vec<String> =
        tokenizer.encode(text, false).into_iter().map(|token| stream.push(token)).collect();
    assert!(pieces.iter().any(String::is_empty), "some token is only a part of a character");
    assert_eq!(pieces.concat() + &stream.finish(), text);
    assert!(!text.contains('\u{FFFD}'));
}

#[test]
fn the_template_writes_what_the_model_was_trained_on() {
    let tokenizer = tokenizer();
    let messages = [Message { role: "user", content: "Hello!" }];
    let prompt =
        tokenizer.chat_template().render(&messages, true, SystemTime::UNIX_EPOCH).expect("it renders");
    let system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
    let expected = format!(
        "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(prompt, expected);
}

#[test]
fn a_thousand_strings_have_the_tokens_that_hugging_face_gives_them() {
    let tokenizer = tokenizer();
    let lines = include_str!("../fixtures/tokens.jsonl").lines();
    // The vocabulary has no token for a few control characters and impossible bytes; Hugging Face drops them too.
    let mut known = [false; 256];
    for token in 0..tokenizer.vocab_size() as u32 {
        if let [byte] = tokenizer.token_bytes(token) {
            known[usize::from(*byte)] = true;
        }
    }
    let mut count = 0;
    for line in lines {
        let row: Vec<serde_json::Value> = serde_json::from_str(line).expect("an array a line");
        let text = row[0].as_str().expect("a text");
        let ids = |column: usize| -> Vec<u32> { serde_json::from_value(row[column].clone()).expect("ids") };
        assert_eq!(tokenizer.encode(text, true), ids(1), "{text:?}");
        let plain = tokenizer.encode(text, false);
        assert_eq!(plain, ids(row.len() - 1), "{text:?}, special tokens as text");
        let kept: Vec<u8> = text.bytes().filter(|byte| known[usize::from(*byte)]).collect();
        let kept = String::from_utf8_lossy(&kept);
        assert_eq!(tokenizer.decode(&plain), kept);
        let mut stream = tokenizer.decode_stream();
        let streamed: String = plain.iter().map(|token| stream.push(*token)).collect();
        assert_eq!(streamed + &stream.finish(), kept);
        count += 1;
    }
    assert_eq!(count, 1000);
}
