//! Each fault before a server that answers every byte with ten.

use std::time::Instant;

use super::*;

const ANSWER: &[u8; 10] = b"0123456789";

async fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(ANSWER).await.is_ok() {}
            });
        }
    });
    address
}

/// A proxy with a fault, and a connection over it that has sent a byte.
async fn asked(fault: Fault) -> (FaultProxy, TcpStream) {
    let proxy = FaultProxy::start(server().await).await.expect("a proxy");
    proxy.set(fault);
    let mut client = TcpStream::connect(proxy.address()).await.expect("a connection");
    // A connection that is reset at once may be so before.
    _ = client.write_all(b"?").await;
    (proxy, client)
}

/// What comes, and how it ends; `TimedOut` where it does not.
async fn read(client: &mut TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(Duration::from_millis(200), client.read_to_end(&mut bytes));
    let ended = match reading.await {
        Ok(ended) => ended.map(|_| ()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    (bytes, ended)
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let pause = Duration::from_millis(10);
    for (fault, bytes, end) in [
        (Fault::None, 10, Some(io::ErrorKind::TimedOut)),
        (Fault::Latency(pause), 10, Some(io::ErrorKind::TimedOut)),
        (Fault::Drip { bytes: 3, pause }, 10, Some(io::ErrorKind::TimedOut)),
        (Fault::Reset, 0, Some(io::ErrorKind::ConnectionReset)),
        (Fault::ResetAfter(0), 0, Some(io::ErrorKind::ConnectionReset)),
        (Fault::ResetAfter(10), 10, Some(io::ErrorKind::TimedOut)),
        (Fault::TruncateAfter(4), 4, None),
        (Fault::TruncateAfter(10), 10, Some(io::ErrorKind::TimedOut)),
        (Fault::HalfCloseAfter(4), 4, None),
        (Fault::Silence, 0, Some(io::ErrorKind::TimedOut)),
    ] {
        let (_proxy, mut client) = asked(fault).await;
        let (read, ended) = read(&mut client).await;
        assert_eq!((read.len(), ended.err().map(|error| error.kind())), (bytes, end), "{fault:?}");
        assert_eq!(read, ANSWER[..bytes], "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_meets_open_connections_and_ends_when_it_is_taken_back() {
    let (proxy, mut client) = asked(Fault::Silence).await;
    assert!(read(&mut client).await.0.is_empty());
    proxy.set(Fault::None);
    assert_eq!(read(&mut client).await.0, ANSWER);
    proxy.set(Fault::Reset);
    let ended = read(&mut client).await.1;
    assert_eq!(ended.expect_err("it is reset").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_drop_takes_its_pause() {
    let pause = Duration::from_millis(20);
    let (_proxy, mut client) = asked(Fault::Drip { bytes: 1, pause }).await;
    let begun = Instant::now();
    let mut answer = [0; ANSWER.len()];
    client.read_exact(&mut answer).await.expect("all of it");
    assert!(begun.elapsed() >= pause * 9, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_gateway_answers_whole_requests_by_itself() {
    let (_proxy, mut client) = asked(Fault::Status(502)).await;
    for piece in ["POST / HTTP/1.1\r\nContent-", "Length: 4\r\n\r\nab", "cd"] {
        assert!(read(&mut client).await.0.is_empty(), "before {piece:?}");
        client.write_all(piece.as_bytes()).await.expect("it is open");
    }
    let (answer, ended) = read(&mut client).await;
    assert!(ended.is_ok() && answer.starts_with(b"HTTP/1.1 502 ") && answer.ends_with(b"<h1>502</h1>"));
}
