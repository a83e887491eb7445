//! Being told to stop: a run gives up what it is doing, is recorded, and publishes nothing.

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::error::{Error, Kind, Result};

/// Whether the runs of a lake have been told to stop; a clone is told with it.
#[derive(Clone, Debug, Default)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Tells the runs to stop. What is published by then stays published.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// An error once it was asked for.
    pub(super) fn check(&self) -> Result<()> {
        if *self.0.borrow() { Err(interrupted()) } else { Ok(()) }
    }

    /// What `work` gives, unless it is asked to stop before that; it is then given up where it stands.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.asked() => Err(interrupted()),
            done = work => done,
        }
    }

    async fn asked(&self) {
        // The sender is here, so that this ends only when it was asked.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await.is_ok();
    }

    /// Asks to stop when the process is told to end, by SIGINT or SIGTERM, while what this gives lives. Told
    /// once more, the process ends at once.
    pub(super) fn listen(&self) -> Listening {
        let stop = self.clone();
        let task = tokio::spawn(async move {
            if told_to_end().await.is_ok() {
                stop.ask();
                end_at_once_when_told();
            }
        });
        Listening(task.abort_handle())
    }
}

/// Signals are heard as long as this lives.
pub(super) struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
        end_at_once_when_told();
    }
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted: readers see the lake as before")
        .hint("the next run takes up what was done")
}

/// Waits until the process is told to end. An error if that cannot be heard.
#[cfg(unix)]
pub async fn told_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits until the process is told to end. An error if that cannot be heard.
#[cfg(not(unix))]
pub async fn told_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Gives the signals their own meaning again: what waits for them has heard of them, or is gone.
fn end_at_once_when_told() {
    // Sound: the default action is no code of this program.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    //! Proves that work is given up when it is asked to stop, and not before.

    use super::*;

    #[tokio::test]
    async fn work_ends_by_itself_or_when_it_is_asked_to_stop() {
        let stop = Stop::default();
        assert_eq!(stop.unless(async { Ok(1) }).await.unwrap(), 1);
        stop.check().unwrap();
        let asked = stop.clone();
        let endless = async {
            asked.ask();
            std::future::pending::<Result<()>>().await
        };
        let error = stop.unless(endless).await.unwrap_err();
        assert_eq!(error.message(), "interrupted: readers see the lake as before");
        assert_eq!(stop.check().unwrap_err().message(), error.message());
        assert!(stop.unless(async { Ok(1) }).await.is_err());
    }
}
