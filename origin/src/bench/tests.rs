//! What is counted, beside the arrays on the simulated device; the arithmetic of floors; a whole measurement.

use super::report::Report;
use super::work::{Ceilings, Step, weight_bytes};
use super::{H100, batch_of, computed, kernel_steps, limits, measure};
use crate::backend::cuda::{Checks, Cuda, Extent, Group, Noted, Simulator, Stopwatch};
use crate::model::config::{ModelConfig, Rope, RopeScaling};
use crate::model::llama::Llama;
use crate::model::random::WeightFormat;
use crate::model::shape::ModelShape;
use crate::settings::flags::bench::{BATCH_MAX, BenchFlags};
use crate::settings::flags::{Cli, Verb};
use clap::Parser;

const EXTENT: Extent = Extent { copied: 1 << 12, blocks: 1, rounds: 2 };

fn prompts(format: WeightFormat, sequences: usize) -> Step {
    let config = ModelConfig {
        layers: 2,
        dim: 64,
        heads: 2,
        kv_heads: 1,
        head_dim: 32,
        hidden: 96,
        vocab: 208,
        context_max: 512,
        norm_epsilon: 1e-5,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    };
    let prompts = Step::prompts(ModelShape::Smol135M, format, sequences);
    Step { config, has_head: true, tokens: 16, ..prompts }
}

fn flags(arguments: &[&str]) -> Result<BenchFlags, String> {
    let all = [&["origin", "bench"], arguments].concat();
    match Cli::try_parse_from(all).map_err(|error| error.to_string())?.into_verb() {
        Verb::Bench(flags) => Ok(flags),
        _ => panic!("another verb"),
    }
}

#[test]
fn the_weights_of_a_step_are_counted_as_large_as_they_are_on_the_device() {
    for format in WeightFormat::ALL {
        let step = prompts(format, 3).answer();
        let noted = Noted::new(Simulator::new(Checks::Plain));
        let backend = Cuda::new(noted.clone()).without_graphs().with_made_up_weights();
        let limits = limits(3, 3);
        let mut model = Llama::blank(backend, &step.config, true, format, limits).expect("a model");
        noted.listen();
        batch_of(&step, |batch| model.step(batch).map(drop)).expect("a step");
        // The embedding's kernel is given all of it and reads a row for each token.
        let heard = noted.heard();
        let embedding = weight_bytes(format, step.config.vocab, step.config.dim) as u64;
        let is_embedding = |kernel: &str| kernel.starts_with("embed");
        for group in &heard {
            assert!(!is_embedding(&group.kernel) || group.weight_bytes == embedding, "{}", group.kernel);
        }
        let read: u64 =
            heard.iter().filter(|group| !is_embedding(&group.kernel)).map(|group| group.weight_bytes).sum();
        let counted: usize = step.parts().iter().map(|part| part.count * part.weights).sum();
        assert_eq!(read, counted as u64, "{format:?}");
        let launches: usize = heard.iter().map(Group::count).sum();
        assert!(launches > heard.len(), "the layers' launches are grouped");
    }
}

#[test]
fn a_models_work_is_its_weights_and_its_cache() {
    let answer = Step::prompts(ModelShape::Llama8B, WeightFormat::F16, 2).answer();
    let work = answer.work();
    // The parameters without the embedding and the norms' vectors; a row of the embedding for each sequence.
    let weights = 8_030_261_248 - 128_256 * 4096 - 65 * 4096;
    let cache = 2 * (128 + 32 + 1) * 32 * 2 * 8 * 128 * 2;
    assert_eq!(work.bytes, 2 * weights + 2 * 2 * 4096 + cache);
    assert_eq!(work.operations, 2 * (2 * weights + (128 + 32 + 1) * 32 * 4 * 4096));
    // 128 prompts of 128 tokens take four steps, each of which reads the weights.
    let prompts = Step::prompts(ModelShape::Llama8B, WeightFormat::F16, 128);
    let cache = 128 * 128 * 32 * 2 * 8 * 128 * 2;
    assert_eq!(prompts.work().bytes, 4 * 2 * weights + 128 * 128 * 2 * 4096 + cache);
    let quantised = [WeightFormat::Int8, WeightFormat::Int4].map(|format| weight_bytes(format, 10, 64));
    assert_eq!(quantised, [10 * (64 + 4), 10 * (32 + 8)]);
}

