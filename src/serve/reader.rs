//! What stands behind every door: sessions that only read what is published, and bounds on what they take.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::CatalogProvider;
use datafusion::prelude::SessionContext;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::metrics::{Counted, Metrics, Outcome};
use super::names::Names;
use super::workers::Workers;
use super::{Cause, Door, Refusal};
use crate::contract::Layer;
use crate::engine::Catalogue;
use crate::error::{Error, Result};
use crate::run::Lake;
use crate::table::Publications;

/// How long what is published is taken for the newest where asking costs a request to an object store.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What is published, opened once for all clients.
pub struct Seen {
    /// The names of the tables.
    pub catalogue: Arc<Catalogue>,
    /// The tables that are there, by schema.
    pub tables: BTreeMap<String, BTreeSet<String>>,
    /// The version of `ops.publications`.
    pub version: Option<u64>,
}

/// Sessions over a lake, for all doors.
pub struct Reader {
    /// The lake.
    pub lake: Lake,
    /// What is counted.
    pub metrics: Metrics,
    /// Cancelled when the server takes nothing new any more.
    pub closing: CancellationToken,
    /// Cancelled when what still runs is given up.
    pub closed: CancellationToken,
    seen: Mutex<(Arc<Seen>, Instant)>,
    query_memory: usize,
    workers: Workers,
}

/// A session of one client.
pub struct Client {
    /// The session of the engine.
    pub context: Arc<SessionContext>,
    names: Arc<Names>,
}

impl Client {
    /// The version of `ops.publications` that its statements see since the last of them was prepared.
    pub fn version(&self) -> Option<u64> {
        self.names.seen().version
    }
}

impl Reader {
    /// Opens what is published.
    pub async fn open(lake: Lake) -> Result<Arc<Reader>> {
        let query_memory = lake.project.config.settings.serve.query_memory_bytes()?;
        let metrics = Metrics::new()?;
        let workers = Workers::new(lake.engine.threads())?;
        let seen = Arc::new(see(&lake).await?);
        metrics.published(seen.version);
        Ok(Arc::new(Reader {
            lake,
            metrics,
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            seen: Mutex::new((seen, Instant::now())),
            query_memory,
            workers,
        }))
    }

    /// A session of a client that may read these layers.
    pub async fn client(&self, layers: &BTreeSet<Layer>) -> Result<Client> {
        let names = Names::new(self.newest().await?, layers.clone());
        let context =
            self.lake.engine.client_session(names.clone() as Arc<dyn CatalogProvider>, self.query_memory)?;
        Ok(Client { context: Arc::new(context), names })
    }

    /// What is published now.
    pub async fn newest(&self) -> Result<Arc<Seen>> {
        let mut kept = self.seen.lock().await;
        let (seen, looked) = &mut *kept;
        if self.lake.store.is_lockable() || looked.elapsed() >= REMEMBERED {
            if Publications::is_newer_than(&self.lake.store, seen.version).await? {
                *seen = Arc::new(see(&self.lake).await?);
                self.metrics.published(seen.version);
            }
            *looked = Instant::now();
        }
        Ok(seen.clone())
    }

    /// Lets a client see what is published now, and gives its statement in words that every parser of SQL knows.
    pub async fn prepare(&self, client: &Client, statement: &str) -> Result<Option<String>> {
        client.names.follow(&self.newest().await?);
        self.lake.translate(&client.names.seen().catalogue, statement).await
    }

    /// How long a statement may take: as long as the settings say, or shorter.
    pub fn bound(&self, timeout: Option<Duration>) -> Option<Duration> {
        let settings = &self.lake.project.config.settings.serve;
        let bound = Some(settings.statement_timeout_seconds).filter(|seconds| *seconds > 0);
        bound.map(Duration::from_secs).into_iter().chain(timeout).min()
    }

    /// A statement that arrived at a door. Where `timeout` is given, its client wants no more time than that.
    pub fn statement(self: &Arc<Self>, door: Door, timeout: Option<Duration>) -> Statement {
        let settings = &self.lake.project.config.settings.serve;
        Statement {
            reader: self.clone(),
            door,
            started: Instant::now(),
            bound: self.bound(timeout),
            most_rows: Some(settings.max_rows).filter(|rows| *rows > 0),
            rows: 0,
            outcome: Some(Outcome::Cancelled),
            _running: self.metrics.begun(door),
        }
    }
}

/// What is published now, with every table opened that can be.
async fn see(lake: &Lake) -> Result<Seen> {
    let (catalogue, version) = lake.published_at_version().await?;
    let schemas = catalogue.schema_names();
    let named = schemas.iter().filter_map(|name| Some((name, catalogue.schema(name)?)));
    let opened = named.flat_map(|(name, schema)| {
        schema.table_names().into_iter().map(move |table| {
            let (schema, name) = (schema.clone(), name.clone());
            async move { schema.table(&table).await.is_ok_and(|t| t.is_some()).then_some((name, table)) }
        })
    });
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (schema, table) in futures::future::join_all(opened).await.into_iter().flatten() {
        tables.entry(schema).or_default().insert(table);
    }
    Ok(Seen { catalogue, tables, version })
}

