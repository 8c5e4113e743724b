//! A body whose small pieces are put together while its reader is behind, or while they come in
//! a flood. HTTP/2 keeps a budget for tiny frames and ends the whole link when it is spent, which
//! streams of tokens would do. A piece that comes after a pause is never held back.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// Pieces are put together up to this, in bytes.
const ENOUGH: usize = 16 * 1024;

/// What is shorter counts against the budget, in bytes.
const TINY: usize = 256;

/// Tiny pieces leave so far apart. Models speak slower than that.
const APART: Duration = Duration::from_millis(2);

/// A handler, or the body of an answer, has failed. It stands for the cause in words alone: HTTP/2
/// resets a call with a reason that it finds among the causes, and a node whose own upstream had
/// refused a call would say that it had never looked at ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(String);

impl Failed {
    pub(crate) fn of(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Failed(cause.into().to_string())
    }
}

/// A body, in as few pieces as wait for being read. Empty pieces are left out.
pub struct Coalesced<B> {
    inner: B,
    held: Gathered,
    left: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
    /// What came after the pieces that were put together.
    next: Option<Result<Frame<Bytes>, Failed>>,
    ended: bool,
}

impl<B> Coalesced<B> {
    /// Of this body.
    pub fn new(inner: B) -> Self {
        Coalesced {
            inner,
            held: Gathered::None,
            left: None,
            pause: None,
            next: None,
            ended: false,
        }
    }

    fn leave(&mut self) -> Option<Bytes> {
        (self.left, self.pause) = (Some(Instant::now()), None);
        std::mem::take(&mut self.held).into_bytes()
    }

    /// Waits until a tiny piece may leave.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.left.map(|left| left + APART) else {
            return Poll::Ready(());
        };
        if self.held.len() >= TINY || Instant::now() >= due {
            return Poll::Ready(());
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        pause.as_mut().poll(cx)
    }
}

impl<B> Body for Coalesced<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        let this = &mut *self;
        let waits = loop {
            if this.ended || this.next.is_some() || this.held.len() >= ENOUGH {
                break false;
            }
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Pending => break true,
                Poll::Ready(None) => this.ended = true,
                Poll::Ready(Some(Err(error))) => (this.next, this.ended) = (Some(Err(Failed::of(error))), true),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.held.push(data),
                    Err(trailers) => this.next = Some(Ok(trailers)),
                },
            }
        };
        if waits && (this.held.len() == 0 || this.poll_pause(cx).is_pending()) {
            return Poll::Pending;
        }
        Poll::Ready(match this.leave() {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None => this.next.take(),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.held.len() == 0 && (self.ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        let rest = if self.ended {
            SizeHint::with_exact(0)
        } else {
            self.inner.size_hint()
        };
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + held);
        }
        whole
    }
}

/// One piece stays as it is; several are copied together.
#[derive(Default)]
enum Gathered {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    fn len(&self) -> usize {
        match self {
            Gathered::None => 0,
            Gathered::One(bytes) => bytes.len(),
            Gathered::Many(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, more: Bytes) {
        match self {
            _ if more.is_empty() => {}
            Gathered::None => *self = Gathered::One(more),
            Gathered::One(first) => {
                let mut bytes = BytesMut::with_capacity(TINY.max(first.len() + more.len()));
                bytes.extend_from_slice(first);
                bytes.extend_from_slice(&more);
                *self = Gathered::Many(bytes);
            }
            Gathered::Many(bytes) => bytes.extend_from_slice(&more),
        }
    }

    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Gathered::None => None,
            Gathered::One(bytes) => Some(bytes),
            Gathered::Many(bytes) => Some(bytes.freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    type Piece = Result<Frame<Bytes>, &'static str>;

    fn data(text: &'static str) -> Piece {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    async fn pieces(given: Vec<Option<Piece>>) -> Vec<String> {
        // `None` is a moment in which nothing is there.
        let stream = futures::stream::iter(given).then(|piece| async {
            if piece.is_none() {
                tokio::task::yield_now().await;
            }
            piece
        });
        let mut body = Coalesced::new(StreamBody::new(Box::pin(stream.filter_map(futures::future::ready))));
        let mut heard = Vec::new();
        while let Some(frame) = body.frame().await {
            heard.push(match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    Err(_) => "(trailers)".to_owned(),
                },
                Err(error) => format!("({error})"),
            });
        }
        assert!(body.is_end_stream());
        heard
    }

    #[tokio::test]
    async fn what_is_there_comes_together_and_what_is_not_is_not_waited_for() {
        let there = vec![Some(data("a")), Some(data("")), Some(data("b")), None, Some(data("c"))];
        assert_eq!(pieces(there).await, ["ab", "c"]);
        assert_eq!(pieces(vec![Some(data("")), None, Some(data(""))]).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_flood_of_tiny_pieces_leaves_in_few() {
        let mut flood = Vec::new();
        for _ in 0..2_000 {
            flood.extend([Some(data("x")), None]);
        }
        let began = Instant::now();
        let heard = pieces(flood).await;
        assert_eq!(heard.concat().len(), 2_000);
        let most = 2 + began.elapsed().as_millis() / APART.as_millis();
        let tiny = heard.iter().filter(|piece| piece.len() < TINY).count();
        assert!(tiny as u128 <= most, "{tiny} tiny pieces where there may be {most}");
    }

    #[tokio::test]
    async fn trailers_and_errors_come_after_what_was_before_them() {
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        assert_eq!(pieces(vec![Some(data("a")), Some(trailers)]).await, ["a", "(trailers)"]);
        let broken = vec![Some(data("a")), Some(data("b")), Some(Err("broken"))];
        assert_eq!(pieces(broken).await, ["ab", "(broken)"]);
    }
}
