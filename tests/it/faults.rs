//! Faults at any moment: a store that fails, stalls, tears a write or loses an answer, a process that is killed,
//! a folder that may no longer be written. Readers see the lake as it was before or after, the next run mends it.
//!
//! `LAKE_TEST_SEED` chooses where it hurts, and `LAKE_TEST_CASES` how often.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use lake::error::Kind;
use lake::run::{Lake, Request};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::support::{Fresh, HEADER};

/// How many cases are tried at once.
const WORKERS: usize = 2;

/// How long a store stalls.
const STALL: Duration = Duration::from_millis(20);

/// A delivery with something of everything: sales, a return, a repeat, a line that is refused, a malformed one.
pub const FIRST: &str = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                         536365,71053,LANTERN,6,12/1/2010 8:26,3.39,17850,United Kingdom\n\
                         536365,71053,LANTERN,6,12/1/2010 8:26,3.39,17850,United Kingdom\n\
                         536367,22745,HOUSE,0,12/1/2010 8:34,2.10,13047,United Kingdom\n\
                         too,few\n\
                         C536379,85123A,HEART,-1,12/1/2010 9:41,2.55,17850,United Kingdom\n";

/// The next one: also a late line of an old invoice, and a repeat of a line of the first delivery.
pub const SECOND: &str = "536370,71053,LANTERN,2,12/2/2010 8:26,3.39,17851,France\n\
                          536365,22752,BOXES,2,12/1/2010 8:26,7.65,17850,United Kingdom\n\
                          536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                          536371,22745,HOUSE,-5,12/2/2010 9:00,2.10,17852,France\n\
                          536371,POST,POSTAGE,1,12/2/2010 9:00,18,17852,France\n";

/// What is compared: every row and column that does not name a run or an instant.
const SHOWN: [&str; 9] = [
    "select count(*) as n, count(distinct _source_sha256) as contents, count(distinct _ingest_seq) as loads \
     from bronze.online_retail",
    "select * from silver.transactions order by invoice_no, line_no",
    "select * except (_ingest_run_id, _ingested_at) from silver.transactions_duplicates \
     order by _ingest_seq, _source_line",
    "select * except (_ingest_run_id, _ingested_at, run_id) from silver.transactions_rejected \
     order by _ingest_seq, _source_line",
    "select * from silver.invoices order by invoice_no, invoice_date, customer_id, country",
    "select * from silver.products order by stock_code",
    "select * from gold.daily_sales order by sale_date",
    "select * from gold.top_products order by stock_code",
    "select * from gold.rfm order by customer_id",
];

/// The seed of everything that a test leaves to chance.
pub fn seed() -> u64 {
    let seed = std::env::var("LAKE_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    eprintln!("LAKE_TEST_SEED={seed}");
    seed
}

/// How many cases a test tries of those that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cases {
    Few,
    Many,
    All,
}

impl Cases {
    /// What `LAKE_TEST_CASES` says: `few`, as when it is not set, `many` or `all`.
    pub fn asked() -> Cases {
        match std::env::var("LAKE_TEST_CASES").as_deref() {
            Err(_) | Ok("few") => Cases::Few,
            Ok("many") => Cases::Many,
            Ok("all") => Cases::All,
            Ok(other) => panic!("LAKE_TEST_CASES is `few`, `many` or `all`, not `{other}`"),
        }
    }

    /// One number for few cases, another for more.
    pub fn of<T>(self, few: T, many: T) -> T {
        if self == Cases::Few { few } else { many }
    }
}

/// Chance that can be repeated (SplitMix64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A number from 0 up to and without `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A place in something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.place(all.len())].clone()
    }

    /// All of them in another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.place(last + 1));
        }
    }
}

/// Waits for a future on threads of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Tries every case, a few at once.
pub fn in_parallel<T: Send, F: Future<Output = ()>>(cases: Vec<T>, attempt: impl Fn(T) -> F + Sync) {
    let cases = Mutex::new(VecDeque::from(cases));
    let next = || cases.lock().unwrap().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = next() {
                    block_on(attempt(case));
                }
            });
        }
    });
}

/// A project of the same files, tables included, that are as old as those of the other.
pub fn copy_of(fresh: &Fresh) -> Fresh {
    let copy = Fresh::new();
    copy_folder(fresh.path(), copy.path());
    copy
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
            continue;
        }
        std::fs::copy(entry.path(), &target).unwrap();
        let modified = entry.metadata().unwrap().modified().unwrap();
        let file = std::fs::File::options().write(true).open(&target).unwrap();
        file.set_modified(modified).unwrap();
    }
}

