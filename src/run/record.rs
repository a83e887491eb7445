//! Recording: what a run did, as rows of the `ops` tables.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{Action, Judgement, Lake, Modelled, Run, TableOutcome, fingerprint, parallel};
use crate::contract::{Contract, Layer, TableName};
use crate::error::{Error, Result};
use crate::quality::{Balance, Verdict, decimal};
use crate::table::{CommitRecord, Mode, Table, Version};

/// The tables that runs are recorded in, and their contracts.
const TABLES: [(&str, &str); 6] = [
    ("runs", include_str!("ops/runs.toml")),
    ("table_runs", include_str!("ops/table_runs.toml")),
    ("expectations", include_str!("ops/expectations.toml")),
    ("reconciliation", include_str!("ops/reconciliation.toml")),
    ("models", include_str!("ops/models.toml")),
    ("model_metrics", include_str!("ops/model_metrics.toml")),
];

/// What a run has done so far; complete when it ends, well or not.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// What became of each table.
    pub tables: Vec<TableOutcome>,
    /// What was learned.
    pub models: Vec<Modelled>,
    /// How what is new was judged.
    pub judgement: Judgement,
    /// Whether files were loaded.
    pub has_loaded: bool,
}

#[derive(Serialize)]
struct ModelRow<'a> {
    run_id: &'a str,
    model: &'a str,
    algorithm: &'a str,
    version: u32,
    parameters: &'a BTreeMap<String, String>,
    seed: Option<u64>,
    as_of: Option<String>,
    trained_from: Option<String>,
    trained_through: Option<String>,
    rows: u64,
    input_versions: &'a BTreeMap<String, Version>,
    verdict: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct MetricRow<'a> {
    run_id: &'a str,
    model: &'a str,
    subject: &'a str,
    metric: &'a str,
    value: f64,
}

#[derive(Serialize)]
struct RunRow<'a> {
    run_id: &'a str,
    started_at: String,
    finished_at: String,
    status: &'a str,
    command: &'a str,
    program: String,
    project_commit: Option<String>,
    config_fingerprint: String,
    as_of: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct TableRow<'a> {
    run_id: &'a str,
    table_name: String,
    action: &'a str,
    reason: &'a str,
    input_versions: &'a BTreeMap<String, u64>,
    output_version: Option<u64>,
    rows_read: u64,
    rows_written: u64,
    rows_rejected: u64,
    bytes_written: u64,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct VerdictRow<'a> {
    run_id: &'a str,
    table_name: &'a str,
    expectation: &'a str,
    action: &'a str,
    rows_checked: u64,
    rows_failed: u64,
    sample: &'a [String],
    query: &'a str,
}

#[derive(Serialize)]
struct LedgerRow<'a> {
    run_id: &'a str,
    crossing: &'a str,
    side: &'a str,
    account: &'a str,
    rows: i64,
    amount_name: &'a str,
    amount: String,
    difference: String,
}

/// The names and contracts of the tables that runs are recorded in.
pub(super) fn contracts() -> Result<Vec<Contract>> {
    let parse = |(table, text): (&str, &str)| {
        Contract::parse(Path::new(&format!("ops/{table}.toml")), TableName::new(Layer::Ops, table), text)
    };
    TABLES.into_iter().map(parse).collect()
}

impl Lake {
    /// Records a run that did something, or failed. That a record cannot be written fails nothing else.
    pub(super) async fn record(&self, run: &Run, journal: &Journal, error: Option<&Error>) {
        let did_something = journal.has_loaded
            || journal.judgement.published
            || journal.tables.iter().any(|table| table.action != Action::Skipped);
        if !did_something && error.is_none() {
            return;
        }
        if let Err(error) = self.write_record(run, journal, error).await {
            tracing::warn!(run_id = run.id, %error, "the run could not be recorded");
        }
        self.compact_records(run).await;
    }

    async fn write_record(&self, run: &Run, journal: &Journal, error: Option<&Error>) -> Result<()> {
        let rejected = |outcome: &TableOutcome| {
            let twin = outcome.table.rejected();
            journal.tables.iter().find(|t| t.table == twin).map_or(0, |twin| twin.rows_out)
        };
        let runs = [self.run_row(run, journal, error)];
        let tables: Vec<TableRow> =
            journal.tables.iter().map(|outcome| table_row(run, outcome, rejected(outcome))).collect();
        let verdicts: Vec<VerdictRow> =
            journal.judgement.verdicts.iter().map(|verdict| verdict_row(run, verdict)).collect();
        let ledger: Vec<LedgerRow> =
            journal.judgement.balances.iter().flat_map(|balance| ledger_rows(run, balance)).collect();
        let models: Vec<ModelRow> = journal.models.iter().map(|model| model_row(run, model)).collect();
        let metrics: Vec<MetricRow> =
            journal.models.iter().flat_map(|model| metric_rows(run, model)).collect();
        let appended = contracts()?.into_iter().map(|contract| {
            let (runs, tables, verdicts, ledger) = (&runs, &tables, &verdicts, &ledger);
            let (models, metrics) = (&models, &metrics);
            async move {
                let table = Table::open(&self.store, &contract.name, None).await?;
                let draft = match contract.name.table.as_str() {
                    "runs" => table.draft(&contract, runs, &run.options).await,
                    "table_runs" => table.draft(&contract, tables, &run.options).await,
                    "expectations" => table.draft(&contract, verdicts, &run.options).await,
                    "models" => table.draft(&contract, models, &run.options).await,
                    "model_metrics" => table.draft(&contract, metrics, &run.options).await,
                    _ => table.draft(&contract, ledger, &run.options).await,
                }?;
                if draft.rows == 0 {
                    return Ok(());
                }
                let record = CommitRecord { run_id: run.id.clone(), ..Default::default() };
                table.commit(&contract, Mode::Append(&table), draft, record).await.map(|_| ())
            }
        });
        parallel::joined(appended).await.map(|_: Vec<()>| ())
    }

