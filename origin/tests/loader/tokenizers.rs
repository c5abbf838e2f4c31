//! Tokenizers of other kinds than the default model's: SentencePiece in GGUF, `tokenizer.json` in a folder.

use std::path::Path;
use std::time::{Duration, SystemTime};

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::gguf::writer::Writer;
use adlib_origin::model::gguf::{self, Metadata};
use adlib_origin::model::tiny;
use adlib_origin::tokenizer::{Message, Tokenizer};
use serde_json::json;

fn metadata(file: &Writer) -> Metadata {
    gguf::parse(&file.to_bytes()).expect("the file is valid").0
}

/// A SentencePiece vocabulary: control tokens, the 256 bytes, then pieces with scores.
fn sentence_piece() -> Writer {
    let pieces =
        [("▁", -1.0), ("h", -9.0), ("e", -9.0), ("l", -9.0), ("o", -9.0), ("he", -3.0), ("ll", -2.0)];
    let longer = [("hell", -6.0), ("▁he", -4.0), ("▁hell", -7.0), ("lo", -1.5), ("▁hello", -8.0)];
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).into();
    let mut types = vec![2, 3, 3];
    let mut scores = vec![0.0; 3];
    for byte in 0..=255 {
        tokens.push(format!("<0x{byte:02X}>"));
        types.push(6);
        scores.push(0.0);
    }
    for (piece, score) in pieces.into_iter().chain(longer) {
        tokens.push(piece.into());
        types.push(1);
        scores.push(score);
    }
    let mut file = Writer::new();
    file.text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .integers("tokenizer.ggml.token_type", &types)
        .floats("tokenizer.ggml.scores", &scores)
        .integer("tokenizer.ggml.bos_token_id", 1)
        .integer("tokenizer.ggml.eos_token_id", 2);
    file
}

fn pieces(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let piece = |token| String::from_utf8_lossy(tokenizer.token_bytes(token)).into_owned();
    tokenizer.encode(text, false).into_iter().map(piece).collect()
}

#[test]
fn sentence_pieces_join_by_score() {
    let tokenizer = Tokenizer::from_gguf(&metadata(&sentence_piece()), 300).expect("it is built");
    // The best pair first: `lo` (-1.5) before `ll` (-2) before `he` (-3) before `▁he` (-4); then nothing fits.
    assert_eq!(pieces(&tokenizer, "hello"), [" he", "l", "lo"]);
    assert_eq!(pieces(&tokenizer, "hell"), [" hell"]);
    assert_eq!(tokenizer.begin(), Some(1));
    assert_eq!(tokenizer.eos(), [2]);
}

#[test]
fn sentence_pieces_fall_back_to_bytes() {
    let tokenizer = Tokenizer::from_gguf(&metadata(&sentence_piece()), 300).expect("it is built");
    let tokens = tokenizer.encode("é\n", false);
    assert_eq!(tokens[1..], [3 + 0xC3, 3 + 0xA9, 3 + 0x0A]);
    assert_eq!(tokenizer.decode(&tokens), " é\n");
    let mut stream = tokenizer.decode_stream();
    let streamed: Vec<String> = tokens.iter().map(|token| stream.push(*token)).collect();
    assert_eq!(streamed, [" ", "", "é", "\n"]);
}

#[test]
fn a_vocabulary_larger_than_the_embedding_is_refused() {
    let file = metadata(&sentence_piece());
    let tokens = file.texts("tokenizer.ggml.tokens").expect("texts").expect("there").len();
    assert_eq!(Tokenizer::from_gguf(&file, tokens).expect("it fits").vocab_size(), tokens);
    let error = Tokenizer::from_gguf(&file, tokens - 1).expect_err("one row is missing");
    assert_eq!(error.to_string(), format!("token {0} has no row in the embedding of {0}", tokens - 1));
    let padded = Tokenizer::from_gguf(&file, tokens + 5).expect("rows without a token are no harm");
    assert!(padded.is_special(tokens as u32 + 4) && padded.token_bytes(tokens as u32 + 4).is_empty());
}

#[test]
fn pre_tokenizers_cut_numbers_and_spaces_each_in_its_way() {
    let cut = |id: &str| {
        let mut file = tiny::writer(1);
        let numbers: Vec<String> = ["1 2", "12 3", "Ġ Ġ"].map(str::to_owned).into();
        let metadata_of = metadata(&file);
        let texts = |key: &str| metadata_of.texts(key).expect("texts").expect("there").to_vec();
        let (mut tokens, mut merges) = (texts("tokenizer.ggml.tokens"), texts("tokenizer.ggml.merges"));
        tokens.extend(["12", "123", "ĠĠ"].map(str::to_owned));
        merges.extend(numbers);
        let mut types = vec![3, 3, 3];
        types.resize(tokens.len(), 1);
        for key in ["pre", "tokens", "token_type", "merges"] {
            file.remove(&format!("tokenizer.ggml.{key}"));
        }
        file.text("tokenizer.ggml.pre", id)
            .texts("tokenizer.ggml.tokens", &tokens)
            .integers("tokenizer.ggml.token_type", &types)
            .texts("tokenizer.ggml.merges", &merges);
        let tokenizer = Tokenizer::from_gguf(&metadata(&file), tokens.len()).expect("it is built");
        pieces(&tokenizer, "a  1234").join("|")
    };
    assert_eq!(cut("smollm"), "a|  |1|2|3|4", "single digits; the spaces stand alone");
    assert_eq!(cut("gpt-2"), "a| | |123|4", "the last space goes with the number");
    assert_eq!(cut("llama-bpe"), "a| | |123|4", "three digits at a time");
    assert_eq!(cut("qwen2"), "a| | |1|2|3|4");
    assert_eq!(cut("tekken"), "a| | |1|2|3|4");
    let error = Tokenizer::from_gguf(
        &metadata(tiny::writer(1).remove("tokenizer.ggml.pre").text("tokenizer.ggml.pre", "x")),
        900,
    );
    assert!(
        error.is_err_and(|error| error.to_string().starts_with("tokenizer.ggml.pre is x; gpt-2, smollm"))
    );
}

