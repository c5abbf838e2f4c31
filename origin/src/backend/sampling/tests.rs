//! The sampler beside a plain one that ranks the whole vocabulary.

use super::philox::uniform;
use super::*;
use crate::backend::batch::SampleRow;

const VOCAB: usize = 1003;

fn exponentials(x: &[f32], shift: f32, scale: f32, to: &mut [f32]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = ((x - shift) * scale).exp();
    }
}

fn sample(logits: &[f32], row: &SampleRow<'_>) -> Sampled {
    Sampler::default().sample(logits, row, &exponentials)
}

fn row<'a>(params: SampleParams, position: u64) -> SampleRow<'a> {
    SampleRow { row: 0, params, position, history: &[], mask: None }
}

fn logits(seed: u64) -> Vec<f32> {
    (0..VOCAB as u64).map(|i| (uniform(seed, 0, i) * 12.0) as f32 - (i % 5) as f32).collect()
}

/// The tokens that the filters keep, with their weights, by ranking everything.
fn kept(logits: &[f32], params: &SampleParams) -> Vec<(u32, f64)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut weights = vec![0.0; logits.len()];
    exponentials(logits, max, 1.0 / params.temperature, &mut weights);
    let mut ranked: Vec<_> = (0..logits.len() as u32).map(|i| (i, f64::from(weights[i as usize]))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    if params.top_k > 0 {
        ranked.truncate(params.top_k as usize);
    }
    let total: f64 = ranked.iter().map(|token| token.1).sum();
    let (mut sum, mut count) = (0.0, 0);
    while count < ranked.len() && (count == 0 || sum < f64::from(params.top_p) * total) {
        sum += ranked[count].1;
        count += 1;
    }
    if params.top_p < 1.0 {
        ranked.truncate(count);
    }
    ranked.retain(|token| token.1 >= f64::from(params.min_p));
    ranked
}

#[test]
fn choices_are_those_of_a_plain_sampler() {
    for (case, temperature) in [0.3, 0.7, 1.0, 1.0, 1.7, 5.0].into_iter().enumerate() {
        for (top_k, top_p, min_p) in [
            (0, 1.0, 0.0),
            (0, 0.9, 0.0),
            (0, 0.9999, 0.0),
            (40, 1.0, 0.0),
            (0, 1.0, 0.1),
            (50, 0.8, 0.05),
            (1, 1.0, 0.0),
        ] {
            let params =
                SampleParams { temperature, top_k, top_p, min_p, seed: 11, ..SampleParams::default() };
            let logits = logits(case as u64);
            let mut kept = kept(&logits, &params);
            kept.sort_by_key(|token| token.0);
            let total: f64 = kept.iter().map(|token| token.1).sum();
            for position in 0..200 {
                let target = uniform(11, 0, position) * total;
                let mut sum = 0.0;
                let wanted = kept.iter().find(|token| {
                    sum += token.1;
                    sum > target
                });
                // A choice within rounding of the border between two tokens may fall to either.
                if (sum - target).abs() < 1e-6 * total {
                    continue;
                }
                let found = sample(&logits, &row(params, position)).token;
                assert_eq!(Some(found), wanted.map(|token| token.0), "{params:?} at {position}");
            }
        }
    }
}

#[test]
fn frequencies_follow_the_probabilities() {
    let logits = [0.0, 1.0, 2.0, -1.0, 0.5];
    let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
    let mut counts = [0.0; 5];
    for position in 0..20_000 {
        let params = SampleParams { seed: 42, stream: 3, ..SampleParams::default() };
        counts[sample(&logits, &row(params, position)).token as usize] += 1.0;
    }
    let expected = logits.map(|x| f64::from(x).exp() / total * 20_000.0);
    let chi_square: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
    // 4 degrees of freedom: beyond 18.5 once in a thousand.
    assert!(chi_square < 18.5, "{chi_square}");
}

