//! One process group from start to end: bounded output, a deadline, and nobody left behind,
//! also when the future that waits is dropped.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How much a process may write, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) stdout: usize,
    pub(crate) stderr: usize,
}

/// What a process wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
}

/// The first bytes of a stream.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cut: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NotEnded {
    /// It could not be started.
    Start(std::io::Error),
    /// It ran past its deadline and was killed.
    Deadline,
    /// It could not be waited for.
    Wait(std::io::Error),
}

/// How long output may trickle in once the process has ended and its group is dead: only a
/// descendant that left the group could still hold the pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// Kills the group when dropped. The child is not reaped before that, so that the group's
/// number cannot be another's by then.
struct Group {
    child: Child,
    pid: Pid,
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            kill(self.pid);
        }
    }
}

/// Runs it to its end, its output's cap, or its deadline, whichever is first. Past the cap
/// of standard output it is killed; the status is then that of the signal.
pub(crate) async fn run(mut command: Command, stdin: Option<String>, caps: Caps, deadline: Instant) -> Result<Ended, NotEnded> {
    command
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(NotEnded::Start)?;
    let gone = || NotEnded::Wait(std::io::Error::other("the process has no number"));
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
        .ok_or_else(gone)?;
    let (input, mut output, mut errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut group = Group { child, pid };

    let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
    let streams = async {
        let write = async {
            if let (Some(mut pipe), Some(text)) = (input, stdin) {
                // A process that reads no more is no failure.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        let read = async {
            capture(output.as_mut(), caps.stdout, &mut stdout).await;
            // Killed before the pipe is closed, so that its status is always the same.
            if stdout.cut {
                kill(pid);
            }
        };
        let note = async {
            capture(errors.as_mut(), caps.stderr, &mut stderr).await;
            discard(errors).await;
        };
        tokio::join!(write, read, note);
    };
    let work = async {
        let exit = exited(pid);
        tokio::pin!(streams, exit);
        tokio::select! {
            biased;
            () = &mut streams => exit.await,
            () = &mut exit => {
                kill(pid);
                let _ = tokio::time::timeout(DRAIN, &mut streams).await;
            }
        }
        // Whoever it left behind, also where it closed its output first.
        kill(pid);
        group.child.wait().await
    };
    let status = match tokio::time::timeout_at(deadline, work).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(NotEnded::Wait(error)),
        Err(_) => return Err(NotEnded::Deadline),
    };
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(Ended { status, stdout, stderr })
}

/// Waits until it is over, and leaves it to be reaped.
async fn exited(pid: Pid) {
    let wait = move || rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    // Ends with the process, which the group's guard ends at the latest.
    let _ = tokio::task::spawn_blocking(wait).await;
}

fn kill(group: Pid) {
    // Fails only where nobody is left to be killed.
    let _ = kill_process_group(group, Signal::KILL);
}

async fn capture(stream: Option<impl AsyncRead + Unpin>, cap: usize, into: &mut Captured) {
    let Some(stream) = stream else { return };
    // One byte more than the cap tells a full stream from one that goes on.
    let mut stream = stream.take(cap as u64 + 1);
    while into.bytes.len() <= cap {
        match stream.read_buf(&mut into.bytes).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    into.cut = into.bytes.len() > cap;
    into.bytes.truncate(cap);
}

async fn discard(stream: Option<impl AsyncRead + Unpin>) {
    if let Some(mut stream) = stream {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}
