//! Reading a request's body within limits of size and time.

use std::time::Duration;

use adlib_shared::problem::{Code, Problem};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// Longest time from a request's head to the end of its body.
pub const BODY_READ_MAX: Duration = Duration::from_secs(30);
/// Bytes beyond the limit that are read and thrown away before the refusal is sent, so that a client that writes its
/// whole body before it reads gets the answer instead of a reset connection.
pub const BODY_DISCARD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The whole body, at most `bytes_max`.
///
/// # Errors
/// `too_large` as soon as the declared or the read size exceeds the limit; `malformed_json` where the body breaks
/// off; `deadline_exceeded` where it does not arrive within [`BODY_READ_MAX`].
pub async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_slow = || {
        let detail = format!("the body did not arrive within {} s", BODY_READ_MAX.as_secs());
        Problem::new(Code::DeadlineExceeded, detail)
    };
    tokio::time::timeout(BODY_READ_MAX, collect(headers, body, bytes_max)).await.map_err(|_| too_slow())?
}

async fn collect(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max as u64) {
        // A client that asked first has not begun to send.
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body).await;
        }
        return Err(too_large(bytes_max));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::MalformedJson, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            discard(&mut body).await;
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

async fn discard(body: &mut Body) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > BODY_DISCARD_BYTES_MAX {
            break;
        }
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("the body may have at most {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::{BODY_READ_MAX, Code, read};
    use axum::body::Body;
    use axum::http::{HeaderMap, HeaderValue, header};
    use bytes::Bytes;
    use futures::stream;

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> =
            sizes.iter().map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size]))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_at_the_limit_is_read_and_one_past_it_refused() {
        assert_eq!(read(&HeaderMap::new(), chunks(&[6, 4]), 10).await.unwrap().len(), 10);
        let problem = read(&HeaderMap::new(), chunks(&[6, 5]), 10).await.unwrap_err();
        assert_eq!(problem.code, Code::TooLarge);
    }

    #[tokio::test]
    async fn a_declared_size_past_the_limit_is_refused_before_anything_is_kept() {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static("11"))]);
        assert_eq!(read(&headers, chunks(&[]), 10).await.unwrap_err().code, Code::TooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_runs_out_of_time() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let started = tokio::time::Instant::now();
        assert_eq!(read(&HeaderMap::new(), endless, 10).await.unwrap_err().code, Code::DeadlineExceeded);
        assert_eq!(started.elapsed().as_secs(), BODY_READ_MAX.as_secs());
    }
}