/// What readers see.
pub async fn shown(fresh: &Fresh) -> String {
    let lake = fresh.lake(2).unwrap();
    let session = lake.engine.session(lake.published().await.unwrap());
    let mut all = String::new();
    for query in SHOWN {
        let rows = session.sql(query).await.unwrap().collect().await.unwrap();
        all += &format!("{query}\n{}\n", pretty_format_batches(&rows).unwrap());
    }
    all
}

/// What a store does once, in place of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing, and it says so.
    Fail,
    /// The same, and it says that the disk is full.
    Full,
    /// The same, later.
    Stall,
    /// It fails in the middle of a write. A local store writes under another name and renames: what is left is
    /// half a file under that other name, `<name>#1`, and none under the final one.
    Tear,
    /// It does it, and says that it failed.
    Forget,
    /// Another writer commits under the same name right before.
    Overtake,
}

/// When a store has its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Not at all.
    Never,
    /// When it is read, or listed, so many times.
    Read(u64),
    /// When it is changed so many times.
    Write(u64),
    /// Whenever it is changed after so many times.
    WritesAfter(u64),
    /// When something under a path that contains this text is written for the first time.
    Path(&'static str),
}

/// What a store was asked for.
#[derive(Debug, Default)]
pub struct Asked {
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    pub has_struck: AtomicBool,
}

/// A store with one fault.
#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn ObjectStore>,
    at: At,
    fault: Fault,
    asked: Arc<Asked>,
}

/// The lake of a project on a store with a fault, and what that store is asked for.
pub fn faulty(fresh: &Fresh, at: At, fault: Fault) -> (Lake, Arc<Asked>) {
    let mut lake = fresh.lake(2).unwrap();
    let asked = Arc::new(Asked::default());
    let counted = asked.clone();
    lake.store = lake.store.wrapped(|inner| Arc::new(Faulty { inner, at, fault, asked: counted }));
    (lake, asked)
}

impl Fault {
    fn error(self) -> Error {
        let code = if self == Fault::Full { 28 } else { 5 };
        let source = std::io::Error::from_raw_os_error(code);
        Error::Generic { store: "Faulty", source: Box::new(source) }
    }
}

impl Faulty {
    /// The fault that a read or a listing meets.
    fn read(&self) -> Result<()> {
        let count = self.asked.reads.fetch_add(1, Ordering::SeqCst) + 1;
        match self.strikes(self.at == At::Read(count)) {
            None => Ok(()),
            Some(_) => Err(self.fault.error()),
        }
    }

    /// The fault that a change meets.
    fn write(&self, path: Option<&Path>) -> Option<Fault> {
        let count = self.asked.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let is_now = match self.at {
            At::Never | At::Read(_) => false,
            At::Write(number) => number == count,
            At::WritesAfter(number) => count > number,
            At::Path(text) => path.is_some_and(|path| path.as_ref().contains(text)),
        };
        self.strikes(is_now)
    }

    fn strikes(&self, is_now: bool) -> Option<Fault> {
        let lasts = matches!(self.at, At::WritesAfter(_));
        if !is_now || (self.asked.has_struck.swap(true, Ordering::SeqCst) && !lasts) {
            return None;
        }
        if self.fault == Fault::Stall {
            std::thread::sleep(STALL);
            return None;
        }
        Some(self.fault)
    }

    /// Leaves what a local store leaves that stops in the middle of a write.
    fn tear(to: &Path, payload: &PutPayload) {
        let bytes: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
        let staged = std::path::PathBuf::from(format!("/{to}#1"));
        std::fs::create_dir_all(staged.parent().unwrap()).unwrap();
        std::fs::write(staged, &bytes[..bytes.len() / 2]).unwrap();
    }

