//! Several futures at once, on threads of their own: planning a query is work too.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use tokio::runtime::Handle;

use super::Lake;
use crate::error::{Error, Result};

/// Waits for all futures, so many at a time, and gives what they give, in their order; the first error is the
/// error.
pub(super) fn all<T, F>(lake: &Lake, futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    each(lake, futures).into_iter().collect()
}

/// The same with every success and every error. When the lake is told to stop, what is not done is given up.
///
/// They may borrow what they work on. Needs a runtime of several threads.
pub(super) fn each<T, F>(lake: &Lake, futures: impl IntoIterator<Item = F>) -> Vec<Result<T>>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let left: VecDeque<(usize, F)> = futures.into_iter().enumerate().collect();
    let threads = lake.engine.threads().min(left.len());
    let left = Mutex::new(left);
    let runtime = Handle::current();
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut done = Vec::new();
        while let Some((place, future)) = next() {
            done.push((place, runtime.block_on(lake.stop.unless(future))));
        }
        done
    };
    let mut done = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let stopped = |_| vec![(usize::MAX, Err(Error::internal("a thread stopped")))];
            let joined = workers.into_iter().map(|worker| worker.join().unwrap_or_else(stopped));
            joined.flatten().collect::<Vec<_>>()
        })
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, given)| given).collect()
}

/// Waits for all futures on the thread at hand and gives what they give, or the first error. None is given up
/// because of another's error: the storage layer panics where it reads on for a process that is at its end.
pub(super) async fn joined<T>(
    futures: impl IntoIterator<Item: Future<Output = Result<T>>>,
) -> Result<Vec<T>> {
    join_all(futures).await.into_iter().collect()
}