#[test]
fn a_floor_is_what_takes_longer() {
    let step = prompts(WeightFormat::F16, 1);
    let work = step.work();
    let [bytes, operations] = [work.bytes, work.operations].map(|count| count as f64);
    assert_eq!(work.floor(Ceilings { bytes, operations: operations * 2.0 }).to_bits(), 1_f64.to_bits());
    assert_eq!(
        work.floor(Ceilings { bytes: bytes * 4.0, operations: operations * 2.0 }).to_bits(),
        0.5_f64.to_bits()
    );
}

#[test]
fn a_dry_run_computes_every_shape_and_says_that_it_measured_nothing() {
    let report = computed(&flags(&["--dry-run"]).expect("flags"));
    assert_eq!(report.models.len(), 3 * 3 * 4 * 2);
    assert!(report.models.iter().all(|model| model.milliseconds.is_none() && model.floor_milliseconds > 0.0));
    assert_eq!(report.kernels.len(), 3 * 3 * 5 * 8);
    let tables = report.tables();
    assert!(
        tables.starts_with("NVIDIA H100 SXM (computed from published figures, NOT measured)"),
        "{tables}"
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!(json["is_computed"], true);
    // 15.0 GB at 3.35 TB/s.
    let decode = report.models.iter().find(|model| model.shape == "Llama-3.1-8B" && model.phase == "decode");
    let floor = decode.expect("a model").floor_milliseconds;
    assert!((4.4..4.6).contains(&floor), "{floor}");
}

#[test]
fn a_device_is_measured_kernel_by_kernel_and_step_by_step() {
    let device = Simulator::new(Checks::Plain);
    let stopwatch = Stopwatch::new(&device).expect("memory");
    assert!(stopwatch.copy_rate(EXTENT).expect("a copy") > 0.0);
    assert!(stopwatch.multiply_rate(EXTENT).expect("a launch") > 0.0);
    let mut report = Report::new(String::from("simulator"), false, H100);
    let prompts = prompts(WeightFormat::Int4, 2);
    let plan = [(prompts.clone(), prompts.answer())];
    measure(&device, &stopwatch, &plan, &mut report, H100).expect("measurements");
    assert_eq!(kernel_steps(&plan).count(), 2);
    assert!(report.kernels.iter().all(|kernel| kernel.microseconds.is_some_and(|time| time > 0.0)));
    assert!(report.kernels.iter().any(|kernel| kernel.name.starts_with("attend") && kernel.bytes > 0));
    let phases: Vec<_> = report.models.iter().map(|model| (model.phase, model.tokens)).collect();
    assert_eq!(phases, [("prefill", 32), ("decode", 2)]);
    assert!(report.models.iter().all(|model| model.share.is_some_and(|share| share > 0.0)));
}

#[test]
fn what_to_measure_can_be_chosen() {
    let chosen =
        flags(&["--shapes", "smollm2-135m", "--formats", "bf16", "--batches", "1,1024"]).expect("flags");
    assert_eq!(chosen.shapes, [ModelShape::Smol135M]);
    assert_eq!((chosen.formats, chosen.batches), (vec![WeightFormat::Bf16], vec![1, BATCH_MAX]));
    for (wrong, words) in
        [("--shapes=gpt", "'gpt' is no shape"), ("--formats=f8", "'f8' is no weight format")]
    {
        assert!(flags(&[wrong]).expect_err("it is refused").contains(words), "{wrong}");
    }
    for wrong in ["0", "1025", "x"] {
        let refused = flags(&["--batches", wrong]).expect_err("it is refused");
        assert!(
            refused.contains(&format!("'{wrong}' is no number of sequences; 1 to 1024 are")),
            "{refused}"
        );
    }
}
