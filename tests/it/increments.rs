//! Increments: whatever arrives in whatever order and pieces, runs that fail between them included, ends in the
//! tables that one build of everything gives. And what was published before can be read, and brought back.
//!
//! `LAKE_TEST_SEED` chooses deliveries, batches and failures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use lake::clock::FixedClock;
use lake::contract::{Layer, TableName};
use lake::error::Kind;
use lake::run::{Action, Lake, Request};
use lake::table::{Publication, Publications, Table, WriteOptions};
use lake_generate::{Dirt, Parameters, Split};

use crate::faults::{
    At, Cases, Chance, FIRST, Fault, SECOND, Waiting, copy_of, faulty, in_parallel, seed, shown, waiting,
};
use crate::support::{Fresh, HEADER};

/// A file as it is delivered.
#[derive(Clone)]
struct Delivery {
    name: String,
    content: Vec<u8>,
}

/// Generated lines of a fortnight, a file a day, one of them twice.
fn generated(seed: u64) -> Vec<Delivery> {
    let folder = tempfile::tempdir().unwrap();
    let day = |text: &str| text.parse().unwrap();
    let (from, to) = (day("2011-01-04"), day("2011-01-17"));
    let (split, dirt) = (Split::Day, Dirt::Normal);
    let parameters = Parameters { seed, customers: 40, lines: 600, from, to, split, dirt };
    lake_generate::generate(&parameters, folder.path(), &|_| ()).unwrap();
    let mut files = Vec::new();
    for path in glob::glob(folder.path().join("*.csv").to_str().unwrap()).unwrap().map(Result::unwrap) {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        files.push(Delivery { name, content: std::fs::read(path).unwrap() });
    }
    files
}

/// The plain lines of a file, without its header.
fn lines_of(content: &[u8]) -> Vec<String> {
    let lines = content.split(|byte| *byte == b'\n').skip(1);
    let texts =
        lines.filter_map(|line| std::str::from_utf8(line).ok()).map(|line| line.trim_end_matches('\r'));
    // A quote that does not end on its line would swallow what follows.
    let is_plain = |line: &&str| {
        line.is_ascii() && line.matches('"').count().is_multiple_of(2) && commas(line).len() == 7
    };
    let plain = texts.filter(is_plain);
    plain.map(Into::into).collect()
}

/// Where the commas between fields are.
fn commas(line: &str) -> Vec<usize> {
    let mut is_quoted = false;
    let outside = line.char_indices().filter(|(_, c)| {
        is_quoted ^= *c == '"';
        *c == ',' && !is_quoted
    });
    outside.map(|(place, _)| place).collect()
}

/// The line with another quantity.
fn with_quantity(line: &str, quantity: u64) -> String {
    let commas = commas(line);
    format!("{}{quantity}{}", &line[..=commas[2]], &line[commas[3]..])
}

/// The file with a line more at its end, in its own way of ending lines.
fn append(delivery: &mut Delivery, line: &str) {
    let end: &[u8] = if delivery.content.windows(2).any(|two| two == b"\r\n") { b"\r\n" } else { b"\n" };
    if !delivery.content.ends_with(b"\n") {
        delivery.content.extend(end);
    }
    delivery.content.extend(line.as_bytes());
    delivery.content.extend(end);
}

/// Deliveries in the order in which they come: the generated files in any order, some of them with a line of an
/// earlier file, as it was or with another quantity; one again under another name; one corrected, under its own.
fn deliveries(seed: u64, chance: &mut Chance) -> Vec<Delivery> {
    let mut all = generated(seed);
    chance.shuffle(&mut all);
    for late in 1..all.len() {
        let earlier = lines_of(&all[chance.place(late)].content);
        if earlier.is_empty() || chance.below(2) == 0 {
            continue;
        }
        let line = chance.pick(&earlier);
        let line = if chance.below(2) == 0 { line } else { with_quantity(&line, 1 + chance.below(50)) };
        append(&mut all[late], &line);
    }
    let twice = chance.place(all.len());
    let copy = Delivery { name: format!("copy-of-{}", all[twice].name), ..all[twice].clone() };
    all.insert(twice + 1 + chance.place(all.len() - twice), copy);
    let wrong = (0..all.len()).find(|i| !lines_of(&all[*i].content).is_empty()).unwrap();
    let mut corrected = all[wrong].clone();
    let line = with_quantity(&chance.pick(&lines_of(&corrected.content)), 99);
    append(&mut corrected, &line);
    all.insert(wrong + 1 + chance.place(all.len() - wrong), corrected);
    all
}

