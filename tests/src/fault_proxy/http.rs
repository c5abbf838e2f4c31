//! As much HTTP/1.1 as a gateway needs that answers by itself.

/// Whether these bytes are a whole request, whose body is as long as its head says.
pub(super) fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some(head_bytes) = request.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body_bytes: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    request.len() >= head_bytes + 4 + body_bytes
}

/// A gateway's own page, the connection's last answer.
pub(super) fn answer(status: u16) -> Vec<u8> {
    let page = format!("<h1>{status}</h1>");
    let head = "content-type: text/html\r\nconnection: close";
    format!("HTTP/1.1 {status} Away\r\n{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len()).into_bytes()
}
