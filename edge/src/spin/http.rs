//! Requests and replies between the runtime's form and the edge's.
//!
//! The kit converts them too, but asks the runtime for more than is needed here and copies each header three times, which
//! is a tenth of what a hit takes.

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::uri::{self, Authority, PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Scheme, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

use crate::client_address::CLIENT_ADDRESS;
use crate::reply::Body;

/// What the names of the runtime's own headers begin with.
const RUNTIMES: &str = "spin-";
/// Most of a request's body that is read at once, in bytes.
const READ_BYTES_MAX: usize = 16 * 1024;

/// A request as the edge reads it. Its URI has a scheme only where that is HTTPS.
pub(super) fn request(
    request: types::Request,
) -> Result<Request<impl http_body::Body<Data = Bytes, Error = ErrorCode>>, ErrorCode> {
    let mut head = Request::new(()).into_parts().0;
    head.method = Method::try_from(request.get_method()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    head.uri = uri(&request).ok_or(ErrorCode::HttpRequestUriInvalid)?;
    head.headers = headers(&request).ok_or(ErrorCode::HttpProtocolError)?;
    Ok(Request::from_parts(head, body(request)))
}

fn uri(request: &types::Request) -> Option<Uri> {
    let mut parts = uri::Parts::default();
    parts.path_and_query = request.get_path_with_query().map(PathAndQuery::try_from).transpose().ok()?;
    if matches!(request.get_scheme(), Some(Scheme::Https)) {
        parts.scheme = Some(uri::Scheme::HTTPS);
        parts.authority = request.get_authority().map(Authority::try_from).transpose().ok()?;
    }
    Uri::from_parts(parts).ok()
}

/// The headers but for those of the runtime that the edge has no use for.
fn headers(request: &types::Request) -> Option<HeaderMap> {
    let fields = request.get_headers().copy_all();
    let mut headers = HeaderMap::try_with_capacity(fields.len()).ok()?;
    for (name, value) in fields {
        if name.starts_with(RUNTIMES) && name != CLIENT_ADDRESS {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?;
        headers.try_append(HeaderName::from_bytes(name.as_bytes()).ok()?, value).ok()?;
    }
    Some(headers)
}

/// How far a request's body has been read.
enum Source {
    Unopened(types::Request),
    Open(Pieces),
    Ended,
}

/// An open body.
struct Pieces {
    bytes: StreamReader<u8>,
    trailers: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    /// What tells the runtime that the body was not wanted; it says that all is well when it is dropped.
    _outcome: FutureWriter<Result<(), ErrorCode>>,
}

impl Pieces {
    fn open(request: types::Request) -> Self {
        let (outcome, told) = wit_future::new(|| Ok(()));
        let (bytes, trailers) = types::Request::consume_body(request, told);
        Self { bytes, trailers, _outcome: outcome }
    }
}

/// The body of a request. The runtime is asked for it by who reads it.
fn body(request: types::Request) -> impl http_body::Body<Data = Bytes, Error = ErrorCode> {
    let pieces = stream::unfold(Source::Unopened(request), |source| async {
        let mut pieces = match source {
            Source::Unopened(request) => Pieces::open(request),
            Source::Open(pieces) => pieces,
            Source::Ended => return None,
        };
        let (result, piece) = pieces.bytes.read(Vec::with_capacity(READ_BYTES_MAX)).await;
        match result {
            StreamResult::Complete(_) => Some((Ok(Frame::data(piece.into())), Source::Open(pieces))),
            StreamResult::Dropped | StreamResult::Cancelled => {
                let error = pieces.trailers.await.err()?;
                Some((Err(error), Source::Ended))
            }
        }
    });
    StreamBody::new(pieces)
}

/// A reply as the runtime reads it. Its body is written by a task of its own, which the runtime lets go on after this.
pub(super) fn response(response: Response<Body>) -> Result<types::Response, ErrorCode> {
    let (head, body) = response.into_parts();
    let fields =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let fields = Fields::from_list(&fields.collect::<Vec<_>>()).map_err(internal)?;
    let (bytes, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Err(internal("the reply was left before its end")));
    let (response, _) = types::Response::new(fields, Some(contents), trailers);
    if head.status != StatusCode::OK {
        response.set_status_code(head.status.as_u16()).map_err(|()| internal("no such status"))?;
    }
    spawn(async move {
        if let Some(outcome) = write(body, bytes).await {
            // Where nobody waits for the end there is nobody to tell.
            let _ = end.write(outcome.map(|()| None)).await;
        }
    });
    Ok(response)
}

/// Writes a body to its end, or to where it fails; `None` where the client leaves before.
async fn write(body: Body, mut to: StreamWriter<u8>) -> Option<Result<(), ErrorCode>> {
    let mut pieces = match body {
        Body::Whole(bytes) if bytes.is_empty() => return Some(Ok(())),
        Body::Whole(bytes) => return to.write_all(bytes.into()).await.is_empty().then_some(Ok(())),
        Body::Pieces(pieces) => pieces,
    };
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => {
                if !to.write_all(piece.into()).await.is_empty() {
                    return None;
                }
            }
            Err(error) => return Some(Err(internal(error))),
        }
    }
    Some(Ok(()))
}

fn internal(error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::InternalError(Some(error.to_string()))
}
