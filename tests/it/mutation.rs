//! Mutations: a job that loses a row, doubles one, or shifts an amount by a penny publishes nothing, whatever
//! the table, whether it is built whole or from what is new.
//!
//! `LAKE_TEST_SEED` chooses the rows, and which mutations are tried where `LAKE_TEST_CASES` asks for few. Rows that
//! sums cannot tell from none are chosen by name as well.

use std::sync::Mutex;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use lake::contract::{Contract, TableName};
use lake::error::Kind;
use lake::job::Writes;
use lake::run::Action;
use lake_generate::{Dirt, Parameters, Split};

use crate::faults::{Cases, Chance, block_on, copy_of, in_parallel, seed, shown};
use crate::support::{Fresh, HEADER};

/// Beside the generated lines: a correction alone in its country and on its day, for a product that nobody bought;
/// a product whose middle two prices differ; one that came back as it went; a repeat; a line that is refused.
const EXTRA: &str = "A900001,99997,BOOK CORRECTION,1,4/2/2011 9:00,5.00,,Atlantis\n\
                     900010,99998,TIED,1,1/10/2011 9:00,1.00,12345,United Kingdom\n\
                     900011,99998,TIED,1,1/11/2011 9:00,2.00,12345,United Kingdom\n\
                     900011,99998,TIED,1,1/11/2011 9:00,2.00,12345,United Kingdom\n\
                     900012,99996,CANCELLED OUT,2,1/12/2011 9:00,3.00,12346,France\n\
                     C900013,99996,CANCELLED OUT,-2,1/12/2011 10:00,3.00,12346,France\n\
                     900014,99995,REFUSED,0,1/12/2011 11:00,3.00,12346,France\n\
                     900015,99994,ONE,1,1/12/2011 11:00,1.00,12346,France\n\
                     900016,99994,ONE,3,1/12/2011 11:30,1.00,12347,France\n\
                     900017,99994,ONE,8,1/12/2011 11:40,1.00,12348,France\n";

/// The delivery of which a job spoils the rows, in a country of its own: a sale, its repeat, a line that is
/// refused, a return; a second product of the order, and the first one bought by somebody known.
const SECOND: &str = "900020,99990,NEW THING,3,4/5/2011 9:00,4.00,99990,Lemuria\n\
                      900020,99990,NEW THING,3,4/5/2011 9:00,4.00,99990,Lemuria\n\
                      900021,99990,NEW THING,0,4/5/2011 9:05,4.00,99990,Lemuria\n\
                      C900022,99990,NEW THING,-1,4/5/2011 9:30,4.00,99990,Lemuria\n\
                      900020,99991,NEW THING TOO,1,4/5/2011 9:00,2.00,99990,Lemuria\n\
                      900023,99990,NEW THING,1,4/5/2011 10:00,4.00,12345,United Kingdom\n";

/// Orders and pairs of so small a shop that count.
const LIMITS: &str = "smallest_basket,largest_basket,least_orders\n2,100,1\n";

/// Rows that are not there to a sum, or whose neighbours hide them.
const HIDDEN: [(&str, What, &str); 21] = [
    ("silver.price_points", What::Drop, "units = returned_units and units > 0"),
    ("silver.price_points", What::Drop, "units = 0 and returned_units = 0"),
    ("silver.price_points", What::Shift("unit_price"), "units = returned_units and units > 0"),
    ("silver.price_points", What::Shift("unit_price"), "units = 0 and returned_units = 0"),
    ("silver.products", What::Shift("median_price"), "stock_code = '99998'"),
    ("gold.cohort_retention", What::Drop, "customers = 0 and net_revenue = 0"),
    ("gold.cohort_retention", What::Drop, "cohort_month = date '2011-01-01' and months_since = 3"),
    ("gold.country_sales", What::Drop, "lines = 0 and net_revenue = 0 and other_charges = 0"),
    ("gold.daily_sales", What::Drop, "not is_trading_day"),
    ("gold.daily_sales", What::Drop, "is_trading_day and net_revenue = 0 and other_charges = 0"),
    ("gold.daily_sales", What::Shift("aov"), "orders > 2"),
    ("gold.daily_sales", What::Shift("largest_order"), "orders > 2"),
    ("gold.daily_sales", What::Shift("smallest_order"), "orders > 2"),
    ("gold.top_products", What::Drop, "units = 0 and returns_amount = 0"),
    ("gold.top_products", What::Double, "units = 0 and returns_amount = 0"),
    ("gold.product_companions", What::Drop, "orders_in_pairs = 0 and orders_in_rare_pairs = 0"),
    ("gold.product_pairs", What::Shift("leverage"), "true"),
    ("gold.recommendations", What::Drop, "rank = 10"),
    ("gold.recommendation_quality", What::Drop, "algorithm = 'popularity'"),
    ("gold.segment_differences", What::Shift("difference"), "true"),
    ("gold.segment_profiles", What::Shift("mean_units"), "true"),
];

