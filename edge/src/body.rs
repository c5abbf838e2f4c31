//! Reading bodies piece by piece, up to a limit.

use std::pin::pin;

use adlib_shared::problem::{Code, Problem};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyStream;

/// How much of a body that is too large is read and thrown away, in bytes.
pub const DISCARD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Checks that a request announces JSON as it is, not compressed.
///
/// # Errors
/// `unsupported_media_type`, with what is announced instead.
fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail: &str| Problem::new(Code::UnsupportedMediaType, detail);
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(unsupported("the body is taken without a content encoding"));
    }
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = given.split_once(';').unwrap_or((given, ""));
    let utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    if kind.trim().eq_ignore_ascii_case("application/json") && parameters.split(';').all(utf8) {
        return Ok(());
    }
    Err(unsupported("the content type has to be application/json in UTF-8"))
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError<E> {
    /// It is longer than the limit; the rest was not read.
    TooLarge,
    /// The connection failed.
    Failed(E),
}

/// Collects pieces up to `bytes_max` in all, and stops at the first byte beyond.
///
/// Where the length is announced, the stream is not asked for its end: each question is a round trip to the runtime.
///
/// # Errors
/// [`ReadError::TooLarge`], or what the stream itself fails with.
pub async fn collect<E>(
    pieces: impl Stream<Item = Result<Bytes, E>>,
    announced: Option<usize>,
    bytes_max: usize,
) -> Result<Bytes, ReadError<E>> {
    let mut pieces = pin!(pieces);
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut length = 0;
    while announced != Some(length) {
        let Some(piece) = pieces.next().await else { break };
        let piece = piece.map_err(ReadError::Failed)?;
        length = piece.len().saturating_add(length);
        if length > bytes_max {
            return Err(ReadError::TooLarge);
        }
        // Most bodies come in one piece, which then need not be copied.
        match first.take() {
            None if all.is_empty() => first = Some(piece),
            None => all.extend_from_slice(&piece),
            Some(start) => {
                all.extend_from_slice(&start);
                all.extend_from_slice(&piece);
            }
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Reads the body of a request that is JSON.
///
/// # Errors
/// `unsupported_media_type` for anything else, and what keeps the body from being read.
pub async fn json<B>(headers: &HeaderMap, body: B, bytes_max: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
{
    expect_json(headers)?;
    read(headers, body, bytes_max).await
}

/// Reads the body of a request.
///
/// What is too large is read on for a while and thrown away piece by piece, so that a client that writes all of its body
/// before it reads gets the answer instead of a reset connection.
///
/// # Errors
/// `too_large` beyond `bytes_max`; `malformed_json` where the client broke off.
async fn read<B>(headers: &HeaderMap, body: B, bytes_max: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
{
    let frames = BodyStream::new(body);
    let mut pieces = pin!(frames.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())));
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let outcome = if announced.is_some_and(|length| length > bytes_max) {
        Err(ReadError::TooLarge)
    } else {
        collect(&mut pieces, announced, bytes_max).await
    };
    match outcome {
        Ok(bytes) => Ok(bytes),
        Err(ReadError::Failed(_)) => Err(Problem::new(Code::MalformedJson, "the body broke off")),
        Err(ReadError::TooLarge) => {
            // A client that asked first (RFC 9110, section 10.1.1) has not begun to send.
            if !headers.contains_key(EXPECT) {
                discard(&mut pieces).await;
            }
            Err(Problem::new(Code::TooLarge, format!("at most {bytes_max} bytes are taken")))
        }
    }
}

/// Reads up to [`DISCARD_BYTES_MAX`] and keeps none of it.
async fn discard<E>(mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let mut discarded = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        discarded += piece.len();
        if discarded > DISCARD_BYTES_MAX {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::stream;

    fn pieces(lengths: &[usize]) -> impl Stream<Item = Result<Bytes, &'static str>> {
        stream::iter(lengths.iter().map(|&length| Ok(Bytes::from(vec![b'a'; length]))).collect::<Vec<_>>())
    }

    #[test]
    fn pieces_are_joined_up_to_the_limit_and_refused_one_byte_beyond() {
        for (lengths, whole) in
            [(&[][..], Some(0)), (&[8], Some(8)), (&[9], None), (&[4, 4], Some(8)), (&[4, 0, 4, 1], None)]
        {
            let collected = block_on(collect(pieces(lengths), None, 8)).ok().map(|bytes| bytes.len());
            assert_eq!(collected, whole, "{lengths:?}");
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_limit() {
        let endless = stream::repeat(Ok::<_, &str>(Bytes::from_static(&[0; 1024])));
        assert_eq!(block_on(collect(endless, None, 100_000)), Err(ReadError::TooLarge));
    }

    fn announced(length: &str) -> HeaderMap {
        let value = http::HeaderValue::from_str(length).expect("a header value");
        HeaderMap::from_iter([(CONTENT_LENGTH, value)])
    }

    /// How a body of so many pieces of 1 KiB is read, and how many of them are taken.
    fn taken(headers: &HeaderMap, count: usize, bytes_max: usize) -> (Option<Code>, usize) {
        let taken = std::cell::Cell::new(0);
        let pieces = (0..count).map(|_| {
            taken.set(taken.get() + 1);
            Ok::<_, &str>(http_body::Frame::data(Bytes::from_static(&[b'a'; 1024])))
        });
        let body = http_body_util::StreamBody::new(stream::iter(pieces));
        (block_on(read(headers, body, bytes_max)).err().map(|problem| problem.code), taken.get())
    }

    #[test]
    fn a_body_over_the_limit_is_read_to_its_end_or_to_the_discards_own_limit() {
        let none = HeaderMap::new();
        assert_eq!(taken(&none, 4, 4096), (None, 4));
        assert_eq!(taken(&none, 9, 4096), (Some(Code::TooLarge), 9));
        assert_eq!(taken(&announced("9216"), 9, 4096), (Some(Code::TooLarge), 9));
        let (code, pieces) = taken(&none, 100_000, 4096);
        assert_eq!((code, pieces), (Some(Code::TooLarge), 5 + DISCARD_BYTES_MAX / 1024 + 1));
    }

    #[test]
    fn a_body_of_a_known_length_is_not_asked_for_its_end() {
        assert_eq!(taken(&announced("2048"), 9, 4096), (None, 2));
        assert_eq!(taken(&announced("0"), 9, 4096), (None, 0));
    }

    #[test]
    fn a_client_that_asks_before_it_sends_is_not_read_at_all() {
        let mut headers = announced("4097");
        headers.insert(EXPECT, http::HeaderValue::from_static("100-continue"));
        assert_eq!(taken(&headers, 9, 4096), (Some(Code::TooLarge), 0));
    }

    #[test]
    fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err("reset")]);
        assert_eq!(block_on(collect(broken, None, 8)), Err(ReadError::Failed("reset")));
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        for (value, taken) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=\"utf-8\"; x=y", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(value))]);
            assert_eq!(expect_json(&headers).is_ok(), taken, "{value:?}");
        }
        assert!(expect_json(&HeaderMap::new()).is_err());
        let mut packed =
            HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]);
        packed.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        assert!(expect_json(&packed).is_err());
    }
}