    /// Commits what the commit before did once more, under the name of the one that is about to come.
    async fn overtake(&self, to: &Path) -> Result<()> {
        let (folder, name) = to.as_ref().rsplit_once('/').unwrap();
        let version: u64 = name.trim_end_matches(".json").parse().unwrap();
        let before = Path::parse(format!("{folder}/{:020}.json", version - 1)).unwrap();
        let commit = self.inner.get(&before).await?.bytes().await?;
        self.inner.put(to, commit.into()).await?;
        Ok(())
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.write(Some(to)) {
            None => self.inner.put_opts(to, payload, options).await,
            Some(Fault::Overtake) => {
                self.overtake(to).await?;
                self.inner.put_opts(to, payload, options).await
            }
            Some(Fault::Forget) => {
                self.inner.put_opts(to, payload, options).await?;
                Err(self.fault.error())
            }
            Some(Fault::Tear) => {
                Faulty::tear(to, &payload);
                Err(self.fault.error())
            }
            Some(Fault::Fail | Fault::Full | Fault::Stall) => Err(self.fault.error()),
        }
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.write(Some(to)) {
            None => self.inner.put_multipart_opts(to, options).await,
            Some(_) => Err(self.fault.error()),
        }
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.read()?;
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.write(None) {
            None => self.inner.delete_stream(paths),
            Some(fault) => stream::once(async move { Err(fault.error()) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.read() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.read()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.write(Some(to)) {
            None => self.inner.copy_opts(from, to, options).await,
            Some(Fault::Forget) => {
                self.inner.copy_opts(from, to, options).await?;
                Err(self.fault.error())
            }
            Some(_) => Err(self.fault.error()),
        }
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        match self.write(Some(to)) {
            None => self.inner.rename_opts(from, to, options).await,
            Some(Fault::Forget) => {
                self.inner.rename_opts(from, to, options).await?;
                Err(self.fault.error())
            }
            Some(_) => Err(self.fault.error()),
        }
    }
}

/// A lake that has seen one delivery and has another one waiting, and what it shows before and after it.
pub struct Waiting {
    pub fresh: Fresh,
    pub before: String,
    pub after: String,
    /// Reads and changes of the run that takes the delivery in.
    reads: u64,
    writes: u64,
}

pub async fn waiting() -> Waiting {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let before = shown(&fresh).await;
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    let undisturbed = copy_of(&fresh);
    let (lake, asked) = faulty(&undisturbed, At::Never, Fault::Fail);
    lake.run(&Request::default()).await.unwrap();
    let after = shown(&undisturbed).await;
    assert!(before != after);
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    Waiting { fresh, before, after, reads: count(&asked.reads), writes: count(&asked.writes) }
}

/// When which fault is tried: all that can be told apart, or some of them that the seed chooses.
fn faults(waiting: &Waiting, seed: u64) -> Vec<(At, Fault)> {
    let of_writes = [Fault::Fail, Fault::Tear, Fault::Forget, Fault::Stall];
    let of_reads = [Fault::Fail, Fault::Stall];
    if Cases::asked() == Cases::All {
        let writes = (1..=waiting.writes).flat_map(|n| of_writes.map(|fault| (At::Write(n), fault)));
        let reads = (1..=waiting.reads).flat_map(|n| of_reads.map(|fault| (At::Read(n), fault)));
        return writes.chain(reads).collect();
    }
    let mut chance = Chance::new(seed);
    let mut strided = |all: u64, tried: u64| {
        let stride = all.div_ceil(tried).max(1);
        let offset = chance.below(stride);
        (1 + offset..=all).step_by(stride as usize).collect::<Vec<_>>()
    };
    let (of_all_writes, of_all_reads) = Cases::asked().of((8, 4), (20, 8));
    let (writes, reads) = (strided(waiting.writes, of_all_writes), strided(waiting.reads, of_all_reads));
    // Each fault comes in turn, from one that the seed chooses; a read that stalls is tried once.
    let turn = seed as usize;
    let writes = writes.into_iter().enumerate().map(|(i, n)| (At::Write(n), of_writes[(i + turn) % 4]));
    let reads = reads.into_iter().enumerate().map(|(i, n)| (At::Read(n), of_reads[usize::from(i == 0)]));
    writes.chain(reads).collect()
}

#[test]
fn a_store_that_fails_at_any_moment_loses_nothing_and_shows_nothing_wrong() {
    let seed = seed();
    let waiting = block_on(waiting());
    let faults = faults(&waiting, seed);
    let tried = faults.len() as u64;
    eprintln!("{} reads and {} writes; {tried} faults", waiting.reads, waiting.writes);
    assert!(waiting.reads > 20 && waiting.writes > 20);
    let struck = AtomicU64::new(0);
    let (waiting, counted) = (&waiting, &struck);
    in_parallel(faults, |(at, fault)| async move {
        counted.fetch_add(u64::from(strike(waiting, at, fault).await), Ordering::SeqCst);
    });
    // The number of operations differs a little from run to run.
    assert!(struck.load(Ordering::SeqCst) * 4 >= tried * 3, "{struck:?} of {tried} faults struck");
}

/// Takes the delivery in on a store with a fault, looks, and runs again on a sound one. Says whether it struck.
async fn strike(waiting: &Waiting, at: At, fault: Fault) -> bool {
    let what = format!("{fault:?} at {at:?}");
    let fresh = copy_of(&waiting.fresh);
    let (lake, asked) = faulty(&fresh, at, fault);
    let request = Request::default();
    let running = std::panic::AssertUnwindSafe(lake.run(&request)).catch_unwind();
    let ended = running.await.unwrap_or_else(|_| panic!("{what}: the run panicked"));
    drop(lake);
    let now = shown(&fresh).await;
    match &ended {
        Ok(_) => assert!(now == waiting.after, "{what}: published, and readers see\n{now}"),
        Err(error) => {
            assert!(!error.to_string().contains("panic"), "{what}: {error}");
            assert!(fault != Fault::Stall, "{what}: {error}");
            if matches!(at, At::Write(_)) {
                assert_eq!(error.kind(), Kind::Unavailable, "{what}: {error}");
            }
            assert!(now == waiting.before || now == waiting.after, "{what}: {error}\nreaders see\n{now}");
        }
    }
    mended(waiting, &fresh, &what).await;
    asked.has_struck.load(Ordering::SeqCst)
}

/// The next run ends in the tables of an undisturbed one, each content loaded once.
pub async fn mended(waiting: &Waiting, fresh: &Fresh, what: &str) {
    fresh.run().await.unwrap_or_else(|error| panic!("{what}: the next run: {error}"));
    let now = shown(fresh).await;
    assert!(now == waiting.after, "{what}: after the next run readers see\n{now}");
}

/// What a process says when something has become permanent, or is about to.
const POINTS: [&str; 5] = ["committed", "ingested", "planned", "judging", "published"];

/// Runs the program and kills it when it passes its point number `at`. Gives the points that it passed.
fn run_and_kill(fresh: &Fresh, at: usize) -> usize {
    // What a killed process leaves of its temporary files goes with the project.
    let temporary = fresh.path().join("temporary");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKE_")) {
        command.env_remove(name);
    }
    command.env("LAKE_LOG_FILTER", "lake=debug").env("TMPDIR", &temporary);
    command.current_dir(fresh.path()).args(["--log-format", "json", "--threads", "2", "run"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut passed = 0;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
        passed += usize::from(event["message"].as_str().is_some_and(|message| POINTS.contains(&message)));
        if passed == at {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    passed
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing() {
    let seed = seed();
    let waiting = block_on(waiting());
    let undisturbed = copy_of(&waiting.fresh);
    let points = run_and_kill(&undisturbed, usize::MAX);
    assert!(block_on(shown(&undisturbed)) == waiting.after);
    assert!(points > 20, "a run has {points} points only");
    let waiting = &waiting;
    let step = Cases::asked().of(9, 3);
    let chosen: Vec<usize> = (1 + seed as usize % step..=points).step_by(step).collect();
    in_parallel(chosen, |at| async move {
        let what = format!("killed at point {at} of {points}");
        let fresh = copy_of(&waiting.fresh);
        run_and_kill(&fresh, at);
        let now = shown(&fresh).await;
        assert!(now == waiting.before || now == waiting.after, "{what}: readers see\n{now}");
        mended(waiting, &fresh, &what).await;
    });
}

/// Root may write everything: where the tests run as root, this one says that it did not run.
#[cfg(unix)]
#[test]
fn a_folder_that_may_no_longer_be_written_is_named_and_stays_readable() {
    let waiting = block_on(waiting());
    let gold = waiting.fresh.path().join("lakehouse/gold");
    allow(&gold, 0o555);
    if std::fs::write(gold.join("probe"), "").is_ok() {
        allow(&gold, 0o755);
        let _ = writeln!(std::io::stderr(), "DID NOT RUN: this user may write a folder without permission");
        return;
    }
    let ended = block_on(waiting.fresh.run());
    let now = block_on(shown(&waiting.fresh));
    allow(&gold, 0o755);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.message().ends_with("permission denied"), "{error}");
    assert!(now == waiting.before, "{now}");
    block_on(mended(&waiting, &waiting.fresh, "without permission"));
}

/// Sets the mode of a folder and of all folders in it.
#[cfg(unix)]
fn allow(folder: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let set = |mode| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    // To look into it, and to change it, it must be writable meanwhile.
    set(0o755);
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            allow(&entry.path(), mode);
        }
    }
    set(mode);
}