/// In each table, the rows that the second delivery brings.
///
/// The segment is asked for by an aggregate: DataFusion 55.2 takes a scalar subquery over a column without NULL
/// for never NULL, though it may have no row, and drops the `coalesce` around it.
const NEW_ROWS: [(&str, &str); 28] = [
    ("silver.transactions", "ends_with(_source_file, '/2.csv') and _source_line = 2"),
    ("silver.transactions_duplicates", "ends_with(_source_file, '/2.csv') and _source_line = 3"),
    ("silver.transactions_rejected", "ends_with(_source_file, '/2.csv') and _source_line = 4"),
    ("silver.invoices", "invoice_no = '900020'"),
    ("silver.returns", "return_invoice_no = 'C900022'"),
    ("silver.net_sales", "invoice_no = '900020'"),
    ("silver.price_points", "stock_code = '99990'"),
    ("silver.customers", "customer_id = 99990"),
    ("silver.products", "stock_code = '99990'"),
    ("gold.cohort_retention", "cohort_month = date '2011-04-01' and months_since = 0"),
    ("gold.country_sales", "country = 'Lemuria'"),
    ("gold.customer_features", "customer_id = 99990"),
    ("gold.customer_histories", "customer_id = 99990"),
    ("gold.forecast", "series = 'orders' and date = date '2011-05-02'"),
    ("gold.forecast_backtest", "series = 'orders' and horizon = 1 and model = 'theta'"),
    ("gold.forecast_accuracy", "series = 'orders' and model = 'theta'"),
    ("gold.daily_sales", "sale_date = date '2011-04-05'"),
    ("gold.rfm", "customer_id = 99990"),
    ("gold.rfm_segments", "segment = (select max(segment) from gold.rfm where customer_id = 99990)"),
    ("gold.top_products", "stock_code = '99990'"),
    ("gold.product_pairs", "stock_code_a = '99990'"),
    ("gold.product_companions", "stock_code = '99990'"),
    ("gold.recommendations", "customer_id = 99990 and rank = 1"),
    ("gold.recommendation_quality", "algorithm = 'popularity'"),
    ("gold.customer_segments", "customer_id = 99990"),
    (
        "gold.segment_profiles",
        "segment_id = (select max(segment_id) from gold.customer_segments where customer_id = 99990)",
    ),
    (
        "gold.segment_differences",
        "feature = 'monetary' and segment_id = (select max(case when customer_id = 99990 then 1 end) \
         from gold.customer_features)",
    ),
    ("gold.segment_migrations", "from_segment_id is null"),
];

/// What is done to a row.
#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Nothing,
    Drop,
    Double,
    /// A penny is added to the amount of this name.
    Shift(&'a str),
}

/// The text of a job, changed, and what was changed about it.
struct Mutation {
    name: String,
    file: String,
    sql: String,
}

impl Mutation {
    /// Does `what` to the rows for which `pick` is true. The rows have a number, `mutated_n`: those among which
    /// one is chosen come first, in the order of the key.
    fn new(fresh: &Fresh, contract: &Contract, what: What<'_>, among: &str, pick: &str) -> Mutation {
        let table = &contract.name;
        let file = format!("sql/{}/{}.sql", table.layer.as_str(), table.table);
        let text = std::fs::read_to_string(fresh.path().join(&file)).unwrap();
        let (header, query): (Vec<&str>, Vec<&str>) = {
            let length = text.lines().take_while(|line| line.starts_with("--")).count();
            (text.lines().take(length).collect(), text.lines().skip(length).collect())
        };
        let pick = format!("coalesce({pick}, false)");
        let columns = contract.columns.iter().map(|column| match what {
            What::Shift(name) if name == column.name => {
                let data_type = Contract::type_name(&column.data_type);
                format!("cast(case when {pick} then {name} + 0.01 else {name} end as {data_type}) as {name}")
            }
            _ => column.name.clone(),
        });
        let rest = match what {
            What::Nothing | What::Shift(_) => String::new(),
            What::Drop => format!("where not {pick}"),
            What::Double => format!(
                "cross join (select 1 as copy union all select 2 as copy) as copies\n\
                 where copies.copy = 1 or {pick}"
            ),
        };
        let sql = format!(
            "{}\nselect {}\nfrom (\nselect *, row_number() over (order by case when {among} then 0 else 1 end, {}) \
             as mutated_n\nfrom (\n{}\n) as original\n) as numbered\n{rest}\n",
            header.join("\n"),
            columns.collect::<Vec<_>>().join(", "),
            contract.key.join(", "),
            query.join("\n"),
        );
        Mutation { name: format!("{table}: {what:?} where {pick} among {among}"), file, sql }
    }
}

