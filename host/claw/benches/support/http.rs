//! The least that a load generator needs of HTTP/1.1: one connection that is kept, whole
//! requests made once, answers with a length.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request as bytes.
#[derive(Clone)]
pub(crate) struct Request {
    /// Where it goes.
    pub(crate) address: String,
    /// The whole of it.
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// A POST of JSON.
    pub(crate) fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        Request {
            address: address.to_owned(),
            bytes,
        }
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// What was read and not used yet.
    pub(crate) pending: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream,
            pending: Vec::with_capacity(16 << 10),
        }
    }

    /// Sends a request and reads its answer: the status and the body.
    pub(crate) async fn send(&mut self, request: &Request) -> (u16, Vec<u8>) {
        self.stream.write_all(&request.bytes).await.unwrap();
        let end = loop {
            if let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await;
        };
        let head = String::from_utf8_lossy(&self.pending[..end]).to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap_or("0")
            .trim()
            .parse()
            .unwrap();
        while self.pending.len() < end + length {
            self.more().await;
        }
        let body = self.pending[end..end + length].to_vec();
        self.pending.drain(..end + length);
        (status, body)
    }

    /// Reads some more.
    pub(crate) async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.pending).await.unwrap();
        assert!(read > 0, "the server hung up");
    }
}
