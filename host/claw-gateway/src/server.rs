//! Accepts connections, and stops in order: nothing new, a bounded time for what runs, then
//! an end. Reads no configuration and opens no port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::app::{App, Shared};
use crate::gateway::Gateway;
use crate::routes::router;

mod connection;
mod stall;

/// How many that are turned away are told why at once; more are just closed.
const MOST_TURNED_AWAY: usize = 64;
/// How long tasks may take to notice that they were dropped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves the gateway's HTTP door on `listener` until `shutdown` resolves or an operator
/// asks for it. Then nothing new is accepted, `/readyz` says 503 on connections that are
/// there, and calls that run may finish within `settings.drain_timeout`; what still runs
/// after that is dropped, and its audit entries are closed as `abandoned`.
///
/// # Errors
/// The listener has no address.
pub async fn serve(listener: TcpListener, gateway: Gateway, shutdown: impl Future) -> io::Result<()> {
    let app = App::new(gateway, listener.local_addr()?);
    tokio::select! {
        () = accept(&listener, &app) => {}
        _ = shutdown => app.stopping.cancel(),
        () = app.stopping.cancelled() => {}
    }
    drop(listener);
    drain(&app).await;
    Ok(())
}

async fn accept(listener: &TcpListener, app: &Shared) {
    let connections = Arc::new(Semaphore::new(app.gateway.settings.max_connections));
    let turned_away = Arc::new(Semaphore::new(MOST_TURNED_AWAY));
    let router = router(app);
    loop {
        let (stream, peer) = accepted(listener).await;
        // Small answers leave at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was closed before it was served");
            continue;
        }
        if let Ok(place) = Arc::clone(&connections).try_acquire_owned() {
            let (app, router) = (Arc::clone(app), router.clone());
            app.tasks.clone().spawn(async move {
                connection::serve(&app, router, stream, peer.ip()).await;
                drop(place);
            });
        } else if let Ok(place) = Arc::clone(&turned_away).try_acquire_owned() {
            let app = Arc::clone(app);
            app.tasks.clone().spawn(async move {
                connection::turn_away(&app, stream).await;
                drop(place);
            });
        }
    }
}

/// The next connection. Waits where the machine has no more descriptors to give.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused | Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted
    )
}

async fn drain(app: &App) {
    let bound = app.gateway.settings.drain_timeout;
    app.tasks.close();
    if tokio::time::timeout(bound, app.tasks.wait()).await.is_err() {
        tracing::warn!(tasks = app.tasks.len(), "calls did not end in time and are dropped");
        app.dropped.cancel();
        if tokio::time::timeout(LAST_WORDS, app.tasks.wait()).await.is_err() {
            tracing::error!(tasks = app.tasks.len(), "calls could not be ended");
        }
    }
}