/// The contracts of the tables that jobs make.
fn made(fresh: &Fresh) -> Vec<Contract> {
    let project = fresh.lake(2).unwrap().project;
    let jobs = project.jobs.iter().filter(|(_, job)| job.writes != Writes::Nothing);
    let has_file = |name: &TableName| {
        fresh.path().join(format!("sql/{}/{}.sql", name.layer.as_str(), name.table)).is_file()
    };
    jobs.filter(|(name, _)| has_file(name)).map(|(name, _)| project.contracts[name].clone()).collect()
}

/// The columns of a table that hold amounts: decimals that are no whole numbers, as hashes are.
fn amounts(contract: &Contract) -> Vec<&str> {
    let columns = contract.columns.iter();
    let amounts = columns.filter(|column| matches!(column.data_type, DataType::Decimal128(_, 1..)));
    amounts.map(|column| column.name.as_str()).collect()
}

async fn rows(fresh: &Fresh, table: &TableName, among: &str) -> u64 {
    let batches = fresh.ask(&format!("select count(*) from {table} where {among}")).await;
    batches[0].column(0).as_primitive::<Int64Type>().value(0).unsigned_abs()
}

/// A lake of some hundred lines, built and published.
async fn published(seed: u64) -> Fresh {
    let fresh = Fresh::new();
    let day = |text: &str| text.parse().unwrap();
    let (from, to) = (day("2011-01-03"), day("2011-03-31"));
    let (split, dirt) = (Split::None, Dirt::Normal);
    let parameters = Parameters { seed, customers: 40, lines: 500, from, to, split, dirt };
    let landing = fresh.path().join("landing/online_retail");
    lake_generate::generate(&parameters, &landing, &|_| ()).unwrap();
    fresh.land("extra.csv", format!("{HEADER}{EXTRA}"));
    fresh.write("gold/product_pair_limits.csv", LIMITS);
    fresh.run().await.unwrap();
    fresh
}

