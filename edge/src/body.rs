//! Reading bodies piece by piece, up to a limit.

use std::pin::pin;

use adlib_shared::problem::{Code, Problem};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyStream;

/// Checks that a request announces JSON as it is, not compressed.
///
/// # Errors
/// `unsupported_media_type`, with what is announced instead.
pub fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
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
/// # Errors
/// [`ReadError::TooLarge`], or what the stream itself fails with.
pub async fn collect<E>(
    pieces: impl Stream<Item = Result<Bytes, E>>,
    bytes_max: usize,
) -> Result<Bytes, ReadError<E>> {
    let mut pieces = pin!(pieces);
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(ReadError::Failed)?;
        let before = first.as_ref().map_or(0, Bytes::len) + all.len();
        if before.saturating_add(piece.len()) > bytes_max {
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

/// Reads the body of a request.
///
/// # Errors
/// `too_large` beyond `bytes_max`, without reading at all where `Content-Length` already says so;
/// `malformed_json` where the client broke off.
pub async fn read<B>(headers: &HeaderMap, body: B, bytes_max: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
{
    let too_large = || Problem::new(Code::TooLarge, format!("at most {bytes_max} bytes are taken"));
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    let frames = BodyStream::new(body);
    let pieces = frames.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()));
    collect(pieces, bytes_max).await.map_err(|error| match error {
        ReadError::TooLarge => too_large(),
        ReadError::Failed(_) => Problem::new(Code::MalformedJson, "the body broke off"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::stream;
    use http_body_util::Full;

    fn pieces(lengths: &[usize]) -> impl Stream<Item = Result<Bytes, &'static str>> {
        stream::iter(lengths.iter().map(|&length| Ok(Bytes::from(vec![b'a'; length]))).collect::<Vec<_>>())
    }

    #[test]
    fn pieces_are_joined_up_to_the_limit_and_refused_one_byte_beyond() {
        for (lengths, whole) in
            [(&[][..], Some(0)), (&[8], Some(8)), (&[9], None), (&[4, 4], Some(8)), (&[4, 0, 4, 1], None)]
        {
            let collected = block_on(collect(pieces(lengths), 8)).ok().map(|bytes| bytes.len());
            assert_eq!(collected, whole, "{lengths:?}");
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_limit() {
        let endless = stream::repeat(Ok::<_, &str>(Bytes::from_static(&[0; 1024])));
        assert_eq!(block_on(collect(endless, 100_000)), Err(ReadError::TooLarge));
    }

    #[test]
    fn an_announced_length_over_the_limit_is_refused_before_reading() {
        let headers = |length: &'static str| {
            HeaderMap::from_iter([(CONTENT_LENGTH, http::HeaderValue::from_static(length))])
        };
        let body = || Full::new(Bytes::from_static(b"{}"));
        assert_eq!(
            block_on(read(&headers("9"), body(), 8)).expect_err("over the limit").code,
            Code::TooLarge
        );
        assert!(block_on(read(&headers("8"), body(), 8)).is_ok());
    }

    #[test]
    fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err("reset")]);
        assert_eq!(block_on(collect(broken, 8)), Err(ReadError::Failed("reset")));
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
