//! The graph again, plainly: f64, one sequence, no cache, no blocks. What the backends are tested against.

use crate::model::config::{ModelConfig, RopeScaling};
use crate::model::tensors::{LayerTensors, Matrix};

/// A matrix times a vector.
fn multiply(matrix: &Matrix, x: &[f64]) -> Vec<f64> {
    (0..matrix.rows).map(|row| (0..matrix.cols).map(|col| matrix.weight(row, col) * x[col]).sum()).collect()
}

fn norm(x: &[f64], weights: &[f32], epsilon: f32) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    x.iter().zip(weights).map(|(x, &w)| x / (mean + f64::from(epsilon)).sqrt() * f64::from(w)).collect()
}

fn rotate(config: &ModelConfig, position: usize, head: &mut [f64]) {
    let half = config.head_dim / 2;
    for i in 0..half {
        let mut frequency = f64::from(config.rope.theta).powf(-(i as f64) / half as f64);
        match &config.rope.scaling {
            RopeScaling::Linear { factor } => frequency /= f64::from(*factor),
            RopeScaling::Divisors(divisors) => frequency /= f64::from(divisors[i]),
            RopeScaling::None => {}
            RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
                let [factor, low, high] =
                    [*factor, *low_frequency_factor, *high_frequency_factor].map(f64::from);
                let length = *original_context as f64;
                let wavelength = std::f64::consts::TAU / frequency;
                if wavelength > length / low {
                    frequency /= factor;
                } else if wavelength > length / high {
                    let smooth = (length / wavelength - low) / (high - low);
                    frequency = (1.0 - smooth) * frequency / factor + smooth * frequency;
                }
            }
        }
        let (sine, cosine) = (position as f64 * frequency).sin_cos();
        let (a, b) = (head[i], head[i + half]);
        (head[i], head[i + half]) = (a * cosine - b * sine, b * cosine + a * sine);
    }
}

/// Logits after each token, `(tokens, vocab)`.
pub(super) fn logits(
    config: &ModelConfig,
    embedding: &Matrix,
    layers: &[LayerTensors],
    final_norm: &[f32],
    tokens: &[u32],
) -> Vec<Vec<f64>> {
    let row = |&token: &u32| (0..config.dim).map(|col| embedding.weight(token as usize, col)).collect();
    let mut stream: Vec<Vec<f64>> = tokens.iter().map(row).collect();
    for layer in layers {
        attend(config, layer, &mut stream);
        for x in &mut stream {
            let normed = norm(x, &layer.feed_forward_norm, config.norm_epsilon);
            let (gate, up) = (multiply(&layer.gate, &normed), multiply(&layer.up, &normed));
            let hidden: Vec<_> =
                gate.iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
            x.iter_mut().zip(multiply(&layer.down, &hidden)).for_each(|(x, y)| *x += y);
        }
    }
    stream.iter().map(|x| multiply(embedding, &norm(x, final_norm, config.norm_epsilon))).collect()
}

fn attend(config: &ModelConfig, layer: &LayerTensors, stream: &mut [Vec<f64>]) {
    let size = config.head_dim;
    let project = |x: &[f64], matrix: &Matrix, which: usize| {
        let mut y = multiply(matrix, x);
        if let Some(bias) = &layer.qkv_bias {
            y.iter_mut().zip(&bias[which]).for_each(|(y, &bias)| *y += f64::from(bias));
        }
        y
    };
    let ready = |position: usize, mut y: Vec<f64>, which: usize| {
        for head in y.chunks_exact_mut(size) {
            if let Some(norms) = &layer.qk_norm {
                head.copy_from_slice(&norm(head, &norms[which], config.norm_epsilon));
            }
            rotate(config, position, head);
        }
        y
    };
    let mut keys: Vec<Vec<f64>> = Vec::new();
    let mut values: Vec<Vec<f64>> = Vec::new();
    for (position, x) in stream.iter_mut().enumerate() {
        let normed = norm(x, &layer.attention_norm, config.norm_epsilon);
        let queries = ready(position, project(&normed, &layer.query, 0), 0);
        keys.push(ready(position, project(&normed, &layer.key, 1), 1));
        values.push(project(&normed, &layer.value, 2));
        let mut output = Vec::new();
        for (head, query) in queries.chunks_exact(size).enumerate() {
            let part = head / (config.heads / config.kv_heads) * size;
            let dot = |key: &Vec<f64>| query.iter().zip(&key[part..]).map(|(q, k)| q * k).sum::<f64>();
            let scores: Vec<_> = keys.iter().map(|key| dot(key) / (size as f64).sqrt()).collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<_> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let mixed = |i| {
                weights.iter().zip(&values).map(|(weight, value)| weight / sum * value[part + i]).sum::<f64>()
            };
            output.extend((0..size).map(mixed));
        }
        x.iter_mut().zip(multiply(&layer.output, &output)).for_each(|(x, y)| *x += y);
    }
}
