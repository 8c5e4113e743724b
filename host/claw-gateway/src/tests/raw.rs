//! A client that sends any bytes at all, as an attacker would.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Answer, Door, PATIENCE, is_clean};

/// An open connection.
pub(super) struct Raw(pub(super) TcpStream);

impl Raw {
    pub(super) async fn connect(door: &Door) -> Self {
        Raw(TcpStream::connect(door.address).await.unwrap())
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything until the server closes.
    pub(super) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        bytes
    }

    /// Reads until this text has come; everything so far.
    pub(super) async fn read_until(&mut self, text: &str) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&bytes).contains(text) {
                assert_ne!(
                    self.0.read_buf(&mut bytes).await.unwrap(),
                    0,
                    "{}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Sends these bytes and reads the one answer that comes before the server closes.
pub(super) async fn exchange(door: &Door, bytes: impl AsRef<[u8]>) -> Answer {
    let mut raw = Raw::connect(door).await;
    raw.write(bytes).await;
    parse(&raw.read_to_end().await)
}

/// A request of these lines, with the door's own host unless there is one, and no more to come.
pub(super) fn request(door: &Door, line: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        text += &format!("host: {}\r\n", door.address);
    }
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text + "connection: close\r\n\r\n" + body
}

/// The bytes as an answer.
pub(super) fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    };
    let headers: HeaderMap = lines.filter_map(pair).collect();
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
        headers,
        text: body.to_owned(),
    }
}

/// As [`exchange`], with the looks that every answer of a handler stands.
pub(super) async fn clean_exchange(door: &Door, bytes: impl AsRef<[u8]>) -> Answer {
    let answer = exchange(door, bytes).await;
    is_clean(&answer);
    answer
}
