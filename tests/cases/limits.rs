//! Rate limits, at the limit and one past it.

use adlib_tests::{Client, Origin, OriginOptions, Stack, StackOptions};
use anyhow::ensure;
use serde_json::json;

use crate::support::{brief, run, with};

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
            let request = stack.anonymous.request(reqwest::Method::POST, "/v1/copy");
            let request =
                request.header("spin-client-addr", format!("203.0.113.{spoofed}:1")).json(&brief(1));
            let answer = adlib_tests::Answer::of(request).await?;
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
