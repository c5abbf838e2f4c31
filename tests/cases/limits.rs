//! Limits on requests and on what they may take: rates, the queue, the deadline, what a channel allows.

use std::time::{Duration, Instant};

use adlib_shared::deadline::DEADLINE;
use adlib_shared::event::Event;
use adlib_shared::problem::Code;
use adlib_tests::{
    Answer, Client, Edge, EdgeOptions, Origin, OriginOptions, RedisServer, Stack, StackOptions,
};
use anyhow::ensure;
use futures::future::join_all;
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
fn two_edges_on_one_redis_let_a_limit_pass_and_not_one_more() -> anyhow::Result<()> {
    const RATE: u64 = 30;
    run(async {
        let redis = RedisServer::start().await?;
        let options = EdgeOptions::default().with("rate_per_minute", RATE.to_string());
        let options = options.with("redis_url", redis.url());
        let edges = [Edge::start(&options).await?, Edge::start(&options).await?];
        let begun = Instant::now();
        let asking = (0..60).map(|index| edges[index % 2].clients.client.get("/v1/channels"));
        let answers = join_all(asking).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let passed = answers.iter().filter(|answer| answer.status == 200).count() as u64;
        let refused = answers.iter().filter(|answer| answer.status == 429).count() as u64;
        // One more is due every two seconds, should the machine be so slow.
        let due = begun.elapsed().as_secs() * RATE / 60;
        ensure!((RATE..=RATE + due).contains(&passed) && passed + refused == 60, "{passed} of 60 passed");
        Ok(())
    })
}

#[test]
fn no_header_of_a_client_changes_the_address_that_is_limited() -> anyhow::Result<()> {
    run(async {
        let limits = [("failures_per_minute", "3"), ("address_rate_per_minute", "3")];
        let variables = limits.map(|(name, value)| (name, value.to_owned())).to_vec();
        let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await?;
        for (client, passes) in [(&stack.anonymous, 401), (&stack.client, 200)] {
            for request in 0..5 {
                let spoofed = format!("203.0.113.{request}");
                let asked = client
                    .request(Method::POST, "/v1/copy")
                    .header("spin-client-addr", format!("{spoofed}:1"))
                    .header("x-forwarded-for", &spoofed)
                    .header("x-real-ip", &spoofed)
                    .header("forwarded", format!("for={spoofed}"));
                let answer = Answer::of(asked.json(&brief(1))).await?;
                let expected = if request < 3 { passes } else { 429 };
                ensure!(answer.status == expected, "request {request}: {answer:?}");
            }
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
