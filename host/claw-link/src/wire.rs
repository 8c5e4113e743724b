//! A WebSocket as a byte stream. Binary frames are the bytes; text frames go to and from a
//! bounded queue beside it. Has no task of its own: whoever drives the bytes drives both.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::frames::MAX_FRAME;

/// The longest binary frame that is written, in bytes.
const LONGEST_WRITE: usize = 64 * 1024;

/// Control frames that nobody has read yet. A burst arrives in one poll, before any reader runs;
/// beyond this, or beyond so many bytes of them, the link has failed.
const UNREAD_CONTROL: usize = 1024;
const UNREAD_BYTES: usize = 4 * MAX_FRAME;

/// The other end is given so long to say that it closes too.
const CLOSING: Duration = Duration::from_secs(2);

/// What both ends set: no frame beyond 1 MiB is taken, and beside the longest control frame no
/// more than 128 KiB wait to be written.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_frame_size(Some(1 << 20))
        .max_message_size(Some(1 << 20))
        .write_buffer_size(LONGEST_WRITE)
        .max_write_buffer_size(MAX_FRAME + 2 * LONGEST_WRITE)
}

/// A control frame that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The other end has gone, or the link has failed.
    #[error("the link has ended")]
    Ended,
    /// The other end would take it for an attack.
    #[error("a control frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
}

/// The text frames of a link.
#[derive(Debug)]
pub struct Control {
    out: mpsc::Sender<String>,
    arrived: mpsc::Receiver<String>,
    unread: Arc<AtomicUsize>,
}

impl Control {
    /// Sends a text frame; waits while too many are on their way.
    ///
    /// # Errors
    /// The link has ended, or the frame is too long for it.
    pub async fn send(&self, text: String) -> Result<(), NotSent> {
        if text.len() > MAX_FRAME {
            return Err(NotSent::TooLong(text.len()));
        }
        self.out.send(text).await.map_err(|_| NotSent::Ended)
    }

    /// The next text frame; nothing once the link has ended.
    pub async fn next(&mut self) -> Option<String> {
        let text = self.arrived.recv().await?;
        self.unread.fetch_sub(text.len(), Ordering::Relaxed);
        Some(text)
    }
}

/// The binary frames of a link, as bytes.
#[derive(Debug)]
pub struct Wire<S> {
    socket: WebSocketStream<S>,
    unread: Bytes,
    ended: bool,
    arrived: mpsc::Sender<String>,
    unread_control: Arc<AtomicUsize>,
    out: mpsc::Receiver<String>,
    /// A text frame that the socket has not yet taken.
    waiting: VecDeque<String>,
    out_open: bool,
    unflushed: bool,
    closing: Option<Pin<Box<Sleep>>>,
}

/// The two halves of a WebSocket.
pub fn split<S>(socket: WebSocketStream<S>) -> (Wire<S>, Control) {
    let (arrived, receiver) = mpsc::channel(UNREAD_CONTROL);
    let (sender, out) = mpsc::channel(UNREAD_CONTROL);
    let unread_control = Arc::new(AtomicUsize::new(0));
    let wire = Wire {
        socket,
        unread: Bytes::new(),
        ended: false,
        arrived,
        unread_control: unread_control.clone(),
        out,
        waiting: VecDeque::new(),
        out_open: true,
        unflushed: false,
        closing: None,
    };
    let control = Control {
        out: sender,
        arrived: receiver,
        unread: unread_control,
    };
    (wire, control)
}

fn failed(error: tokio_tungstenite::tungstenite::Error) -> io::Error {
    io::Error::other(error)
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Sends the text frames that can be sent now, and what was written before.
    fn pump(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.out_open {
            if self.waiting.is_empty() {
                match self.out.poll_recv(cx) {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        self.out_open = false;
                        break;
                    }
                    Poll::Ready(Some(text)) => self.waiting.push_back(text),
                }
            }
            match Pin::new(&mut self.socket).poll_ready(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(ready) => ready.map_err(failed)?,
            }
            if let Some(text) = self.waiting.pop_front() {
                Pin::new(&mut self.socket).start_send(Message::text(text)).map_err(failed)?;
                self.unflushed = true;
            }
        }
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            flushed.map_err(failed)?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn send(&mut self, cx: &mut Context<'_>, bytes: impl FnOnce() -> Bytes) -> Poll<io::Result<usize>> {
        self.pump(cx)?;
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(failed)?;
        let bytes = bytes();
        let taken = bytes.len();
        Pin::new(&mut self.socket)
            .start_send(Message::Binary(bytes))
            .map_err(failed)?;
        Poll::Ready(Ok(taken))
    }

    fn hear(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Binary(bytes) => self.unread = bytes,
            Message::Text(text) if text.len() > MAX_FRAME => return Err(refused("a control frame is too long")),
            Message::Text(text) => {
                let waiting = self.unread_control.fetch_add(text.len(), Ordering::Relaxed);
                let sent = self.arrived.try_send(text.as_str().to_owned());
                if waiting > UNREAD_BYTES || matches!(sent, Err(mpsc::error::TrySendError::Full(_))) {
                    return Err(refused("control frames arrive faster than they are read"));
                }
                // Where nobody listens to control any more, the calls under way may still end.
            }
            Message::Close(_) => self.ended = true,
            // The library answers pings by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.pump(cx)?;
        while this.unread.is_empty() {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut this.socket).poll_next(cx)) {
                None => this.ended = true,
                Some(message) => this.hear(message.map_err(failed)?)?,
            }
        }
        let taken = this.unread.split_to(this.unread.len().min(buf.remaining()));
        buf.put_slice(&taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.send(cx, || Bytes::copy_from_slice(bytes.get(..LONGEST_WRITE).unwrap_or(bytes)))
    }

    /// HTTP/2 writes the head of a frame and its payload as two; together they are one frame here.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.send(cx, || {
            let whole: usize = slices.iter().map(|slice| slice.len()).sum();
            let mut bytes = BytesMut::with_capacity(whole.min(LONGEST_WRITE));
            for slice in slices {
                let room = LONGEST_WRITE - bytes.len();
                bytes.extend_from_slice(slice.get(..room).unwrap_or(slice));
            }
            bytes.freeze()
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pump(cx)?;
        ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(failed)?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Waits until the other end closes too: a socket that is dropped with bytes unread is reset,
    /// and what was written last would be lost with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.socket).poll_close(cx)).map_err(failed)?;
            this.closing = Some(Box::pin(tokio::time::sleep(CLOSING)));
        }
        while !this.ended {
            match Pin::new(&mut this.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Close(_))) | Some(Err(_)) | None) => this.ended = true,
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Pending => {
                    let closing = this.closing.as_mut().map(|closing| closing.as_mut().poll(cx));
                    if closing.is_some_and(|closing| closing.is_pending()) {
                        return Poll::Pending;
                    }
                    this.ended = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