/// A row less, a row more, and a penny in each amount, of each table; then what sums cannot see.
async fn mutations(fresh: &Fresh, seed: u64) -> Vec<Mutation> {
    let mut chance = Chance::new(seed);
    let contracts = made(fresh);
    let mut wanted: Vec<(&Contract, What<'_>, String)> = Vec::new();
    // What moved between two publications has no rows after the first.
    for contract in contracts.iter().filter(|contract| contract.name.table != "segment_migrations") {
        wanted.extend([What::Drop, What::Double].map(|what| (contract, what, "true".to_string())));
        let amounts = amounts(contract).into_iter();
        wanted.extend(amounts.map(|name| (contract, What::Shift(name), format!("{name} is not null"))));
        let name = contract.name.to_string();
        let hidden = HIDDEN.iter().filter(|(table, ..)| *table == name);
        wanted.extend(hidden.map(|(_, what, among)| (contract, *what, among.to_string())));
    }
    let mut mutations = Vec::new();
    for (contract, what, among) in wanted {
        let rows = rows(fresh, &contract.name, &among).await;
        assert!(rows > 0, "{}: there is no row where {among}", contract.name);
        let pick = format!("mutated_n = {}", 1 + chance.below(rows));
        mutations.push(Mutation::new(fresh, contract, what, &among, &pick));
    }
    mutations
}

/// What a lake said about a mutation, if it did not refuse it.
async fn survives(base: &Fresh, mutation: &Mutation) -> Option<String> {
    let fresh = copy_of(base);
    let before = fresh.lake(2).unwrap().status().await.unwrap().publication;
    fresh.write(&mutation.file, &mutation.sql);
    let told = match fresh.run().await {
        Ok(_) => "it is published".to_string(),
        Err(error) if error.kind() != Kind::Data => error.to_string(),
        Err(_) if fresh.lake(2).unwrap().status().await.unwrap().publication != before => {
            "it is refused and published".into()
        }
        Err(_) => return None,
    };
    Some(format!("{}: {told}", mutation.name))
}

#[test]
fn no_row_less_no_row_more_and_no_penny_is_published() {
    let seed = seed();
    let base = block_on(published(seed));
    let mut mutations = block_on(mutations(&base, seed));
    Chance::new(seed).shuffle(&mut mutations);
    mutations.truncate(Cases::asked().of(mutations.len() / 10, mutations.len()));
    let tried = mutations.len();
    let survivors = Mutex::new(Vec::new());
    let (base, survived) = (&base, &survivors);
    in_parallel(mutations, |mutation| async move {
        let told = survives(base, &mutation).await;
        survived.lock().unwrap().extend(told);
    });
    let mut survivors = survivors.into_inner().unwrap();
    survivors.sort();
    assert!(
        survivors.is_empty(),
        "{} of {tried} mutations were not caught\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}

/// The frame of a mutation alone is no reason to refuse anything, and hinders no increment.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_only_number_their_rows_are_published() {
    let fresh = Fresh::new();
    for contract in made(&fresh) {
        for what in [What::Nothing, What::Double] {
            let mutation = Mutation::new(&fresh, &contract, what, "true", "false");
            fresh.write(&mutation.file, &mutation.sql);
        }
    }
    fresh.land("1.csv", format!("{HEADER}{EXTRA}"));
    assert!(fresh.run().await.unwrap().judgement.published);
    fresh.land("2.csv", format!("{HEADER}{SECOND}"));
    let summary = fresh.run().await.unwrap();
    assert!(summary.judgement.published);
    let lines = summary.tables.iter().find(|table| table.table.to_string() == "silver.transactions").unwrap();
    assert_eq!(lines.action, Action::Increment, "{}", lines.reason);
}

#[test]
fn what_is_spoilt_in_an_increment_is_not_published_and_the_first_publication_stays() {
    let seed = seed();
    let plain = Fresh::new();
    plain.write("gold/product_pair_limits.csv", LIMITS);
    plain.land("1.csv", format!("{HEADER}{EXTRA}"));
    let contracts = made(&plain);
    // With so few customers their value is withheld, and what would have been written with it.
    let names = contracts.iter().map(|contract| contract.name.to_string());
    let names: Vec<String> = names.filter(|name| !name.starts_with("gold.cltv")).collect();
    let listed = |name: &String| NEW_ROWS.iter().any(|(table, _)| table == name);
    assert!(names.iter().all(listed), "every table of {names:?} needs a line in NEW_ROWS");
    let mut chance = Chance::new(seed);
    let mut mutations = Vec::new();
    for (table, pick) in NEW_ROWS {
        let contract = contracts.iter().find(|contract| contract.name.to_string() == table).unwrap();
        let mut possible = vec![What::Drop, What::Double];
        possible.extend(amounts(contract).into_iter().map(What::Shift));
        chance.shuffle(&mut possible);
        let chosen = possible.into_iter().take(2);
        mutations.extend(chosen.map(|what| Mutation::new(&plain, contract, what, "true", pick)));
    }
    chance.shuffle(&mut mutations);
    mutations.truncate(Cases::asked().of(mutations.len() / 10, mutations.len()));
    let plain = &plain;
    in_parallel(mutations, |mutation| async move {
        let fresh = copy_of(plain);
        let name = &mutation.name;
        fresh.write(&mutation.file, &mutation.sql);
        fresh.run().await.unwrap_or_else(|error| panic!("{name}: the first run: {error}"));
        let before = shown(&fresh).await;
        fresh.land("2.csv", format!("{HEADER}{SECOND}"));
        let ended = fresh.run().await;
        let error = ended.err().unwrap_or_else(|| panic!("{name}: it is published"));
        assert_eq!(error.kind(), Kind::Data, "{name}: {error}");
        assert!(shown(&fresh).await == before, "{name}: the first publication has changed");
    });
}
