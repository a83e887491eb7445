//! The threads that queries run on, apart from those that hear clients, timers and signals: a query that does not
//! give way holds up other queries, and nothing else.

use futures::{Stream, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::engine::STACK_BYTES;
use crate::error::{Error, Result};

/// How many items of an answer are made before the client has taken the first of them.
const AHEAD: usize = 2;

/// Threads for queries.
pub struct Workers(Option<Runtime>);

impl Workers {
    /// So many threads.
    pub fn new(threads: usize) -> Result<Workers> {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(threads).thread_stack_size(STACK_BYTES).thread_name("query");
        let runtime = runtime.enable_all().build();
        runtime
            .map(|runtime| Workers(Some(runtime)))
            .map_err(|e| Error::unavailable(format!("cannot start the threads of queries: {e}")))
    }

    /// What comes of some work done there. It is given up when the answer is not waited for any more.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let mut task = self.spawn(work);
        task.join_next().await.ok_or_else(gone)?.map_err(|e| failed(&e))
    }

    /// Items that are made there, some ahead of their being taken; `mistaken` stands for those that will not come since
    /// making them failed for a mistake of the program. They are given up when the stream is dropped, and at `end`,
    /// whether somebody waits for them or not.
    pub fn stream<T: Send + 'static>(
        &self,
        items: impl Stream<Item = T> + Send + 'static,
        end: Option<Instant>,
        mistaken: impl Fn(Error) -> T + Send + 'static,
    ) -> impl Stream<Item = T> + Send + 'static {
        let (made, taken) = mpsc::channel(AHEAD);
        let making = async move {
            let mut items = std::pin::pin!(items);
            while let Some(item) = items.next().await {
                if made.send(item).await.is_err() {
                    return;
                }
            }
        };
        let task = self.spawn(async move {
            match end {
                Some(end) => _ = timeout_at(end, making).await,
                None => making.await,
            }
        });
        stream::unfold((taken, task, mistaken), |(mut taken, mut task, mistaken)| async move {
            if let Some(item) = taken.recv().await {
                return Some((item, (taken, task, mistaken)));
            }
            let error = task.join_next().await?.err()?;
            Some((mistaken(failed(&error)), (taken, task, mistaken)))
        })
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinSet<T> {
        let mut task = JoinSet::new();
        if let Some(runtime) = &self.0 {
            task.spawn_on(work, runtime.handle());
        }
        task
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // What does not give way is not waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn gone() -> Error {
    Error::unavailable("the server is stopping")
}

fn failed(error: &JoinError) -> Error {
    match error.is_panic() {
        true => Error::internal("the query failed in a way that it should not"),
        false => gone(),
    }
}

#[cfg(test)]
mod tests {
    //! Proves that answers come from there, that a mistake is no end, and that what is not waited for is given up.

    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn answers_come_from_other_threads() {
        let workers = Workers::new(1).unwrap();
        let name = workers.run(async { std::thread::current().name().map(ToString::to_string) }).await;
        assert_eq!(name.unwrap().as_deref(), Some("query"));
        let items: Vec<i32> = workers.stream(stream::iter(1..=5), None, |_| -1).collect().await;
        assert_eq!(items, [1, 2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn a_mistake_is_told_and_is_no_end() {
        let workers = Workers::new(1).unwrap();
        let items = stream::iter(1..=3).map(|item| if item == 3 { panic!("a mistake") } else { item });
        let items: Vec<i32> = workers.stream(items, None, |_| -1).collect().await;
        assert_eq!(items, [1, 2, -1]);
    }

    #[tokio::test]
    async fn what_never_gives_way_holds_up_nobody_else() {
        let workers = Workers::new(1).unwrap();
        let stuck = workers.run(async { std::thread::sleep(Duration::from_secs(3)) });
        assert!(tokio::time::timeout(Duration::from_millis(50), stuck).await.is_err());
    }

    #[tokio::test]
    async fn what_is_not_waited_for_is_given_up() {
        let workers = Workers::new(1).unwrap();
        let held = Arc::new(());
        let holds = held.clone();
        let endless = stream::iter(0..).map(move |item| (item, holds.clone()));
        let mut items = Box::pin(workers.stream(endless, None, |_| (-1, Arc::new(()))));
        assert_eq!(items.next().await.unwrap().0, 0);
        drop(items);
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn what_nobody_takes_is_given_up_at_its_end() {
        let workers = Workers::new(1).unwrap();
        let held = Arc::new(());
        let holds = held.clone();
        let endless = stream::iter(0..).map(move |_| holds.clone()).map(|held| Arc::downgrade(&held));
        let end = Some(Instant::now() + Duration::from_millis(50));
        let items = workers.stream(endless, end, |_| std::sync::Weak::new());
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(items.count().await, AHEAD);
    }
}
