//! Limits on requests and on what they may take: rates, the queue, the deadline, what a channel allows.

use std::time::Duration;

use adlib_shared::deadline::DEADLINE;
use adlib_shared::event::Event;
use adlib_shared::problem::Code;
use adlib_tests::{Answer, Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::running;
use crate::support::{brief, long, run, with};

#[test]
fn a_key_gets_its_rate_and_not_one_more() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("rate_per_minute", "5".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        for left in (0..5).rev() {
            let answer = stack.client.copy(&brief(1)).await?;
            ensure!(answer.status == 200, "{answer:?}");
            ensure!(answer.header("x-ratelimit-remaining-requests") == left.to_string(), "{answer:?}");
        }
        let refused = stack.client.copy(&brief(1)).await?;
        ensure!((refused.status, refused.code().as_str()) == (429, "rate_limited"), "{refused:?}");
        ensure!(
            refused.header("retry-after").parse::<u32>().is_ok_and(|s| (1..=60).contains(&s)),
            "{refused:?}"
        );
        ensure!(stack.other.copy(&brief(1)).await?.status == 200, "another key is not concerned");
        stack.stop().await
    })
}

#[test]
fn an_address_with_many_wrong_keys_is_limited_and_a_header_does_not_change_it() -> anyhow::Result<()> {
    run(async {
        let variables = vec![("failures_per_minute", "3".to_owned())];
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        for spoofed in 0..5 {
            let request = stack.anonymous.request(Method::POST, "/v1/copy");
            let request =
                request.header("spin-client-addr", format!("203.0.113.{spoofed}:1")).json(&brief(1));
            let answer = Answer::of(request).await?;
            let expected = if spoofed < 3 { 401 } else { 429 };
            ensure!(answer.status == expected, "failure {spoofed}: {answer:?}");
        }
        stack.stop().await
    })
}

#[test]
fn a_full_queue_answers_overloaded_with_retry_after() -> anyhow::Result<()> {
    run(async {
        let flags = ["--queue-max", "1", "--sequences-max", "10"].map(str::to_owned).to_vec();
        let origin = Origin::start(&OriginOptions { flags, ..OriginOptions::default() }).await?;
        let client = Client::new(origin.url());
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let client = client.clone();
                let brief = with(brief(number), json!({"channel": "email", "variants": 1}));
                tokio::spawn(async move { client.copy(&brief).await })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            let answer = task.await??;
            if answer.status == 503 {
                ensure!(
                    answer.code() == "overloaded" && !answer.header("retry-after").is_empty(),
                    "{answer:?}"
                );
            }
            statuses.push(answer.status);
        }
        ensure!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
        Ok(())
    })
}

#[test]
fn a_brief_that_takes_longer_than_the_deadline_is_given_up() -> anyhow::Result<()> {
    run(async {
        let origin_flags = ["--request-deadline-ms", "100"].map(str::to_owned).to_vec();
        let stack = Stack::start(StackOptions { origin_flags, ..StackOptions::default() }).await?;
        let late = stack.client.copy(&long(1)).await?;
        ensure!((late.status, late.code().as_str()) == (504, "deadline_exceeded"), "{late:?}");
        let streamed = stack.client.copy(&with(long(2), json!({"stream": true}))).await?.events()?;
        let Some(Event::Error(problem)) = streamed.last() else { anyhow::bail!("{streamed:?}") };
        ensure!(problem.code == Code::DeadlineExceeded, "{problem:?}");
        stack.stop().await
    })
}

#[test]
fn a_caller_that_has_less_time_is_told_so_and_the_origin_gives_its_blocks_back() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let metrics = Client::new(stack.origin.url());
        let in_time = |path, body: Value| {
            Answer::of(stack.client.request(Method::POST, path).header(DEADLINE, "300").json(&body))
        };
        let late = in_time("/v1/copy", long(1)).await?;
        ensure!((late.status, late.code().as_str()) == (504, "deadline_exceeded"), "{late:?}");
        let streamed = in_time("/v1/copy", with(long(2), json!({"stream": true}))).await?.events()?;
        let Some(Event::Error(problem)) = streamed.last() else { anyhow::bail!("{streamed:?}") };
        ensure!(problem.code == Code::DeadlineExceeded, "{problem:?}");
        let batch = in_time("/v1/copy/batch", json!({"briefs": [long(3)]})).await?;
        ensure!(batch.json()["problem"]["code"] == "deadline_exceeded", "{batch:?}");
        running::until(&metrics, Duration::from_secs(1), |running| running == 0.0).await?;
        ensure!(running::held_blocks(&metrics).await? == 0.0, "its blocks are free");
        stack.stop().await
    })
}

#[test]
fn copy_that_cannot_be_is_not_returned() -> anyhow::Result<()> {
    run(async {
        let stack = Stack::start(StackOptions::default()).await?;
        let ask = async |fields: Value| stack.client.copy(&with(brief(1), fields)).await;
        // The tiny model does not know that a hashtag begins with its sign.
        let broken = ask(json!({"channel": "instagram", "seed": 1})).await?;
        ensure!((broken.status, broken.code().as_str()) == (500, "constraint_unsatisfied"), "{broken:?}");
        let streamed = ask(json!({"channel": "instagram", "seed": 1, "stream": true})).await?.events()?;
        let Some(Event::Error(problem)) = streamed.last() else { anyhow::bail!("{streamed:?}") };
        ensure!(problem.code == Code::ConstraintUnsatisfied, "{problem:?}");
        let wide = ask(json!({"channel": "sms", "must_include": ["kvass 飲"]})).await?;
        ensure!((wide.status, wide.code().as_str()) == (422, "infeasible_constraints"), "{wide:?}");
        let terms: Vec<String> = (0..10).map(|index| format!("{index}{}", "w".repeat(59))).collect();
        let crowded = ask(json!({"channel": "landing_hero", "must_include": terms})).await?;
        ensure!((crowded.status, crowded.code().as_str()) == (422, "infeasible_constraints"), "{crowded:?}");
        // Its context is too short for nine texts of that length.
        let long = ask(json!({"channel": "amazon"})).await?;
        ensure!((long.status, long.code().as_str()) == (422, "infeasible_constraints"), "{long:?}");
        stack.stop().await
    })
}