/// Lets a run fail at a moment that chance chooses; it may also get through.
async fn fail(fresh: &Fresh, chance: &mut Chance) -> String {
    let at = match chance.below(3) {
        0 => At::Read(1 + chance.below(150)),
        _ => At::Write(1 + chance.below(50)),
    };
    let fault = chance.pick(&[Fault::Fail, Fault::Tear, Fault::Forget]);
    let (lake, _) = faulty(fresh, at, fault);
    let ended = lake.run(&Request::default()).await;
    let ended = ended.map_or_else(|error| error.message().to_string(), |_| "done".into());
    format!("{fault:?} at {at:?}: {ended}")
}

/// How many commits all tables of a lake have.
fn commits(fresh: &Fresh) -> usize {
    let pattern = fresh.path().join("lakehouse/*/*/_delta_log/*.json");
    glob::glob(pattern.to_str().unwrap()).unwrap().count()
}

/// A rebuild of what is published gives the same rows.
async fn is_verified(lake: &Lake, what: &str) {
    for comparison in lake.verify(None).await.unwrap() {
        let sample = comparison.sample.join("\n");
        assert_eq!(comparison.differences, 0, "{what}: {} differs\n{sample}", comparison.table);
    }
}

#[test]
fn deliveries_in_any_order_and_pieces_end_in_what_one_build_gives() {
    let seed = seed();
    let seeds: Vec<u64> = (0..Cases::asked().of(2, 6)).map(|i| seed + i).collect();
    in_parallel(seeds, any_order);
}

async fn any_order(seed: u64) {
    let mut chance = Chance::new(seed);
    let fresh = Fresh::new();
    let mut waiting = deliveries(seed, &mut chance);
    let mut story = vec![format!("LAKE_TEST_SEED={seed}")];
    while !waiting.is_empty() {
        let size = (1 + chance.place(4)).min(waiting.len());
        for delivery in waiting.drain(..size) {
            fresh.land(&delivery.name, &delivery.content);
            story.push(delivery.name);
        }
        if chance.below(3) == 0 {
            story.push(fail(&fresh, &mut chance).await);
            // The next batch may come before anybody has looked.
            if chance.below(2) == 0 {
                continue;
            }
        }
        fresh.run().await.unwrap_or_else(|error| panic!("{}\n{error}", story.join("\n")));
        story.push("run".into());
    }
    let story = story.join("\n");
    fresh.run().await.unwrap_or_else(|error| panic!("{story}\n{error}"));
    is_verified(&fresh.lake(2).unwrap(), &story).await;
    let before = commits(&fresh);
    fresh.run().await.unwrap();
    assert_eq!(commits(&fresh), before, "{story}\na run with nothing new has committed something");
    each_content_is_loaded_once(&fresh, &story).await;
}

async fn each_content_is_loaded_once(fresh: &Fresh, story: &str) {
    let query = "select count(distinct _source_sha256) as contents, count(distinct _ingest_seq) as loads, \
                 count(distinct _source_sha256 || '#' || cast(_ingest_seq as string)) as both \
                 from bronze.online_retail";
    let answer = fresh.ask(query).await;
    let number = |column: usize| answer[0].column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!((number(0), number(0)), (number(1), number(2)), "{story}");
    let landed = glob::glob(fresh.path().join("landing/online_retail/*.csv").to_str().unwrap()).unwrap();
    let landed: BTreeSet<Vec<u8>> = landed.map(|path| std::fs::read(path.unwrap()).unwrap()).collect();
    // A file that was corrected may have been loaded before it was.
    let loaded = usize::try_from(number(0)).unwrap();
    assert!((landed.len()..=landed.len() + 1).contains(&loaded), "{story}\n{loaded} of {}", landed.len());
}

/// The lake of a project, so many minutes after the first run.
pub fn after_minutes(fresh: &Fresh, minutes: i64) -> Lake {
    let first: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
    let mut lake = fresh.lake(2).unwrap();
    lake.clock = Arc::new(FixedClock(first + TimeDelta::minutes(minutes)));
    lake
}

