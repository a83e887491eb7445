//! Several futures at once, on threads of their own: planning a query is work too.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use tokio::runtime::Handle;

use super::Lake;
use crate::error::{Error, Result};

/// Waits for all futures, so many at a time, and gives what they give, in their order; the first error is the
/// error. When the lake is told to stop, what is not done is given up.
///
/// They may borrow what they work on. Needs a runtime of several threads.
pub(super) fn all<T, F>(lake: &Lake, futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let left: VecDeque<(usize, F)> = futures.into_iter().enumerate().collect();
    let threads = lake.engine.threads().min(left.len());
    let left = Mutex::new(left);
    let runtime = Handle::current();
    let next = || locked(&left).pop_front();
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

/// Does one task for each of `waits`, so many at a time as the engine has memory for. A task is ready when those it
/// waits for, which stand before it, are done; of the ready ones that goes first on which the longest chain waits.
/// `begin` gives its future, `end` takes what that gives.
///
/// After an error no task is begun, and what was begun is waited for; the error is that of the first task.
pub(super) fn in_turn<T, F>(
    lake: &Lake,
    waits: &[BTreeSet<usize>],
    begin: impl Fn(usize) -> F + Sync,
    end: impl Fn(T) + Sync,
) -> Result<()>
where
    F: Future<Output = Result<T>>,
{
    let progress = Mutex::new(Progress { left: longest_chains_first(waits), ..Progress::default() });
    let (changed, runtime) = (Condvar::new(), Handle::current());
    let next = || {
        let mut progress = locked(&progress);
        while progress.errors.is_empty() && !progress.left.is_empty() {
            match progress.left.iter().position(|task| waits[*task].is_subset(&progress.done)) {
                Some(ready) => return Some(progress.left.remove(ready)),
                None => progress = changed.wait(progress).unwrap_or_else(PoisonError::into_inner),
            }
        }
        None
    };
    let work = || {
        while let Some(task) = next() {
            let done = || runtime.block_on(lake.stop.unless(begin(task))).map(&end);
            let done = catch_unwind(AssertUnwindSafe(done));
            let mut progress = locked(&progress);
            match done.unwrap_or_else(|_| Err(Error::internal("a thread stopped"))) {
                Ok(()) => _ = progress.done.insert(task),
                Err(error) => progress.errors.push((task, error)),
            }
            changed.notify_all();
        }
    };
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            (0..lake.engine.steps_at_once().min(waits.len())).for_each(|_| _ = scope.spawn(work));
        });
    });
    let errors = progress.into_inner().unwrap_or_else(PoisonError::into_inner).errors;
    errors.into_iter().min_by_key(|(task, _)| *task).map_or(Ok(()), |(_, error)| Err(error))
}

/// The tasks by how many, one after the other, wait for them at most; equals in their order.
fn longest_chains_first(waits: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut waiting = vec![0; waits.len()];
    for (task, before) in waits.iter().enumerate().rev() {
        for before in before {
            waiting[*before] = waiting[*before].max(waiting[task] + 1);
        }
    }
    let mut tasks: Vec<usize> = (0..waits.len()).collect();
    tasks.sort_by_key(|task| Reverse(waiting[*task]));
    tasks
}

/// How far tasks have come.
#[derive(Default)]
struct Progress {
    /// Those that were not begun.
    left: Vec<usize>,
    done: BTreeSet<usize>,
    errors: Vec<(usize, Error)>,
}

/// What a mutex holds, also after a thread that held it has stopped.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for all futures on the thread at hand and gives what they give, or the first error. None is given up
/// because of another's error: the storage layer panics where it reads on for a process that is at its end.
pub(super) async fn joined<T>(
    futures: impl IntoIterator<Item: Future<Output = Result<T>>>,
) -> Result<Vec<T>> {
    join_all(futures).await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 waits for 3, which waits for 1; 2 waits for 0.
    #[test]
    fn on_what_goes_first_the_longest_chain_waits() {
        let waits = [vec![], vec![], vec![0], vec![1], vec![3]].map(|before| before.into_iter().collect());
        assert_eq!(longest_chains_first(&waits), [1, 0, 3, 2, 4]);
    }
}