#[test]
fn a_seed_holds_and_each_part_of_the_key_matters() {
    let logits = vec![0.0; VOCAB];
    let draw = |seed, stream| {
        let params = SampleParams { seed, stream, ..SampleParams::default() };
        (0..50).map(|position| sample(&logits, &row(params, position)).token).collect::<Vec<_>>()
    };
    assert_eq!(draw(1, 0), draw(1, 0));
    assert_ne!(draw(1, 0), draw(2, 0));
    assert_ne!(draw(1, 0), draw(1, 1));
    assert_ne!(draw(1, 0), draw(1 << 40, 0));
    assert!(draw(1, 0).windows(2).any(|pair| pair[0] != pair[1]), "positions differ");
}

#[test]
fn temperature_zero_takes_the_lowest_of_equal_ids() {
    let greedy = SampleParams { temperature: 0.0, ..SampleParams::default() };
    let mut logits = vec![0.0; VOCAB];
    for id in [997, 513, 700] {
        logits[id] = 3.0;
    }
    assert_eq!(sample(&logits, &row(greedy, 0)).token, 513);
    let top_1 = SampleParams { top_k: 1, ..SampleParams::default() };
    assert!((0..20).all(|position| sample(&logits, &row(top_1, position)).token == 513));
}

#[test]
fn a_mask_leaves_its_tokens_and_their_probabilities() {
    let mut mask = vec![0; VOCAB.div_ceil(32)];
    for id in [3, 64, 1002] {
        mask[id / 32] |= 1 << (id % 32);
    }
    let logits = vec![0.5; VOCAB];
    for position in 0..30 {
        let row = SampleRow { mask: Some(&mask), ..row(SampleParams::default(), position) };
        let sampled = sample(&logits, &row);
        assert!([3, 64, 1002].contains(&sampled.token));
        assert!((sampled.log_probability + 3_f32.ln()).abs() < 1e-5);
    }
    let empty = vec![0; VOCAB.div_ceil(32)];
    let none = sample(&logits, &SampleRow { mask: Some(&empty), ..row(SampleParams::default(), 0) });
    assert_eq!(none, Sampled { token: 0, log_probability: f32::NEG_INFINITY });
}

#[test]
fn penalties_change_the_choice_and_not_the_probability() {
    let greedy = SampleParams { temperature: 0.0, ..SampleParams::default() };
    let logits = [2.0, 1.9, -1.0, 1.0];
    let choose = |params, history: &[u32]| sample(&logits, &SampleRow { history, ..row(params, 0) });
    let log_sum = logits.iter().map(|&x: &f32| x.exp()).sum::<f32>().ln();
    let sampled = |token: u32| (token, logits[token as usize] - log_sum);
    let close = |found: Sampled, wanted: (u32, f32)| {
        assert_eq!(found.token, wanted.0);
        assert!((found.log_probability - wanted.1).abs() < 1e-5);
    };
    close(choose(greedy, &[0, 0]), sampled(0));
    close(choose(SampleParams { repetition_penalty: 1.1, ..greedy }, &[0]), sampled(1));
    close(choose(SampleParams { presence_penalty: 0.2, ..greedy }, &[0, 9999]), sampled(1));
    close(choose(SampleParams { frequency_penalty: 0.06, ..greedy }, &[0]), sampled(0));
    close(choose(SampleParams { frequency_penalty: 0.06, ..greedy }, &[0, 0]), sampled(1));
    // A negative logit is multiplied: token 2 falls further behind.
    let pair = [-1.0, -1.05];
    let repeated = SampleRow { history: &[0], ..row(SampleParams { repetition_penalty: 1.2, ..greedy }, 0) };
    assert_eq!(sample(&pair, &repeated).token, 1);
}

#[test]
fn extreme_logits_still_choose() {
    let mut logits = vec![-1e30; VOCAB];
    logits[77] = 1e30;
    let hot = SampleParams { temperature: 1e-6, top_p: 0.5, min_p: 1.0, ..SampleParams::default() };
    assert_eq!(sample(&logits, &row(hot, 1)), Sampled { token: 77, log_probability: 0.0 });
    let flat = SampleParams { temperature: f32::MAX, top_p: 1e-9, ..SampleParams::default() };
    assert_eq!(sample(&logits, &row(flat, 1)).token, 0);
}
