//! Both ends of a link over real sockets: what was found to stall or kill one, each by its name.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use claw_link::frames::{Frame, Heartbeat, MAX_FRAME};
use claw_link::{Asking, Control, Fate, NotAnswered, NotSent, ask, serve, split, websocket_config};
use futures::future::join_all;
use http::{Request, Response, StatusCode};
use http_body::Frame as Piece;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Whatever takes longer never happens.
const LONG: Duration = Duration::from_secs(60);

type Answer = UnsyncBoxBody<Bytes, h2::Error>;

/// What the node's handlers have done.
#[derive(Default)]
struct Done {
    calls: AtomicUsize,
    /// Handlers and bodies that have ended, in whichever way.
    dropped: AtomicUsize,
    /// Bytes of bodies that were made.
    made: AtomicU64,
}

struct Guard(Arc<Done>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn endless(done: Arc<Done>, piece: &'static [u8]) -> Answer {
    let guard = Guard(done);
    let pieces = futures::stream::unfold(guard, move |guard| async move {
        // As tokens come: one at a time, and others may run in between.
        tokio::task::yield_now().await;
        guard.0.made.fetch_add(piece.len() as u64, Ordering::SeqCst);
        Some((Ok(Piece::data(Bytes::from_static(piece))), guard))
    });
    UnsyncBoxBody::new(StreamBody::new(Box::pin(pieces)))
}

fn whole(bytes: Bytes) -> Answer {
    UnsyncBoxBody::new(Full::new(bytes).map_err(|never| match never {}))
}

async fn node_answers(request: Request<Incoming>, done: Arc<Done>) -> Result<Response<Answer>, h2::Error> {
    static BLOCK: [u8; 64 << 10] = [7; 64 << 10];
    done.calls.fetch_add(1, Ordering::SeqCst);
    let body = match request.uri().path() {
        "/echo" => whole(request.into_body().collect().await.unwrap().to_bytes()),
        "/blocks" => endless(done, &BLOCK),
        "/tokens" => endless(done, b"data: hi\n\n"),
        // Something that it asked for had been refused.
        "/refused" => return Err(h2::Reason::REFUSED_STREAM.into()),
        "/refused-later" => UnsyncBoxBody::new(StreamBody::new(futures::stream::iter([Err(
            h2::Reason::REFUSED_STREAM.into()
        )]))),
        "/long" => whole(Bytes::from_static(&BLOCK).repeat(64).into()),
        "/never" => {
            let _guard = Guard(done);
            std::future::pending().await
        }
        _ => {
            return Ok(Response::builder()
                .status(StatusCode::NOT_FOUND)
                .body(whole(Bytes::new()))
                .unwrap());
        }
    };
    Ok(Response::new(body))
}

struct Pair {
    gateway: Asking<Full<Bytes>>,
    of_gateway: Control,
    of_node: Control,
    connection: JoinHandle<hyper::Result<()>>,
    node: JoinHandle<hyper::Result<()>>,
    drain: tokio::sync::oneshot::Sender<()>,
    done: Arc<Done>,
}

/// A gateway that listens, and a node that has dialled it.
async fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let done = Arc::new(Done::default());
    let dialled = tokio::spawn(async move {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let url = format!("ws://{address}/v1/node");
        let (socket, _) = tokio_tungstenite::client_async_with_config(url, socket, Some(websocket_config()))
            .await
            .unwrap();
        socket
    });
    let (socket, _) = listener.accept().await.unwrap();
    socket.set_nodelay(true).unwrap();
    let accepted = tokio_tungstenite::accept_async_with_config(socket, Some(websocket_config()))
        .await
        .unwrap();
    let (wire, of_node) = split(dialled.await.unwrap());
    let answers = done.clone();
    let serving = serve(wire, service_fn(move |request| node_answers(request, answers.clone())));
    let (drain, drained) = tokio::sync::oneshot::channel::<()>();
    let node = tokio::spawn(async move {
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            ended = serving.as_mut() => return ended,
            Ok(()) = drained => serving.as_mut().graceful_shutdown(),
        }
        serving.await
    });
    let (wire, of_gateway) = split(accepted);
    let (gateway, connection) = ask(wire).await.unwrap();
    Pair {
        gateway,
        of_gateway,
        of_node,
        connection: tokio::spawn(connection),
        node,
        drain,
        done,
    }
}

