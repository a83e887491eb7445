//! Several futures at once, each on a thread of its own: planning a query is work too.

use tokio::runtime::Handle;

use crate::error::{Error, Result};

/// Waits for all futures and gives what they give, in their order; the first error is the error.
///
/// They may borrow what they work on. Needs a runtime of several threads.
pub(super) fn all<T, F>(futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let futures: Vec<F> = futures.into_iter().collect();
    let runtime = Handle::current();
    let wait = |future: F| runtime.block_on(future);
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = futures.into_iter().map(|future| scope.spawn(|| wait(future))).collect();
            let stopped = |_| Error::internal("a thread stopped");
            threads.into_iter().map(|thread| thread.join().map_err(stopped)?).collect()
        })
    })
}
