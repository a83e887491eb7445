//! Proves what is read off a job's text, and the order and selections of the graph.

use super::*;
use crate::contract::Layer;

fn job(name: &str, body: &str) -> Result<Job> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.sql");
    std::fs::write(&path, body).unwrap();
    Job::load(&path, TableName::parse(name).unwrap())
}

fn full(name: &str, query: &str) -> Job {
    job(name, &format!("-- Prose.\n--\n-- writes: full\n{query}")).unwrap()
}

#[test]
fn the_header_and_the_reads_are_found() {
    let job = job(
        "gold.daily",
        "-- Sales per day: net\n-- of returns.\n-- writes: full\nwith days as (select 1) select * from days, silver.a join lake.run on true",
    )
    .unwrap();
    assert_eq!(job.query.doc, "Sales per day: net of returns.");
    assert_eq!(job.query.reads, ["lake.run", "silver.a"]);
    assert_eq!(job.reads().collect::<Vec<_>>(), [TableName::new(Layer::Silver, "a")]);
    assert_eq!(job.writes, Writes::Full);
    assert_eq!(job.grows_by, None);
}

#[test]
fn a_job_may_say_by_what_its_table_grows() {
    let job = job("gold.daily", "-- writes: full\n-- grows: day\nselect day from new.silver.a").unwrap();
    assert_eq!(job.grows_by.as_deref(), Some("day"));
}

#[test]
fn comments_and_blanks_do_not_change_the_meaning() {
    let a = full("gold.a", "select x,  -- the x\n y from silver.t");
    let b = full("gold.a", "select x, y\nfrom silver.t");
    let c = full("gold.a", "select x, 'y' from silver.t");
    assert_eq!(a.query.normalised(), b.query.normalised());
    assert_ne!(a.query.normalised(), c.query.normalised());
}

#[test]
fn what_is_not_one_query_is_refused() {
    let message = |body: &str| job("gold.a", body).unwrap_err().message().to_string();
    assert_eq!(message("-- writes: full\nselect 1; select 2"), "expected one query, found 2");
    assert_eq!(message("-- writes: full\ndrop table x"), "expected a query, found another statement");
    assert_eq!(message("select 1"), "`gold.a` does not say how it writes");
    assert_eq!(message("-- writes: ful\nselect 1"), "`gold.a` cannot write `ful`");
    assert_eq!(message("-- wirtes: full\nselect 1"), "unknown header `wirtes`");
    let grown = "-- writes: append\n-- grows: day\nselect 1";
    assert_eq!(message(grown), "`gold.a` grows, but does not write its rows whole");
}

#[test]
fn every_table_comes_after_what_it_reads() {
    let jobs = [full("gold.a", "select * from gold.b"), full("gold.b", "select * from silver.c")];
    let graph = Graph::new(jobs.iter()).unwrap();
    let order: Vec<String> = graph.order().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["silver.c", "gold.b", "gold.a"]);
}

#[test]
fn a_circle_is_named() {
    let jobs = [full("gold.a", "select * from gold.b"), full("gold.b", "select * from gold.a")];
    let error = Graph::new(jobs.iter()).unwrap_err();
    assert_eq!(error.details(), ["`gold.a` reads `gold.b` reads `gold.a`"]);
}

#[test]
fn selections_match_names_patterns_and_descendants() {
    let jobs = [full("gold.a", "select * from silver.b"), full("silver.b", "select * from bronze.c")];
    let graph = Graph::new(jobs.iter()).unwrap();
    let select = |text: &str| {
        graph.select(text, |_| true).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(select("gold.a"), ["gold.a"]);
    assert_eq!(select("silver.b+"), ["silver.b", "gold.a"]);
    assert_eq!(select("gold.*, bronze.c"), ["bronze.c", "gold.a"]);
    let error = graph.select("gold.aa", |_| true).unwrap_err();
    assert_eq!(error.hints(), ["did you mean `gold.a`?"]);
}
