//! A guide comes to its end whatever is sampled.

use std::collections::HashSet;

use adlib_shared::brief::Brief;

use super::*;
use crate::copy::plan;
use crate::model::checkpoint::Checkpoint;
use crate::model::tiny;

const BRANCHES: usize = 2;

fn vocabulary() -> Arc<Vocabulary> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tiny.gguf");
    tiny::write(&path, 1).expect("the model is written");
    let checkpoint = Checkpoint::open(&path, &[] as &[&str]).expect("it opens");
    Arc::new(Vocabulary::new(Arc::new(checkpoint.tokenizer().expect("it has a tokenizer"))))
}

/// The token that stands for one byte.
fn byte_token(vocabulary: &Vocabulary, byte: u8) -> u32 {
    let tokenizer = vocabulary.tokenizer();
    let tokens = 0..tokenizer.vocab_size() as u32;
    tokens.into_iter().find(|token| tokenizer.token_bytes(*token) == [byte]).expect("every byte has a token")
}

/// Writes a variant of a brief for `channel` from these bytes, over and over, and returns its texts and the choices that
/// it took.
fn write(channel: &str, bytes: &[u8]) -> (Vec<String>, usize) {
    let body = format!(
        r#"{{"product": {{"name": "Kvass", "description": "Rye kvass from Tallinn."}}, "channel": "{channel}"}}"#
    );
    let brief = Brief::parse(body.as_bytes(), &["en"]).expect("a valid brief");
    let lines = plan::lines(&brief).expect("a plan");
    let vocabulary = vocabulary();
    let tokens: Vec<u32> = bytes.iter().map(|byte| byte_token(&vocabulary, *byte)).collect();
    let assignment =
        Assignment { lines, judge: Judge::new(brief), temperature: 1.0, seed: 1, branches: BRANCHES };
    let (out, mut told) = mpsc::unbounded_channel();
    let mut guide = LineGuide::new(Arc::new(assignment), vocabulary, 0, 0, out);
    let mut choices = 0;
    let mut streams = HashSet::new();
    loop {
        for branch in 0..BRANCHES {
            streams.insert((choices, guide.sampling(branch).params.stream));
            let mut sampled = tokens.iter().cycle().map(|&token| Sampled { token, log_probability: -1.0 });
            while guide.advance(branch, sampled.next().expect("a cycle")) == Progress::More {}
        }
        choices += 1;
        assert!(choices < 10_000, "the guide does not end");
        if matches!(guide.select(), Selection::Finish) {
            break;
        }
    }
    assert_eq!(streams.len(), choices * BRANCHES, "every branch has a stream of its own");
    loop {
        if let Written::Variant { texts, .. } = told.try_recv().expect("the variant is told at the end") {
            return (texts, choices);
        }
    }
}

#[test]
fn bytes_that_are_no_text_end_the_line_after_the_last_attempt() {
    for channel in ["push", "product_description"] {
        let (texts, choices) = write(channel, &[0xFF]);
        assert!(texts.iter().all(String::is_empty), "{texts:?}");
        assert_eq!(choices, texts.len() * ATTEMPTS_MAX as usize);
    }
}

#[test]
fn a_character_that_never_completes_is_left_out() {
    // The first two of the three bytes of a euro sign, again and again.
    let (texts, _) = write("push", b" ab\xE2\x82");
    assert!(texts.iter().all(|text| text.chars().all(|character| " ab".contains(character))), "{texts:?}");
    assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
}

#[test]
fn a_line_that_never_ends_is_cut_at_its_limit() {
    let (texts, _) = write("push", b"ab ");
    for (text, limit) in texts.iter().zip([40, 110]) {
        assert!((limit - 3..=limit).contains(&text.len()), "{text}");
    }
}

#[test]
fn a_line_break_ends_a_line() {
    let (texts, choices) = write("push", b" rye kvass\n");
    assert_eq!(texts, ["rye kvass", "rye kvass"]);
    assert_eq!(choices, 2, "nothing is wrong with it");
}