fn call(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(format!("http://node{path}"))
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

impl Pair {
    async fn begin(&self, path: &str) -> Result<Response<Incoming>, NotAnswered<Full<Bytes>>> {
        timeout(LONG, self.gateway.clone().call(call(path, "hi"))).await.unwrap()
    }

    async fn echo(&self) -> Bytes {
        let answer = self.begin("/echo").await.unwrap();
        timeout(LONG, answer.into_body().collect()).await.unwrap().unwrap().to_bytes()
    }

    async fn until(&self, what: &str, mut true_now: impl FnMut(&Done) -> bool) {
        let waited = timeout(LONG, async {
            while !true_now(&self.done) {
                sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(waited.await.is_ok(), "it never came to this: {what}");
    }
}

#[tokio::test]
async fn calls_run_beside_one_another_and_control_frames_beside_them() {
    let mut pair = pair().await;
    let all = join_all((0..200).map(|_| pair.echo())).await;
    assert!(all.iter().all(|answer| answer == "hi"));
    let beat = Frame::Heartbeat(Heartbeat { in_flight: 3, queued: 0 });
    pair.of_node.send(beat.encode()).await.unwrap();
    let heard = timeout(LONG, pair.of_gateway.next()).await.unwrap().unwrap();
    assert_eq!(Frame::decode(&heard).unwrap(), beat);
    // The other way, while no call is under way.
    pair.of_gateway.send("{}".to_owned()).await.unwrap();
    assert_eq!(timeout(LONG, pair.of_node.next()).await.unwrap().as_deref(), Some("{}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_stall_no_other_call_and_take_no_memory_without_end() {
    let pair = pair().await;
    let unread: Vec<_> = join_all((0..100).map(|_| pair.begin("/blocks"))).await;
    let unread: Vec<_> = unread.into_iter().map(Result::unwrap).collect();
    // Made until what may be in flight is full; then nothing more.
    pair.until("what may be in flight was made", |done| {
        done.made.load(Ordering::SeqCst) >= 100 << 18
    })
    .await;
    let mut before = 0;
    loop {
        sleep(Duration::from_millis(200)).await;
        let made = pair.done.made.load(Ordering::SeqCst);
        if made == before {
            break;
        }
        before = made;
    }
    let each = before / 100;
    assert!(each <= 1 << 20, "{each} bytes of each were made, and nobody reads");
    assert_eq!(pair.echo().await, "hi");
    drop(unread);
    pair.until("all were told", |done| done.dropped.load(Ordering::SeqCst) == 100)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_passes_whole() {
    let pair = pair().await;
    let mut body = pair.begin("/blocks").await.unwrap().into_body();
    let mut read = 0;
    while read < 200_000_000 {
        let piece = timeout(LONG, body.frame())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap();
        assert!(piece.iter().all(|byte| *byte == 7));
        read += piece.len();
    }
    let ahead = pair.done.made.load(Ordering::SeqCst) - read as u64;
    assert!(ahead < 2 << 20, "{ahead} bytes wait between the two ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_nobody_reads_do_not_end_the_link() {
    let pair = pair().await;
    let unread = join_all((0..64).map(|_| pair.begin("/tokens"))).await;
    assert!(unread.iter().all(Result::is_ok));
    pair.until("each has made more than may be in flight", |done| {
        done.made.load(Ordering::SeqCst) >= 64 * 200_000
    })
    .await;
    assert_eq!(pair.echo().await, "hi");
    assert!(!pair.connection.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_tokens_that_are_given_up_do_not_end_the_link() {
    let pair = pair().await;
    for round in 0..50 {
        let streams = join_all((0..40).map(|_| pair.begin("/tokens"))).await;
        for stream in streams {
            let mut body = stream.unwrap().into_body();
            let first = timeout(LONG, body.frame()).await.unwrap().unwrap();
            if first.is_err() {
                let ends = (pair.connection.await, pair.node.await);
                assert!(first.is_ok(), "round {round}: {ends:?} {first:?}");
                return;
            }
        }
    }
    pair.until("all were told", |done| done.dropped.load(Ordering::SeqCst) == 2_000)
        .await;
    assert_eq!(pair.echo().await, "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_dropped_unread_do_not_end_the_link() {
    let pair = pair().await;
    for _ in 0..100 {
        let answers = join_all((0..64).map(|_| pair.begin("/echo"))).await;
        assert!(answers.iter().all(Result::is_ok));
    }
    assert_eq!(pair.echo().await, "hi");
}

#[tokio::test]
async fn whoever_stops_waiting_ends_the_work() {
    let pair = pair().await;
    let mut gateway = pair.gateway.clone();
    let waits = tokio::spawn(async move { gateway.call(call("/never", "")).await.map(drop) });
    pair.until("the call has arrived", |done| done.calls.load(Ordering::SeqCst) == 1)
        .await;
    waits.abort();
    pair.until("the handler has ended", |done| done.dropped.load(Ordering::SeqCst) == 1)
        .await;
    assert_eq!(pair.echo().await, "hi");
}

#[tokio::test]
async fn what_a_handler_was_refused_is_not_a_refusal_of_the_call() {
    let pair = pair().await;
    let failed = pair.begin("/refused").await.unwrap_err();
    assert_eq!(failed.fate, Fate::Unknown, "{failed:?}");
    match pair.begin("/refused-later").await {
        Ok(answer) => assert!(answer.into_body().collect().await.is_err()),
        Err(failed) => assert_eq!(failed.fate, Fate::Unknown, "{failed:?}"),
    }
    assert_eq!(pair.done.calls.load(Ordering::SeqCst), 2);
    assert_eq!(pair.echo().await, "hi");
}

#[tokio::test]
async fn an_answer_that_is_under_way_when_a_node_drains_arrives_whole() {
    let pair = pair().await;
    let answer = pair.begin("/long").await.unwrap();
    pair.drain.send(()).unwrap();
    let body = timeout(LONG, answer.into_body().collect()).await.unwrap().unwrap().to_bytes();
    assert_eq!(body.len(), 64 * (64 << 10));
    timeout(LONG, pair.node).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_longest_control_frame_passes_and_a_longer_one_is_not_sent() {
    let mut pair = pair().await;
    let longest = "x".repeat(MAX_FRAME);
    for _ in 0..3 {
        pair.of_node.send(longest.clone()).await.unwrap();
        assert_eq!(
            timeout(LONG, pair.of_gateway.next()).await.unwrap().as_deref(),
            Some(longest.as_str())
        );
    }
    let longer = format!("{longest}x");
    assert_eq!(pair.of_node.send(longer).await, Err(NotSent::TooLong(MAX_FRAME + 1)));
    assert_eq!(pair.echo().await, "hi");
    // Few, and too much together.
    for _ in 0..16 {
        if pair.of_node.send(longest.clone()).await.is_err() {
            break;
        }
    }
    let why = format!("{:?}", timeout(LONG, pair.connection).await.unwrap().unwrap());
    assert!(why.contains("faster than they are read"), "{why}");
}

#[tokio::test]
async fn a_node_that_drains_finishes_what_runs_and_gives_the_rest_back() {
    let pair = pair().await;
    let mut body = pair.begin("/tokens").await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    pair.drain.send(()).unwrap();
    // Until the gateway has heard of it, calls may still be taken.
    let refused = timeout(LONG, async {
        loop {
            let mut gateway = pair.gateway.clone();
            match gateway.call(call("/echo", "hi")).await {
                Ok(answer) => drop(answer.into_body().collect().await.unwrap()),
                Err(refused) => break refused,
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(refused.fate, Fate::NotMade, "{refused:?}");
    assert!(refused.request.is_some(), "it can be made elsewhere");
    assert!(body.frame().await.unwrap().is_ok(), "what runs goes on");
    drop(body);
    timeout(LONG, pair.node).await.unwrap().unwrap().unwrap();
    timeout(LONG, pair.connection).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_link_that_breaks_says_what_may_have_been_made() {
    let pair = pair().await;
    let mut gateway = pair.gateway.clone();
    let waits = tokio::spawn(async move { gateway.call(call("/never", "")).await });
    let mut body = pair.begin("/tokens").await.unwrap().into_body();
    pair.until("both have arrived", |done| done.calls.load(Ordering::SeqCst) == 2)
        .await;
    pair.node.abort();
    let lost = timeout(LONG, waits).await.unwrap().unwrap().unwrap_err();
    assert_eq!((lost.fate, lost.request.is_some()), (Fate::Unknown, false), "{lost:?}");
    let torn = timeout(LONG, async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                other => break other,
            }
        }
    });
    assert!(
        matches!(torn.await.unwrap(), Some(Err(_))),
        "a torn answer is not a whole one"
    );
    let _ = timeout(LONG, pair.connection).await.unwrap().unwrap();
    assert!(pair.gateway.is_closed());
    let late = pair.gateway.clone().call(call("/echo", "hi")).await.unwrap_err();
    assert_eq!((late.fate, late.request.is_some()), (Fate::NotMade, true), "{late:?}");
}

#[tokio::test]
async fn control_frames_that_nobody_reads_end_the_link() {
    let pair = pair().await;
    let sends = async {
        loop {
            if pair
                .of_node
                .send("{\"type\":\"heartbeat\",\"in_flight\":0}".to_owned())
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let ended = tokio::select! {
        ended = pair.connection => ended.unwrap(),
        () = sends => Ok(()),
        () = sleep(LONG) => Ok(()),
    };
    let why = format!("{:?}", ended.unwrap_err());
    assert!(why.contains("faster than they are read"), "{why}");
}

/// A gateway's end whose other end sends these bytes in binary frames; how it ended.
async fn beside(frames: Vec<tokio_tungstenite::tungstenite::Message>) -> String {
    use futures::SinkExt as _;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let ours = tokio_tungstenite::WebSocketStream::from_raw_socket(
        ours,
        tokio_tungstenite::tungstenite::protocol::Role::Server,
        Some(websocket_config()),
    )
    .await;
    let mut theirs =
        tokio_tungstenite::WebSocketStream::from_raw_socket(theirs, tokio_tungstenite::tungstenite::protocol::Role::Client, None)
            .await;
    let (wire, _control) = split(ours);
    let (_gateway, connection) = ask::<_, Full<Bytes>>(wire).await.unwrap();
    let connection = tokio::spawn(connection);
    for frame in frames {
        let _ = theirs.send(frame).await;
    }
    let ended = timeout(LONG, connection).await.unwrap().unwrap();
    format!("{ended:?}")
}

#[tokio::test]
async fn what_is_no_http_2_and_what_is_too_long_ends_the_link_with_a_word() {
    use tokio_tungstenite::tungstenite::Message;
    let garbage = beside(vec![Message::Binary(Bytes::from_static(&[0xFF; 4096]))]).await;
    assert!(garbage.starts_with("Err("), "{garbage}");
    let text = beside(vec![Message::text("x".repeat((1 << 20) + 1))]).await;
    assert!(text.contains("too long") || text.contains("TooLong"), "{text}");
    let binary = beside(vec![Message::Binary(vec![0; (1 << 20) + 1].into())]).await;
    assert!(binary.contains("too long") || binary.contains("TooLong"), "{binary}");
    let closed = beside(vec![Message::Close(None)]).await;
    assert!(!closed.contains("panic"), "{closed}");
}
