//! What is learned: it looks back only, it is judged, it is recorded, and it is withheld when it should be.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::prelude::CsvReadOptions;
use lake::error::Kind;
use lake::run::{Action, Request, Summary};
use lake_generate::{Dirt, Parameters, Split};

use crate::increments;
use crate::support::{Fresh, HEADER, said};

/// Some months of a small shop, one file a day.
fn daily_files(seed: u64) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let day = |text: &str| text.parse().unwrap();
    let parameters = Parameters {
        seed,
        customers: 150,
        lines: 6_000,
        from: day("2011-01-03"),
        to: day("2011-09-30"),
        split: Split::Day,
        dirt: Dirt::Normal,
    };
    lake_generate::generate(&parameters, folder.path(), &|_| ()).unwrap();
    let mut files: Vec<_> = glob::glob(folder.path().join("*.csv").to_str().unwrap())
        .unwrap()
        .map(Result::unwrap)
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

async fn run_as_of(fresh: &Fresh, day: &str, select: &str) -> Summary {
    let request =
        Request { as_of: Some(day.parse().unwrap()), select: Some(select.into()), ..Request::default() };
    fresh.lake(2).unwrap().run(&request).await.unwrap()
}

/// The rows of a table, in the order of its first column, as they are published or known by a name.
async fn rows(fresh: &Fresh, table: &str, as_of: Option<&str>) -> String {
    let lake = fresh.lake(2).unwrap();
    let frame = lake.ask(&format!("select * from {table} order by 1, 2"), as_of).await.unwrap();
    let batches = frame.collect().await.unwrap();
    datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
}

/// A table of `as_of` that reads a day later than it would differ from the one of the history cut there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_on_a_day_is_what_the_history_cut_there_gives() {
    let (all, cut) = (Fresh::new(), Fresh::new());
    let files = daily_files(3);
    let day = "2011-07-12";
    for (name, content) in &files {
        all.land(name, content);
        let date = name.strip_prefix("online_retail-").unwrap();
        if &date[..10] < day {
            cut.land(name, content);
        }
    }
    all.run().await.unwrap();
    cut.run().await.unwrap();
    let published = rows(&all, "gold.rfm", None).await;
    let models = said(&all.command(&["models"])).0;
    let summary = run_as_of(&all, day, "gold.*").await;
    assert!(summary.judgement.published && summary.ingested.is_empty());
    assert_eq!(said(&all.command(&["models"])).0, models, "what was learned as of a day is not the newest");
    assert_eq!(rows(&all, "gold.rfm", None).await, published, "what readers see has changed");
    let name = format!("as-of-{day}");
    for table in [
        "gold.customer_histories",
        "gold.rfm",
        "gold.rfm_segments",
        "gold.cohort_retention",
        "gold.customer_features",
        "gold.cltv",
    ] {
        let (known, alone) = (rows(&all, table, Some(&name)).await, rows(&cut, table, None).await);
        assert!(known == alone, "{table} differs\n{known}\n{alone}");
        assert!(known.lines().count() > 5, "{table} has no rows to compare");
    }
    let again = run_as_of(&all, day, "gold.*").await;
    assert!(!again.judgement.published, "nothing has changed since");
    let listed = said(&all.command(&["publications"])).0;
    assert!(listed.contains(&format!("{name}: ")), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_no_day_changes_is_refused() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}1,85123A,X,6,1/3/2011 9:00,2.00,1,France\n"));
    fresh.run().await.unwrap();
    let request = Request {
        as_of: Some("2011-02-01".parse().unwrap()),
        select: Some("gold.daily_sales".into()),
        ..Request::default()
    };
    let error = fresh.lake(2).unwrap().run(&request).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Invalid, "nothing of the selection depends on the day")
    );
    let error = fresh.lake(2).unwrap().ask("select 1", Some("as-of-2011-02-01")).await.unwrap_err();
    assert_eq!(error.message(), "nothing is published as `as-of-2011-02-01`");
}

/// So many customers, who spend an amount of their own at an interval of their own, from one day to another.
fn regular(customers: u32, from: u32, to: u32) -> String {
    let mut text = HEADER.to_string();
    for customer in 0..customers {
        let (interval, price) = (3 + customer * 7 % 19, 1 + customer * 13 % 97);
        for day in (from..to).filter(|day| (day + customer) % interval == 0) {
            let date = chrono::NaiveDate::from_ymd_opt(2011, 1, 1).unwrap() + chrono::Days::new(day.into());
            let date = date.format("%-m/%-d/%Y");
            text +=
                &format!("{day}{customer:03},85123A,X,1,{date} 9:00,{price}.00,{},France\n", 1000 + customer);
        }
    }
    text
}