/// One statement of a client, from its arrival to its last row.
pub struct Statement {
    reader: Arc<Reader>,
    door: Door,
    started: Instant,
    bound: Option<Duration>,
    most_rows: Option<u64>,
    rows: u64,
    /// How it ends, were it dropped now; none where it is not to be counted.
    outcome: Option<Outcome>,
    _running: Counted,
}

/// Rows on their way to a client.
type Rows<T, E> = Pin<Box<dyn Stream<Item = Result<T, E>> + Send>>;

impl Statement {
    /// When its time is over.
    pub fn end(&self) -> Option<Instant> {
        self.bound.map(|bound| self.started + bound)
    }

    fn is_late(&self) -> bool {
        self.end().is_some_and(|end| end <= Instant::now())
    }

    /// What comes of some work on it, unless its time is over before, or the server's.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            ended = work => ended,
            refusal = self.given_up() => Err(refusal),
        }
    }

    /// What comes of some work on it that is done by the threads of queries, unless its time is over before, or the
    /// server's.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.within(async { self.reader.workers.run(work).await? }).await
    }

    /// The rows of its answer as they come, so long as there is time for them, and not too many. `count` is how many
    /// rows an item has, `refuse` puts a refusal into the words of the protocol.
    pub fn rows<T: Send + 'static, E: Send + 'static>(
        self,
        rows: impl Stream<Item = Result<T, E>> + Send + 'static,
        count: fn(&T) -> usize,
        refuse: fn(Refusal) -> E,
    ) -> Rows<T, E> {
        let mistaken = move |error: Error| Err(refuse(error.into()));
        let end = self.end().map(Into::into);
        let rows: Rows<T, E> = Box::pin(self.reader.workers.stream(rows, end, mistaken));
        stream::unfold(Some((self, rows)), move |state| async move {
            let (mut statement, mut rows) = state?;
            match statement.next(&mut rows, count, refuse).await {
                Some(Ok(item)) => Some((Ok(item), Some((statement, rows)))),
                Some(Err(error)) => {
                    statement.outcome = Some(Outcome::Refused);
                    Some((Err(error), None))
                }
                None => {
                    statement.outcome = Some(Outcome::Done);
                    None
                }
            }
        })
        .boxed()
    }

    /// It ended without rows.
    pub fn done(mut self) {
        self.outcome = Some(Outcome::Done);
    }

    /// It ended with a refusal.
    pub fn refused(mut self) {
        self.outcome = Some(Outcome::Refused);
    }

    /// It is planned, and its rows are another request's: that one is counted.
    pub fn planned(mut self) {
        self.outcome = None;
    }

    async fn next<T, E>(
        &mut self,
        rows: &mut Rows<T, E>,
        count: fn(&T) -> usize,
        refuse: fn(Refusal) -> E,
    ) -> Option<Result<T, E>> {
        if self.is_late() {
            return Some(Err(refuse(self.too_late())));
        }
        // Most rows are there already, and need no timer.
        let next = match rows.next().now_or_never() {
            Some(next) => next,
            None => tokio::select! {
                next = rows.next() => next,
                refusal = self.given_up() => Some(Err(refuse(refusal))),
            },
        };
        // The threads of queries give up at the same time.
        if next.is_none() && self.is_late() {
            return Some(Err(refuse(self.too_late())));
        }
        if let Some(Ok(item)) = &next {
            self.rows += count(item) as u64;
            if let Some(most) = self.most_rows.filter(|most| self.rows > *most) {
                let error = Error::invalid(format!("the answer has more than {most} rows"))
                    .hint("ask for fewer, with `limit` or `where`; `serve.max_rows` is the bound");
                return Some(Err(refuse(Cause::Rows.of(error))));
            }
        }
        next
    }

    /// Why its time is over, once it is.
    async fn given_up(&self) -> Refusal {
        let late = async {
            match self.end() {
                Some(end) => tokio::time::sleep_until(end.into()).await,
                None => futures::future::pending().await,
            }
        };
        tokio::select! {
            () = late => self.too_late(),
            () = self.reader.closed.cancelled() => {
                Cause::Stopping.of(Error::unavailable("the server is stopping"))
            }
        }
    }

    fn too_late(&self) -> Refusal {
        let seconds = self.bound.unwrap_or_default().as_secs_f64();
        let error = Error::unavailable(format!("the statement took longer than {seconds} seconds"))
            .hint("`serve.statement_timeout_seconds` is the bound");
        Cause::Timeout.of(error)
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.reader.metrics.ended(self.door, outcome, self.started.elapsed(), self.rows);
        }
    }
}