    fn run_row<'a>(&self, run: &'a Run, journal: &Journal, error: Option<&Error>) -> RunRow<'a> {
        let settings = self.project.config.effective.iter();
        let settings: Vec<String> = settings.map(|s| format!("{} = {}", s.key, s.value)).collect();
        RunRow {
            run_id: &run.id,
            started_at: instant(run.started_at),
            finished_at: instant(self.clock.now()),
            status: match error {
                Some(_) => "failed",
                None if journal.judgement.published => "published",
                None => "unchanged",
            },
            command: run.command,
            program: format!("lake {}", env!("CARGO_PKG_VERSION")),
            project_commit: project_commit(&self.project.folder),
            config_fingerprint: fingerprint::hash(&settings.join("\n")),
            as_of: run.as_of.map(|day| day.to_string()),
            error: error.map(ToString::to_string),
        }
    }
}

fn table_row<'a>(run: &'a Run, outcome: &'a TableOutcome, rows_rejected: u64) -> TableRow<'a> {
    TableRow {
        run_id: &run.id,
        table_name: outcome.table.to_string(),
        action: outcome.action.as_str(),
        reason: &outcome.reason,
        input_versions: &outcome.inputs,
        output_version: outcome.version,
        rows_read: outcome.rows_in,
        rows_written: outcome.rows_out,
        rows_rejected,
        bytes_written: outcome.bytes,
        seconds: outcome.seconds,
        peak_memory_bytes: outcome.peak_memory_bytes,
    }
}

fn model_row<'a>(run: &'a Run, model: &'a Modelled) -> ModelRow<'a> {
    let Modelled { estimator, learned, inputs } = model;
    ModelRow {
        run_id: &run.id,
        model: estimator.as_str(),
        algorithm: &learned.algorithm,
        version: estimator.version(),
        parameters: &learned.parameters,
        seed: learned.seed,
        as_of: run.as_of.map(|day| day.to_string()),
        trained_from: learned.trained_from.map(|day| day.to_string()),
        trained_through: learned.trained_through.map(|day| day.to_string()),
        rows: learned.rows,
        input_versions: inputs,
        verdict: learned.verdict.as_str(),
        reason: &learned.reason,
    }
}

fn metric_rows<'a>(run: &'a Run, model: &'a Modelled) -> impl Iterator<Item = MetricRow<'a>> {
    model.learned.metrics.iter().map(|metric| MetricRow {
        run_id: &run.id,
        model: model.estimator.as_str(),
        subject: &metric.subject,
        metric: &metric.name,
        value: metric.value,
    })
}

fn verdict_row<'a>(run: &'a Run, verdict: &'a Verdict) -> VerdictRow<'a> {
    VerdictRow {
        run_id: &run.id,
        table_name: &verdict.table,
        expectation: &verdict.name,
        action: verdict.severity.as_str(),
        rows_checked: verdict.rows,
        rows_failed: verdict.failed,
        sample: &verdict.sample,
        query: &verdict.query,
    }
}

fn ledger_rows<'a>(run: &'a Run, balance: &'a Balance) -> Vec<LedgerRow<'a>> {
    let differences = balance.differences();
    let row = |entry: &'a crate::quality::Entry, i: usize| LedgerRow {
        run_id: &run.id,
        crossing: &balance.name,
        side: if entry.is_in { "in" } else { "out" },
        account: &entry.account,
        rows: i64::try_from(entry.rows).unwrap_or(i64::MAX),
        amount_name: &balance.amounts[i],
        amount: decimal(entry.amounts[i]),
        difference: decimal(differences[i]),
    };
    let amounts = 0..balance.amounts.len();
    balance.entries.iter().flat_map(|entry| amounts.clone().map(move |i| row(entry, i))).collect()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The commit that the project's Git repository has checked out.
fn project_commit(folder: &Path) -> Option<String> {
    let git = folder.join(".git");
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let commit = match head.trim().strip_prefix("ref: ") {
        None => head,
        Some(reference) => std::fs::read_to_string(git.join(reference)).ok().or_else(|| {
            let packed = std::fs::read_to_string(git.join("packed-refs")).ok()?;
            packed.lines().find_map(|line| Some(line.strip_suffix(reference)?.to_string()))
        })?,
    };
    Some(commit.trim().to_string())
}

/// The most memory that the process has held so far, as Linux tells it.
pub(super) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