/// Customers who buy like clockwork are foreseen best by the rule of thumb: value per day times days.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_a_rule_of_thumb_beats_keeps_the_published_table() {
    let fresh = Fresh::new();
    let once = |id: u32| format!("{id},85123A,X,1,1/{}/2011 9:00,5.00,{id},France\n", 1 + id % 28);
    fresh.land("1.csv", HEADER.to_string() + &(1..60).map(once).collect::<String>());
    assert!(fresh.run().await.unwrap().judgement.published);
    let before = rows(&fresh, "gold.cltv", None).await;
    assert_eq!(before.matches("poisson").count(), 59, "{before}");
    fresh.land("2.csv", regular(60, 40, 200));
    let summary = fresh.run().await.unwrap();
    assert!(summary.judgement.published);
    let cltv = summary.tables.iter().find(|table| table.table.to_string() == "gold.cltv").unwrap();
    assert_eq!(cltv.action, Action::Kept, "{}", cltv.reason);
    assert!(cltv.reason.contains("a rule of thumb's"), "{}", cltv.reason);
    assert_eq!(rows(&fresh, "gold.cltv", None).await, before);
    let verified = fresh.lake(2).unwrap().verify(None).await.unwrap();
    assert!(!verified.is_empty() && verified.iter().all(|table| table.differences == 0), "{verified:?}");
    let models =
        fresh.table("select verdict from ops.models where model = 'customer_value' order by run_id").await;
    assert!(models.contains("passed") && models.contains("withheld"), "{models}");
    let (out, _) = said(&fresh.command(&["models"]));
    assert!(out.contains("customer_value") && out.contains("forecast"), "{out}");
    assert!(
        !fresh.run().await.unwrap().judgement.published,
        "it is not tried again before something changes"
    );
    assert!(
        fresh.lake(2).unwrap().test(None).await.unwrap().verdicts.iter().all(|verdict| verdict.failed == 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_parameter_learns_again_and_nothing_else() {
    let fresh = Fresh::new();
    fresh.land("1.csv", regular(30, 0, 120));
    fresh.run().await.unwrap();
    fresh.edit("config/models.toml", "horizon_days = 28", "horizon_days = 14");
    let summary = fresh.run().await.unwrap();
    let built = summary.tables.iter().filter(|table| table.action != Action::Skipped);
    let built: Vec<String> = built.map(|table| format!("{}: {}", table.table, table.reason)).collect();
    assert_eq!(
        built,
        ["forecast", "forecast_accuracy", "forecast_backtest"]
            .map(|table| format!("gold.{table}: parameters of forecast changed"))
    );
    let days =
        fresh.table("select count(*) from gold.forecast where series = 'orders' and kind = 'forecast'").await;
    assert!(days.contains("| 14 "), "{days}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_estimator_or_parameter_is_named() {
    let fresh = Fresh::new();
    fresh.edit("sql/gold/forecast_series.sql", "learns: forecast", "learns: forcast");
    let error = fresh.lake(2).err().unwrap();
    assert_eq!(error.message(), "there is no estimator `forcast`");
    assert_eq!(error.hints(), ["did you mean `forecast`?"]);
    let fresh = Fresh::new();
    fresh.edit("config/models.toml", "draws = 200", "draws = 2");
    let error = fresh.lake(2).err().unwrap();
    assert_eq!(error.message(), "setting `models.customer_value.draws` must be from 20 to 10000, not 2");
}

async fn counted(fresh: &Fresh, query: &str) -> i64 {
    increments::counted(&fresh.lake(2).unwrap(), query, None).await
}

/// A year of a shop of a thousand customers, in one file, built and published.
async fn shop() -> Fresh {
    let fresh = Fresh::new();
    let day = |text: &str| text.parse().unwrap();
    let parameters = Parameters {
        seed: 11,
        customers: 1_000,
        lines: 30_000,
        from: day("2011-01-03"),
        to: day("2011-12-30"),
        split: Split::None,
        dirt: Dirt::Low,
    };
    lake_generate::generate(&parameters, &fresh.path().join("landing/online_retail"), &|_| ()).unwrap();
    assert!(fresh.run().await.unwrap().judgement.published);
    fresh
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_learned_of_customers_is_true_of_them_and_can_be_shown() {
    let fresh = shop().await;
    let lake = fresh.lake(2).unwrap();
    let catalogue = lake.published().await.unwrap();
    let session = lake.engine.session(catalogue.clone());
    let truth = fresh.path().join("landing/online_retail/truth/customers.csv");
    let truth = session.read_csv(truth.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    catalogue.provide("truth", "customers", truth.into_view());
    let query = "select count(*) filter (where is_whale), count(*) filter (where is_whale and is_outlier) \
                 from truth.customers as truth inner join gold.customer_segments as segments \
                 on truth.customer_id = segments.customer_id";
    let whales = session.sql(query).await.unwrap().collect().await.unwrap();
    let of = |column: usize| whales[0].column(column).as_primitive::<Int64Type>().value(0);
    assert!(of(0) >= 1 && of(1) == of(0), "{} of {} whales are flagged", of(1), of(0));
    let better = "select count(*) from gold.recommendation_quality as chosen \
                  inner join gold.recommendation_quality as plain on plain.algorithm = 'popularity' \
                  where chosen.is_chosen and chosen.ndcg_at_10 > plain.ndcg_at_10";
    assert_eq!(counted(&fresh, better).await, 1, "customers of this shop have tastes of their own");
    for picture in ["daily-sales", "forecast", "cohorts", "cltv", "segments", "segment-profiles", "k"] {
        let (out, err) = said(&fresh.command(&["plot", picture]));
        assert_eq!(out, format!("drawn: {picture}.svg\n"), "{err}");
    }
    let known = "select min(customer_id) from gold.recommendations where because_of is not null";
    let customer = counted(&fresh, known).await.to_string();
    let (page, err) = said(&fresh.command(&["customer", &customer]));
    for part in ["RFM segment", "value in 12 months", "last orders", "because of"] {
        assert!(page.contains(part), "{part} is not on the page\n{page}{err}");
    }
    let (offers, _) = said(&fresh.command(&["recommend", &customer]));
    assert!(!offers.is_empty() && page.ends_with(&offers), "{offers}");
    let (_, unknown) = said(&fresh.command(&["recommend", "1"]));
    assert!(unknown.starts_with("error: there is no customer 1\n"), "{unknown}");
}

/// Pictures of a lake that is too young for most of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_young_lake_can_be_drawn() {
    let fresh = Fresh::new();
    fresh.land("1.csv", regular(5, 0, 95));
    fresh.run().await.unwrap();
    for picture in ["daily-sales", "forecast", "cohorts", "cltv", "segments", "segment-profiles", "k"] {
        let (out, err) = said(&fresh.command(&["plot", picture]));
        assert_eq!(out, format!("drawn: {picture}.svg\n"), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_keep_their_numbers_and_moves_between_them_are_counted() {
    let fresh = Fresh::new();
    let files = daily_files(5);
    let (before, after) = files.split_at(files.len() * 5 / 6);
    before.iter().for_each(|(name, content)| _ = fresh.land(name, content));
    fresh.run().await.unwrap();
    assert_eq!(counted(&fresh, "select count(*) from gold.segment_migrations").await, 0);
    after.iter().for_each(|(name, content)| _ = fresh.land(name, content));
    fresh.run().await.unwrap();
    let stayed = "select sum(customers) filter (where from_segment_id = to_segment_id) \
                  from gold.segment_migrations";
    let all = "select count(*) from gold.customer_segments version as of 0";
    let (stayed, all) = (counted(&fresh, stayed).await, counted(&fresh, all).await);
    assert!(stayed * 2 > all, "{stayed} of {all} customers are where they were");
    let names = "select count(distinct segment_name || cast(segment_id as text)) - count(distinct segment_id) from ( \
                 select segment_id, segment_name from gold.customer_segments version as of 0 union all \
                 select segment_id, segment_name from gold.customer_segments) as both";
    assert_eq!(counted(&fresh, names).await, 0, "a segment has changed its name");
    let verified = fresh.lake(2).unwrap().verify(Some("gold.*")).await.unwrap();
    assert!(verified.iter().all(|table| table.differences == 0), "{verified:?}");
}
