//! A provider that costs next to nothing: this bench as a second process, on one thread, with
//! answers that were made beforehand, in OpenAI's dialect.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::child::Child;

/// Says that this process is to be the provider, and how long its answers take, in ms.
const VARIABLE: &str = "CLAW_BENCH_FAKE_DELAY_MS";
/// Pieces of a streamed answer, and the time between two.
pub(crate) const PIECES: usize = 20;
const PACE: Duration = Duration::from_millis(2);

/// Starts one whose answers begin after this long.
pub(crate) fn start(delay: Duration) -> Child {
    Child::start(VARIABLE, &delay.as_millis().to_string())
}

/// Where this process is to be the provider, it is, and does not return.
pub(crate) fn be_one_if_asked() {
    let Ok(delay) = std::env::var(VARIABLE) else { return };
    let delay = Duration::from_millis(delay.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(place(delay)).await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, delay));
        }
    });
}

/// Where it listens: anywhere, or where the instant one was asked to for a peer's sake.
fn place(delay: Duration) -> String {
    let asked = std::env::var("CLAW_BENCH_FAKE_PORT").ok().filter(|_| delay.is_zero());
    format!("127.0.0.1:{}", asked.as_deref().unwrap_or("0"))
}

fn whole() -> Vec<u8> {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"fake","choices":[{"index":0,"message":{"role":"assistant","content":"Twelve tickets were open on Monday, four of them about billing; all but one were answered within a day.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":24,"total_tokens":204}}"#;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn piece(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// Nanoseconds since 1970, which both ends of a stream can read.
pub(crate) fn now_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

async fn serve(mut stream: TcpStream, delay: Duration) {
    stream.set_nodelay(true).unwrap();
    let whole = whole();
    let mut pending: Vec<u8> = Vec::with_capacity(8 << 10);
    loop {
        let end = loop {
            if let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !matches!(stream.read_buf(&mut pending).await, Ok(1..)) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&pending[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
        while pending.len() < end + length {
            if !matches!(stream.read_buf(&mut pending).await, Ok(1..)) {
                return;
            }
        }
        let streams = pending[end..end + length]
            .windows(13)
            .any(|window| window == b"\"stream\":true");
        pending.drain(..end + length);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let sent = match streams {
            false => stream.write_all(&whole).await,
            true => pieces(&mut stream).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn pieces(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let event = |delta: &str, finish: &str| {
        piece(&format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"fake\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
        ))
    };
    for _ in 0..PIECES {
        // When it left, for whoever reads it.
        let content = format!("\"content\":\"at {} \"", now_nanos());
        stream.write_all(&event(&content, "null")).await?;
        tokio::time::sleep(PACE).await;
    }
    stream.write_all(&event("", "\"stop\"")).await?;
    let usage = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"fake\",\"choices\":[],\"usage\":{\"prompt_tokens\":180,\"completion_tokens\":24,\"total_tokens\":204}}\n\n";
    stream.write_all(&piece(usage)).await?;
    stream.write_all(&piece("data: [DONE]\n\n")).await?;
    stream.write_all(b"0\r\n\r\n").await
}