/// The tiny model's vocabulary as `tokenizer.json`.
fn write_folder(folder: &Path) {
    let metadata = metadata(&tiny::writer(1));
    let texts = |key: &str| metadata.texts(key).expect("texts").expect("there");
    let tokens = texts("tokenizer.ggml.tokens");
    let vocab: serde_json::Map<_, _> =
        tokens.iter().enumerate().map(|(id, text)| (text.clone(), json!(id))).collect();
    let added: Vec<_> = (0..3)
        .map(|id: usize| {
            json!({"id": id, "content": tokens[id], "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false})
        })
        .collect();
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let digits = json!({"type": "Digits", "individual_digits": true});
    let tokenizer = json!({
        "version": "1.0", "added_tokens": added, "normalizer": null, "post_processor": null, "decoder": byte_level,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "model": {"type": "BPE", "vocab": vocab, "merges": texts("tokenizer.ggml.merges")},
    });
    let settings = json!({"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"},
        "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content | trim }}{% endfor %}"});
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("tokenizer.json");
    std::fs::write(folder.join("tokenizer_config.json"), settings.to_string())
        .expect("tokenizer_config.json");
    std::fs::write(folder.join("generation_config.json"), json!({"eos_token_id": [2, 0]}).to_string())
        .expect("ends");
}

#[test]
fn a_folder_gives_the_same_tokens_as_the_gguf_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_folder(folder.path());
    let path = folder.path().join("tiny.gguf");
    tiny::write(&path, 1).expect("the model is written");
    let from_gguf = Checkpoint::open(&path, &[] as &[&str]).and_then(|c| c.tokenizer()).expect("it is built");
    let rows = tiny::config().vocab;
    let from_folder = Tokenizer::from_folder(folder.path(), rows).expect("it is built");
    for text in
        ["", "the best coffee, 24/7!", " naïve ☕\n\n<|im_end|>  x", "<|im_start|>user\nHi<|im_end|>\n"]
    {
        for special in [false, true] {
            let tokens = from_folder.encode(text, special);
            assert_eq!(tokens, from_gguf.encode(text, special), "{text:?}");
            assert_eq!(from_folder.decode(&tokens), from_gguf.decode(&tokens));
        }
    }
    assert_eq!(from_folder.eos(), from_gguf.eos());
    assert_eq!(from_folder.special("<|im_end|>"), Some(2));
    assert!(Tokenizer::from_folder(folder.path(), rows - 1).is_err(), "a row is missing");
}

#[test]
fn a_template_file_goes_before_the_one_in_the_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_folder(folder.path());
    let render = || {
        let tokenizer = Tokenizer::from_folder(folder.path(), 900).expect("it is built");
        let messages = [Message { role: "user", content: " Hi " }];
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(478_320);
        tokenizer.chat_template().render(&messages, false, now).map_err(|error| error.to_string())
    };
    assert_eq!(render(), Ok("<|im_start|>Hi".into()));
    let template =
        |text: &str| std::fs::write(folder.path().join("chat_template.jinja"), text).expect("written");
    template(
        "{%- if tools is not none %}tools{% endif %}\n  {% for m in messages %}\n{{ m['role'].upper() }}\n  {% endfor %}\n",
    );
    assert_eq!(render(), Ok("USER\n".into()), "blocks are trimmed as transformers does");
    template("{{ strftime_now('%d %b %Y') }} {{ messages | tojson }} {{ '<é>' | tojson(indent=2) }}");
    let expected = "26 Jul 2024 [{\"role\": \"user\", \"content\": \" Hi \"}] \"<é>\"";
    let sorted = "26 Jul 2024 [{\"content\": \" Hi \", \"role\": \"user\"}] \"<é>\"";
    assert!([Ok(expected.to_owned()), Ok(sorted.to_owned())].contains(&render()), "{:?}", render());
    template("{{ raise_exception('roles must alternate') }}");
    assert!(render().is_err_and(|error| error.contains("roles must alternate")));
    template("{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}");
    assert!(render().is_err(), "a rendering is bounded");
    template("{% for m in messages %}");
    assert!(Tokenizer::from_folder(folder.path(), 900).is_err(), "a broken template is found at load");
}
