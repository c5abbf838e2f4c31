//! Measures the quality of the copy: the evaluation briefs, which no adapter was trained on, written by the loaded model and judged by
//! the same checks that the service answers with.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use adlib_origin::copy::load::{LoadedWriter, load};
use adlib_origin::copy::{Copywriter, WriteContext};
use adlib_origin::settings::Settings;
use adlib_origin::settings::flags::Flags;
use adlib_origin::settings::raw::Raw;
use adlib_shared::brief::Brief;
use adlib_shared::check::Rule;
use adlib_shared::copy::{Copy, Variant};
use adlib_shared::event::Event;
use adlib_shared::problem::Code;
use anyhow::Context;
use clap::Parser;

/// The longest that one brief may take.
const BRIEF_TIME_MAX: Duration = Duration::from_mins(5);

/// A trigram repetition above this share is counted as a repeated phrase.
const REPETITION_MAX: f32 = 0.1;

#[derive(clap::Parser)]
#[command(name = "copy", about = "Writes the evaluation briefs and counts the faults of the copy")]
struct Options {
    /// Briefs, one JSON object `{"brief": {…}}` a line
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/adapter/data/briefs.jsonl"))]
    briefs: PathBuf,
    /// Take only the first N briefs
    #[arg(long, value_name = "N")]
    first: Option<usize>,
    /// Variants of each brief
    #[arg(long, default_value_t = 1)]
    variants: usize,
    /// Branches of each stretch [default: what the service uses]
    #[arg(long)]
    branches: Option<usize>,
    /// Print this many copies to read
    #[arg(long, default_value_t = 0, value_name = "N")]
    show: usize,
    /// Seed of the first brief; each further one counts up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Settings of the origin
    #[command(flatten)]
    settings: Flags,
}

/// What one brief came to.
struct Outcome {
    copy: Result<Copy, Code>,
    asked: usize,
    took: Duration,
}

fn main() -> anyhow::Result<()> {
    let options = &Options::parse();
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
    let settings = Settings::read(Raw::given(&options.settings, environment)?)?;
    let LoadedWriter { mut writer, .. } = load(&settings)?;
    if let Some(branches) = options.branches {
        writer.set_branches_max(branches);
    }
    let briefs = read_briefs(options)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut outcomes = Vec::with_capacity(briefs.len());
    for brief in briefs {
        let outcome = runtime.block_on(write(&writer, &brief))?;
        if outcomes.len() < options.show {
            show(&brief, &outcome);
        }
        outcomes.push(outcome);
    }
    report(&outcomes);
    Ok(())
}

fn read_briefs(options: &Options) -> anyhow::Result<Vec<Brief>> {
    let text = std::fs::read_to_string(&options.briefs)
        .with_context(|| format!("the briefs at {} cannot be read", options.briefs.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(options.first.unwrap_or(usize::MAX));
    lines
        .zip(options.seed..)
        .map(|(line, seed)| {
            let mut brief = serde_json::from_str::<serde_json::Value>(line)?["brief"].take();
            brief["variants"] = options.variants.into();
            brief["seed"] = seed.into();
            Ok(Brief::parse(&serde_json::to_vec(&brief)?, &["*"])?)
        })
        .collect()
}

async fn write(writer: &Copywriter, brief: &Brief) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let context = WriteContext {
        tenant: "bench".into(),
        request_id: "bench".into(),
        deadline: started + BRIEF_TIME_MAX,
    };
    let mut stream = match writer.write(brief.clone(), context) {
        Ok(stream) => stream,
        Err(problem) => {
            return Ok(Outcome { copy: Err(problem.code), asked: brief.variants, took: started.elapsed() });
        }
    };
    while let Some(event) = stream.next().await {
        let copy = match event {
            Event::Done(copy) => Ok(copy),
            Event::Error(problem) => Err(problem.code),
            _ => continue,
        };
        return Ok(Outcome { copy, asked: brief.variants, took: started.elapsed() });
    }
    anyhow::bail!("the stream ended without its last event")
}

fn show(brief: &Brief, outcome: &Outcome) {
    println!("── {} · {} · {:.1} s", brief.channel.id, brief.product.name, outcome.took.as_secs_f32());
    println!("   {}", brief.product.description);
    match &outcome.copy {
        Ok(copy) => copy.variants.iter().for_each(show_variant),
        Err(code) => println!("   nothing: {code}"),
    }
    println!();
}

fn show_variant(variant: &Variant) {
    println!("   {} · score {:.2}", variant.id, variant.score.total);
    for (field, text) in variant.fields.texts() {
        println!("   {field}: {}", text.replace('\n', "\n      "));
    }
    for check in variant.checks.iter().filter(|check| !check.ok) {
        println!("   ! {} {}: {}", check.rule, check.field, check.detail.as_deref().unwrap_or(""));
    }
}

fn report(outcomes: &[Outcome]) {
    let asked: usize = outcomes.iter().map(|outcome| outcome.asked).sum();
    let variants: Vec<&Variant> = outcomes
        .iter()
        .filter_map(|outcome| outcome.copy.as_ref().ok())
        .flat_map(|copy| &copy.variants)
        .collect();
    let share = |what: &str, holds: &dyn Fn(&Variant) -> bool| {
        let count = variants.iter().filter(|variant| holds(variant)).count();
        println!(
            "{what:<44} {count:>5} of {asked:>5}  {:>5.1} %",
            100.0 * count as f32 / asked.max(1) as f32
        );
    };
    let breaks = |variant: &Variant, rules: &[Rule]| {
        variant.checks.iter().any(|check| !check.ok && rules.contains(&check.rule))
    };
    println!("briefs {}, variants asked for {asked}", outcomes.len());
    share("returned (every guaranteed check holds)", &|_| true);
    share("every check holds, recommended ones too", &|v| v.checks.iter().all(|check| check.ok));
    share("with an invented number, price or address", &|v| {
        breaks(v, &[Rule::GroundedNumbers, Rule::GroundedPrices, Rule::GroundedUrls])
    });
    share("with an unfinished end", &|v| breaks(v, &[Rule::Unfinished]));
    share("with a repeated phrase", &|v| v.score.repetition > REPETITION_MAX);
    let mean = |part: &dyn Fn(&Variant) -> f32| {
        variants.iter().map(|v| part(v)).sum::<f32>() / variants.len().max(1) as f32
    };
    println!(
        "mean faithfulness {:.3}, mean coverage {:.3}",
        mean(&|v| v.score.faithfulness),
        mean(&|v| v.score.coverage)
    );
    let mut times: Vec<f32> = outcomes.iter().map(|outcome| outcome.took.as_secs_f32()).collect();
    times.sort_by(f32::total_cmp);
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        println!("seconds a brief: median {median:.2}, longest {longest:.2}");
    }
}
