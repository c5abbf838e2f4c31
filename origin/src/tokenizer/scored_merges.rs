//! Byte-pair merges for SentencePiece vocabularies, whose files give scores instead.

use std::collections::HashMap;

/// SentencePiece joins the neighbours whose concatenation has the best score. Every way to cut a token in two tokens
/// is therefore a merge, and the merges of better tokens come first; among those of one token, the order of the
/// parts' ids decides, as in Hugging Face's conversion.
pub(super) fn merges(tokens: &[String], scores: &[f64], ids: &HashMap<&str, u32>) -> Vec<(String, String)> {
    let mut merges = Vec::new();
    for (id, token) in tokens.iter().enumerate() {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(left), Some(right)) = (ids.get(left), ids.get(right)) {
                merges.push((id, *left, *right));
            }
        }
    }
    let score = |id: usize| scores.get(id).copied().unwrap_or(f64::NEG_INFINITY);
    merges.sort_by(|a, b| score(b.0).total_cmp(&score(a.0)).then(a.cmp(b)));
    let text = |id: u32| tokens[id as usize].clone();
    merges.into_iter().map(|(_, left, right)| (text(left), text(right))).collect()
}