/// A lake with a publication a delivery, an hour apart, and what it showed after each.
async fn published_twice() -> (Fresh, String, String) {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    after_minutes(&fresh, 0).run(&Request::default()).await.unwrap();
    let first = shown(&fresh).await;
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    after_minutes(&fresh, 60).run(&Request::default()).await.unwrap();
    let second = shown(&fresh).await;
    (fresh, first, second)
}

pub async fn counted(lake: &Lake, query: &str, as_of: Option<&str>) -> i64 {
    let rows = lake.ask(query, as_of).await.unwrap().collect().await.unwrap();
    rows[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_grows_by_later_days_and_is_written_anew_for_others() {
    let fresh = Fresh::new();
    let line = |invoice: u32, day: u32| {
        format!("{HEADER}{invoice},85123A,HEART,6,12/{day}/2010 8:26,2.55,17850,United Kingdom\n")
    };
    for (invoice, day, written) in [(1, 2, 1), (2, 4, 1), (3, 3, 3), (4, 5, 1), (5, 5, 5)] {
        fresh.land(&format!("{invoice}.csv"), line(536_000 + invoice, day));
        let summary = fresh.run().await.unwrap();
        let invoices = TableName::new(Layer::Silver, "invoices");
        let made = summary.tables.iter().find(|made| made.table == invoices).unwrap();
        assert_eq!((made.rows_out, made.rows), (written, u64::from(invoice)), "{invoice}");
    }
    is_verified(&fresh.lake(2).unwrap(), "grown").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_before_can_be_asked() {
    let (fresh, ..) = published_twice().await;
    let lake = after_minutes(&fresh, 120);
    let all = lake.publications().await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[0].published_at > all[1].published_at && all[0].restores.is_none());
    let query = "select count(*) as n from silver.transactions";
    assert_eq!(counted(&lake, query, None).await, 6);
    for as_of in [all[1].run_id.as_str(), "2026-01-02 03:30", "2026-01-02T04:00:00Z"] {
        assert_eq!(counted(&lake, query, Some(as_of)).await, 3, "as of {as_of}");
    }
    for as_of in [all[0].run_id.as_str(), "2026-01-02"] {
        assert_eq!(counted(&lake, query, Some(as_of)).await, 6, "as of {as_of}");
    }
    for version in ["version as of 0", "for version as of 0", "timestamp as of '2026-01-02 03:30'"] {
        assert_eq!(counted(&lake, &format!("{query} {version}"), None).await, 3, "{version}");
    }
    let both = "select count(*) as n from silver.transactions as now \
                left anti join silver.transactions version as of 0 as before \
                on now.invoice_no = before.invoice_no and now.line_no = before.line_no";
    assert_eq!(counted(&lake, both, None).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_published_then_is_said_to_be_so() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    let silver = Request { layer: Some(Layer::Silver), ..Request::default() };
    after_minutes(&fresh, 0).run(&silver).await.unwrap();
    let lake = after_minutes(&fresh, 60);
    lake.run(&Request::default()).await.unwrap();
    let query = "select count(*) from rfm";
    assert!(counted(&lake, query, Some("2026-01-02")).await > 0);
    let error = lake.ask(query, Some("2026-01-02 03:30")).await.unwrap_err();
    assert_eq!(error.message(), "`gold.rfm` was not published then");
    assert!(counted(&lake, "select count(*) from silver.invoices", Some("2026-01-02 03:30")).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vacuum_removed_is_said_to_be_so() {
    let (fresh, ..) = published_twice().await;
    let mut lake = after_minutes(&fresh, 120);
    lake.clock = Arc::new(FixedClock("2100-01-01T00:00:00Z".parse().unwrap()));
    lake.vacuum(TimeDelta::zero(), true).await.unwrap();
    let then = Some("2026-01-02 03:30");
    // What was only added to has its files still.
    assert_eq!(counted(&lake, "select count(*) from silver.transactions", then).await, 3);
    let message = "version 0 of `silver.invoices` can no longer be read: its files were removed by a vacuum";
    let error = lake.ask("select * from silver.invoices", then).await.unwrap_err();
    assert_eq!(error.message(), message);
    let error = lake.ask("select * from silver.invoices version as of 0", None).await.unwrap_err();
    assert_eq!(error.message(), message);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_loaded_again_by_the_next_run() {
    let (fresh, first, second) = published_twice().await;
    let run_id = after_minutes(&fresh, 90).publications().await.unwrap()[1].run_id.clone();
    let restored = after_minutes(&fresh, 120).rollback(None).await.unwrap();
    assert_eq!(restored.restores.as_ref(), Some(&run_id));
    assert!(shown(&fresh).await == first);
    is_verified(&after_minutes(&fresh, 150), "rolled back").await;
    let summary = after_minutes(&fresh, 180).run(&Request::default()).await.unwrap();
    assert_eq!((summary.ingested[0].files, summary.judgement.published), (1, true));
    assert!(shown(&fresh).await == second);
    let lake = after_minutes(&fresh, 240);
    is_verified(&lake, "run again").await;
    let restores: Vec<_> = lake.publications().await.unwrap().into_iter().map(|p| p.restores).collect();
    assert_eq!(restores, [None, Some(run_id), None, None]);
    let before = commits(&fresh);
    after_minutes(&fresh, 300).run(&Request::default()).await.unwrap();
    assert_eq!(commits(&fresh), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_publish_at_once_one_is_told_of_a_conflict() {
    let (fresh, ..) = published_twice().await;
    let lake = after_minutes(&fresh, 120);
    let options = WriteOptions::new(&lake.project.config.settings.write).unwrap();
    let one = Publications::open(&lake.store).await.unwrap();
    let two = Publications::open(&lake.store).await.unwrap();
    let of = |run_id: &str| Publication { run_id: run_id.into(), ..one.newest().unwrap().clone() };
    let (first, second) = (of("first"), of("second"));
    let at = lake.clock.now();
    let ended = futures::join!(one.publish(&first, at, &options), two.publish(&second, at, &options));
    let winner = match ended {
        (Ok(()), Err(error)) => {
            assert_eq!(error.kind(), Kind::Conflict, "{error}");
            first
        }
        (Err(error), Ok(())) => {
            assert_eq!(error.kind(), Kind::Conflict, "{error}");
            second
        }
        other => panic!("one should have won: {other:?}"),
    };
    assert_eq!(Publications::open(&lake.store).await.unwrap().newest(), Some(&winner));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_overtaken_publishes_nothing_and_is_done_again() {
    let Waiting { fresh, before, after, .. } = waiting().await;
    let (lake, _) = faulty(&fresh, At::Path("ops/publications/_delta_log/"), Fault::Overtake);
    let error = lake.run(&Request::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    drop(lake);
    assert!(shown(&fresh).await == before);
    fresh.run().await.unwrap();
    assert!(shown(&fresh).await == after);
    is_verified(&fresh.lake(2).unwrap(), "overtaken").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_cut_between_its_tables_is_done_again() {
    let Waiting { fresh: waiting, before, after, .. } = waiting().await;
    for (path, done) in [
        ("silver/transactions/_delta_log/", 0),
        ("silver/transactions_duplicates/_delta_log/", 1),
        ("silver/transactions_rejected/_delta_log/", 2),
    ] {
        let fresh = copy_of(&waiting);
        let (lake, _) = faulty(&fresh, At::Path(path), Fault::Fail);
        let error = lake.run(&Request::default()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{path}: {error}");
        drop(lake);
        let lake = fresh.lake(2).unwrap();
        let mut committed = 0;
        for table in ["transactions", "transactions_duplicates", "transactions_rejected"] {
            let table = Table::open(&lake.store, &TableName::new(Layer::Silver, table), None).await.unwrap();
            committed += table.version().unwrap();
        }
        assert_eq!(committed, done, "{path}: tables committed before it");
        assert!(shown(&fresh).await == before, "{path}");
        fresh.run().await.unwrap();
        assert!(shown(&fresh).await == after, "{path}");
        is_verified(&lake, path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_takes_nothing_that_the_next_increment_needs() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    fresh.run().await.unwrap();
    let mut lake = fresh.lake(2).unwrap();
    assert!(!lake.optimize(None, None).await.unwrap().is_empty());
    // The files are as old as this machine says, which is later than the tests' own clock.
    lake.clock = Arc::new(FixedClock("2100-01-01T00:00:00Z".parse().unwrap()));
    let removed = lake.vacuum(TimeDelta::zero(), true).await.unwrap();
    assert!(removed.iter().any(|table| table.table.to_string() == "silver.transactions"));
    fresh.land("3.csv", format!("{HEADER}536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,France\n"));
    let summary = fresh.run().await.unwrap();
    assert!(summary.tables.iter().any(|table| table.action == Action::Increment));
    assert!(fresh.lake(2).unwrap().verify(None).await.unwrap().iter().all(|table| table.differences == 0));
}

/// What the record of bronze's newest commit says of all its rows.
async fn tally_of_bronze(fresh: &Fresh) -> BTreeMap<String, String> {
    let name = TableName::new(Layer::Bronze, "online_retail");
    let table = Table::open(&fresh.lake(2).unwrap().store, &name, None).await.unwrap();
    table.record().unwrap().tally.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_later_is_counted_once_and_then_added_to() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    for table in ["bronze/online_retail", "silver/transactions"] {
        let file = format!("{table}.toml");
        let text = std::fs::read_to_string(fresh.path().join(&file)).unwrap();
        fresh.write(&file, text + "\n[expect.abroad]\nwhere = \"country = 'France'\"\nelse = \"warn\"\n");
    }
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    fresh.run().await.unwrap();
    let measure = "count(*) filter (where not (country = 'France'))";
    for table in ["bronze.online_retail", "silver.transactions"] {
        let name = TableName::parse(table).unwrap();
        let opened = Table::open(&fresh.lake(2).unwrap().store, &name, None).await.unwrap();
        let stored = counted(&fresh.lake(2).unwrap(), &format!("select {measure} from {table}"), None).await;
        assert_eq!(opened.record().unwrap().tally.get(measure), Some(&stored.to_string()), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_functions_counted_is_counted_anew() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let before = tally_of_bronze(&fresh).await;
    let log = "lakehouse/bronze/online_retail/_delta_log/00000000000000000000.json";
    let version = lake::engine::FUNCTIONS_VERSION;
    fresh.edit(
        log,
        &format!(r#"\"functions\":\"{version}\""#),
        &format!(r#"\"functions\":\"{}\""#, version + 1),
    );
    let quantity = before.keys().find(|sql| sql.contains("parse_integer(quantity) end")).unwrap();
    let (quantity, value) = (quantity.replace('"', "\\\""), &before[quantity]);
    fresh.edit(log, &format!(r#"\"{quantity}\":\"{value}\""#), &format!(r#"\"{quantity}\":\"777\""#));
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    assert!(fresh.run().await.unwrap().judgement.published);
}

/// A table that another program has written to has no tally; its book begins with the next delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_tally_that_is_not_there_is_not_taken_for_nothing() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    let log = "lakehouse/bronze/online_retail/_delta_log/00000000000000000000.json";
    fresh.edit(log, r#"\"tally\":{"#, r#"\"other\":{"#);
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    let received = |summary: &lake::run::Summary| {
        summary.judgement.balances.iter().filter(|book| book.name.starts_with("files →")).count()
    };
    assert_eq!(received(&fresh.run().await.unwrap()), 0);
    fresh.land("3.csv", format!("{HEADER}536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,France\n"));
    assert_eq!(received(&fresh.run().await.unwrap()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_remembers_what_it_has_built() {
    let fresh = Fresh::new();
    fresh.write(
        "gold/broken.toml",
        "doc = \"Broken.\"\ngrain = \"one row per country\"\nkey = [\"country\"]\n[columns]\n\
         country = { type = \"int\", nullable = true, doc = \"No number.\" }\n",
    );
    fresh.write(
        "sql/gold/broken.sql",
        "-- Broken.\n--\n-- writes: full\nselect cast(country as int) as country from silver.transactions\n",
    );
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap_err();
    let built = "select count(*) from ops.table_runs where output_version = 0 and action <> 'skipped' \
                 and table_name like 'silver.transactions%'";
    // The three tables of the step before it. How many are built beside it depends on time.
    assert_eq!(counted(&fresh.lake(2).unwrap(), built, None).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_may_add_to_its_own_rows_those_of_a_table_that_describes_them_otherwise() {
    let fresh = Fresh::new();
    fresh.write(
        "gold/lines_by_country.toml",
        "doc = \"Lines.\"\ngrain = \"one row per country\"\nkey = [\"country\"]\n[columns]\n\
         country = { type = \"text\", doc = \"A place.\" }\nlines = { type = \"bigint\", doc = \"Lines.\" }\n",
    );
    fresh.write(
        "sql/gold/lines_by_country.sql",
        "-- Lines.\n--\n-- writes: full\nselect country, cast(sum(lines) as bigint) as lines from (\n\
         select country, lines from old.gold.lines_by_country union all\n\
         select country, 1 as lines from new.silver.transactions where country is not null) as p\n\
         group by country\n",
    );
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    fresh.run().await.unwrap();
    let verified = fresh.lake(2).unwrap().verify(Some("gold.lines_by_country")).await.unwrap();
    assert_eq!((verified[0].rows, verified[0].differences), (2, 0));
}

/// What is made can be made again; what was delivered is not taken for what is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_table_is_made_again_and_a_lost_delivery_is_an_error() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    fresh.run().await.unwrap();
    let query = "select count(*) from gold.rfm";
    let before = counted(&fresh.lake(2).unwrap(), query, None).await;
    std::fs::remove_dir_all(fresh.path().join("lakehouse/gold/rfm")).unwrap();
    assert!(fresh.run().await.unwrap().judgement.published);
    assert_eq!(counted(&fresh.lake(2).unwrap(), query, None).await, before);
    let log = fresh.path().join("lakehouse/bronze/online_retail/_delta_log/00000000000000000001.json");
    std::fs::remove_file(log).unwrap();
    let error = fresh.run().await.unwrap_err();
    assert_eq!(error.message(), "`bronze.online_retail` has lost version 1, which is published");
}

/// The lines of each country, and how many there were in the content before.
fn with_memory(fresh: &Fresh) {
    let columns = "country = { type = \"text\", doc = \"A place.\" }\n\
                   lines = { type = \"bigint\", doc = \"Lines.\" }\n\
                   before = { type = \"bigint\", nullable = true, doc = \"Lines before.\" }\n";
    for (table, query) in [
        (
            "counted",
            "select counted.country, cast(counted.lines as bigint) as lines, last_lines as before from (\n\
             select country, count(*) as lines from silver.transactions where country is not null group by country\n\
             ) as counted left join (select country as last_country, lines as last_lines from last.gold.counted) as l\n\
             on counted.country = last_country",
        ),
        (
            "moved",
            "select counted.country, counted.lines, last_lines as before from gold.counted as counted\n\
             left join (select country as last_country, lines as last_lines from last.gold.counted) as l\n\
             on counted.country = last_country",
        ),
    ] {
        let contract = format!(
            "doc = \"Lines.\"\ngrain = \"one row per country\"\nkey = [\"country\"]\n[columns]\n{columns}"
        );
        fresh.write(&format!("gold/{table}.toml"), contract);
        fresh.write(&format!("sql/gold/{table}.sql"), format!("-- Lines.\n--\n-- writes: full\n{query}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_sees_what_readers_saw_before_and_a_rebuild_sees_the_same() {
    let fresh = Fresh::new();
    with_memory(&fresh);
    let before = |table: &str| {
        format!("select coalesce(sum(before), -1) from gold.{table} where country = 'United Kingdom'")
    };
    let lines = "select sum(lines) from gold.counted where country = 'United Kingdom'";
    fresh.land("1.csv", format!("{HEADER}{FIRST}"));
    fresh.run().await.unwrap();
    assert_eq!(counted(&fresh.lake(2).unwrap(), &before("counted"), None).await, -1);
    let first = counted(&fresh.lake(2).unwrap(), lines, None).await;
    // What a run leaves behind that does not publish was never seen by readers.
    let contract = fresh.path().join("gold/rfm.toml");
    let kept = std::fs::read_to_string(&contract).unwrap();
    fresh.write(
        "gold/rfm.toml",
        format!("{kept}\n[expect.none]\nwhere = \"frequency < 0\"\nelse = \"fail\"\n"),
    );
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    assert_eq!(fresh.run().await.unwrap_err().kind(), Kind::Data);
    fresh.write("gold/rfm.toml", kept);
    fresh.land("3.csv", format!("{HEADER}536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,United Kingdom\n"));
    fresh.run().await.unwrap();
    for table in ["counted", "moved"] {
        assert_eq!(counted(&fresh.lake(2).unwrap(), &before(table), None).await, first, "{table}");
    }
    let mut lake = fresh.lake(2).unwrap();
    lake.clock = Arc::new(FixedClock("2100-01-01T00:00:00Z".parse().unwrap()));
    lake.vacuum(TimeDelta::zero(), true).await.unwrap();
    let verified = fresh.lake(2).unwrap().verify(Some("gold.counted,gold.moved")).await.unwrap();
    assert!(verified.iter().all(|table| table.rows > 0 && table.differences == 0), "{verified:?}");
}
