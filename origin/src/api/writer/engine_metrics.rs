//! The engines' own counters, brought into the metrics before they are read.

use std::sync::Once;

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::engine::Handle;
use crate::engine::stats::Stats;

/// Sets every counter and gauge of an engine to what it is now.
pub(super) fn publish((replica, engine): (usize, &Handle)) {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(describe);
    let Stats {
        requests,
        prompt_tokens,
        cached_tokens,
        sampled_tokens,
        steps,
        step_tokens,
        step_time_us,
        preemptions,
        device_errors,
        restarts,
        load: _,
        waiting,
        running,
        blocks_held,
        blocks_idle,
        blocks_free,
    } = engine.stats();
    let replica = replica.to_string();
    let counter = |name| counter!(name, "replica" => replica.clone());
    let gauge = |name| gauge!(name, "replica" => replica.clone());
    counter("adlib_engine_requests_total").absolute(requests.get());
    counter("adlib_engine_prompt_tokens_total").absolute(prompt_tokens.get());
    counter("adlib_engine_cached_tokens_total").absolute(cached_tokens.get());
    counter("adlib_engine_sampled_tokens_total").absolute(sampled_tokens.get());
    counter("adlib_engine_steps_total").absolute(steps.get());
    counter("adlib_engine_step_tokens_total").absolute(step_tokens.get());
    counter("adlib_engine_step_microseconds_total").absolute(step_time_us.get());
    counter("adlib_engine_preemptions_total").absolute(preemptions.get());
    counter("adlib_engine_device_errors_total").absolute(device_errors.get());
    counter("adlib_engine_restarts_total").absolute(restarts.get());
    gauge("adlib_engine_serving").set(f64::from(u8::from(engine.is_serving())));
    gauge("adlib_engine_queue_requests").set(waiting.get() as f64);
    gauge("adlib_engine_running_sequences").set(running.get() as f64);
    for (state, blocks) in [("held", blocks_held), ("cached", blocks_idle), ("free", blocks_free)] {
        gauge!("adlib_engine_kv_blocks", "replica" => replica.clone(), "state" => state)
            .set(blocks.get() as f64);
    }
}

fn describe() {
    describe_counter!("adlib_engine_requests_total", "Requests admitted to the engine.");
    describe_counter!("adlib_engine_prompt_tokens_total", "Prompt tokens of admitted requests.");
    describe_counter!("adlib_engine_cached_tokens_total", "Prompt tokens that the prefix cache held.");
    describe_counter!("adlib_engine_sampled_tokens_total", "Tokens sampled.");
    describe_counter!("adlib_engine_steps_total", "Steps run.");
    describe_counter!(
        "adlib_engine_step_tokens_total",
        "Tokens computed; divided by the steps, the mean batch."
    );
    describe_counter!(
        "adlib_engine_step_microseconds_total",
        "Time in steps; divided by the steps, the mean step."
    );
    describe_counter!("adlib_engine_preemptions_total", "Sequences that made room and were computed again.");
    describe_counter!(
        "adlib_engine_device_errors_total",
        "Failures of the device, each of which ends what runs on it."
    );
    describe_counter!("adlib_engine_restarts_total", "Times that the model was loaded anew after a failure.");
    describe_gauge!(
        "adlib_engine_serving",
        "1 while the engine takes requests, 0 while it is started anew or stopped."
    );
    describe_gauge!("adlib_engine_queue_requests", "Requests that wait.");
    describe_gauge!("adlib_engine_running_sequences", "Sequences that run.");
    describe_gauge!(
        "adlib_engine_kv_blocks",
        "Blocks of the KV cache: held by sequences, cached for prefixes, free."
    );
}
