//! The commands: one file each, with its arguments, its call and its printed answer. Imported by `main` alone.

mod answer;
#[cfg(unix)]
mod bench;
mod check;
mod completions;
mod config;
mod customer;
mod demo;
mod export;
mod generate;
mod ingest;
mod init;
mod log;
mod maintain;
mod models;
mod names;
mod output;
mod plan;
mod plot;
mod print;
mod progress;
mod publications;
mod run;
#[cfg(feature = "server")]
mod serve;
mod shell;
mod sql;
mod status;
#[cfg(feature = "server")]
mod user;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use lake::clock::SystemClock;
use lake::config::{Config, LogFormat};
use lake::engine::STACK_BYTES;
use lake::error::{Error, Result};
use lake::project::Project;
use lake::run::{Lake, Observer};

pub use log::report;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Turns raw retail exports into tables a business can trust.
///
/// A lake is a folder of plain text (`bronze silver gold sql config`) and the Delta tables made by it:
/// bronze as received, silver valid and explained, gold ready to be read. Every run proves that what went
/// in came out, and publishes all tables at once or none.
#[derive(Debug, Parser)]
#[command(name = "lake", version, styles = STYLES, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  lake demo                                 a year of simulated sales, from raw files to gold
  lake init shop && cd shop                 a project of your own
  lake run --layer gold                     load what has landed, build what is stale, publish
  lake sql 'select * from gold.daily_sales limit 5'

Exit codes: 0 done; 1 failed, and may succeed another time; 2 the command, the project or a file must be mended;
3 the data must be looked at: its books, a `fail` expectation, what `lake verify` found; 130 interrupted.";

/// Options of every command.
#[derive(Args, Clone, Debug)]
struct Global {
    /// The folder of the project
    #[arg(long, global = true, value_name = "DIR", env = "LAKE_PROJECT", default_value = ".")]
    project: PathBuf,
    /// The environment: config/NAME.toml is laid over config/lake.toml
    #[arg(long, global = true, value_name = "NAME")]
    env: Option<String>,
    /// Where the tables lie: a folder or a URL [config: root]
    #[arg(long, global = true, value_name = "DIR|URL", help_heading = "Settings")]
    root: Option<String>,
    /// How many threads work at once, at most 1024; 0 takes every core [config: threads]
    #[arg(long, global = true, value_name = "N", help_heading = "Settings")]
    threads: Option<usize>,
    /// Memory that queries may take before they spill, e.g. 2GB [config: memory_limit]
    #[arg(long, global = true, value_name = "SIZE", help_heading = "Settings")]
    memory_limit: Option<String>,
    /// How events and progress are written to standard error [config: log.format]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Settings")]
    log_format: Option<LogFormatArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatArg {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Generate(generate::GenerateArgs),
    Ingest(ingest::IngestArgs),
    Check(check::CheckArgs),
    Plan(plan::PlanArgs),
    Run(run::RunArgs),
    Sql(sql::SqlArgs),
    Export(export::ExportArgs),
    #[cfg(feature = "server")]
    Serve(serve::ServeArgs),
    #[cfg(feature = "server")]
    User(user::UserArgs),
    Shell(shell::ShellArgs),
    Status(status::StatusArgs),
    Publications(publications::PublicationsArgs),
    Rollback(publications::RollbackArgs),
    Test(verify::TestArgs),
    Verify(verify::VerifyArgs),
    Models(models::ModelsArgs),
    Plot(plot::PlotArgs),
    Customer(customer::CustomerArgs),
    Recommend(customer::RecommendArgs),
    History(maintain::HistoryArgs),
    Optimize(maintain::OptimizeArgs),
    Vacuum(maintain::VacuumArgs),
    Config(config::ConfigArgs),
    Demo(demo::DemoArgs),
    #[cfg(unix)]
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let global = &self.global;
        match self.command {
            Command::Init(args) => init::init(&args),
            Command::Generate(args) => generate::generate(&args),
            Command::Ingest(args) => in_lake(global, Bars::Shown, |lake| ingest::ingest(lake, args)),
            Command::Check(args) => in_lake(global, Bars::Hidden, |lake| check::check(lake, args)),
            Command::Plan(args) => in_lake(global, Bars::Hidden, |lake| plan::plan(lake, args)),
            Command::Publications(args) => {
                in_lake(global, Bars::Hidden, |lake| publications::publications(lake, args))
            }
            Command::Rollback(args) => {
                in_lake(global, Bars::Shown, |lake| publications::rollback(lake, args))
            }
            Command::Test(args) => in_lake(global, Bars::Shown, |lake| verify::test(lake, args)),
            Command::Verify(args) => in_lake(global, Bars::Shown, |lake| verify::verify(lake, args)),
            Command::Models(args) => in_lake(global, Bars::Hidden, |lake| models::models(lake, args)),
            Command::Plot(args) => in_lake(global, Bars::Hidden, |lake| plot::plot(lake, args)),
            Command::Customer(args) => in_lake(global, Bars::Hidden, |lake| customer::customer(lake, args)),
            Command::Recommend(args) => in_lake(global, Bars::Hidden, |lake| customer::recommend(lake, args)),
            Command::History(args) => in_lake(global, Bars::Hidden, |lake| maintain::history(lake, args)),
            Command::Optimize(args) => in_lake(global, Bars::Shown, |lake| maintain::optimize(lake, args)),
            Command::Vacuum(args) => in_lake(global, Bars::Shown, |lake| maintain::vacuum(lake, args)),
            Command::Run(args) => in_lake(global, Bars::Shown, |lake| run::run(lake, args)),
            Command::Sql(args) => in_lake(global, Bars::Hidden, |lake| sql::sql(lake, args)),
            Command::Export(args) => in_lake(global, Bars::Shown, |lake| export::export(lake, args)),
            #[cfg(feature = "server")]
            Command::Serve(args) => in_lake_with(global, &args.flags(), Bars::Hidden, serve::serve),
            #[cfg(feature = "server")]
            Command::User(args) => user::user(global, &args),
            Command::Shell(args) => in_lake(global, Bars::Hidden, |lake| shell::shell(lake, args)),
            Command::Status(args) => in_lake(global, Bars::Hidden, |lake| status::status(lake, args)),
            Command::Config(args) => config::config(global, &args),
            Command::Demo(args) => demo::demo(global, &args),
            #[cfg(unix)]
            Command::Bench(args) => bench::bench(global, &args),
            Command::Completions(args) => completions::completions(&args),
        }
    }
}

impl Global {
    /// The folder of the project, written so that the paths in it read as a user would write them.
    fn folder(&self) -> PathBuf {
        if self.project == Path::new(".") { PathBuf::new() } else { self.project.clone() }
    }

    /// The configuration of the project in `folder` under these options.
    fn load(&self, folder: &Path) -> Result<Config> {
        self.load_with(folder, &[])
    }

    /// The same, under a command's own options as well: settings and their values.
    fn load_with(&self, folder: &Path, own: &[(&'static str, String)]) -> Result<Config> {
        let mut flags: Vec<(&str, String)> = own.to_vec();
        flags.extend(self.env.clone().map(|value| ("environment", value)));
        flags.extend(self.root.clone().map(|value| ("root", value)));
        flags.extend(self.threads.map(|value| ("threads", value.to_string())));
        flags.extend(self.memory_limit.clone().map(|value| ("memory_limit", value)));
        flags.extend(self.log_format.map(|format| {
            let (format, text) = match format {
                LogFormatArg::Human => (LogFormat::Human, "human"),
                LogFormatArg::Json => (LogFormat::Json, "json"),
            };
            // What is wrong with the settings is said in the same format.
            log::write_errors_as(format);
            ("log.format", text.to_string())
        }));
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(name, _)| !name.starts_with(TESTS))
            .collect();
        Config::load(folder, &variables, &flags)
    }
}

/// Variables whose names begin so belong to the program's tests and are no settings.
const TESTS: &str = "LAKE_TEST_";

/// A root that is a local file cannot hold tables.
fn check_root(folder: &Path, root: &str) -> Result<()> {
    match folder.join(root).is_file() {
        false => Ok(()),
        true => Err(Error::invalid(format!("the root of the lake, `{root}`, is a file and not a folder"))
            .hint("name a folder with `--root DIR`, or as `root` in config/lake.toml")),
    }
}

/// Whether a command shows progress.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bars {
    Shown,
    Hidden,
}

/// Opens the lake of the project that the options name and runs `command` in it.
fn in_lake<F>(global: &Global, bars: Bars, command: impl FnOnce(Lake) -> F + Send) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    in_lake_with(global, &[], bars, command)
}

/// The same, under the command's own settings as well.
fn in_lake_with<F>(
    global: &Global,
    own: &[(&'static str, String)],
    bars: Bars,
    command: impl FnOnce(Lake) -> F + Send,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let folder = global.folder();
    let config = global.load_with(&folder, own)?;
    log::send_to_stderr(&config.settings.log)?;
    check_root(&folder, &config.settings.root)?;
    let observer: Arc<dyn Observer> = match bars {
        Bars::Shown => progress::observer(config.settings.log.format),
        Bars::Hidden => Arc::new(lake::run::Silent),
    };
    let threads = lake::engine::threads(&config.settings);
    let project = Project::load(&folder, config)?;
    lake::table::register_cloud_stores();
    let lake = Lake::open(project, Arc::new(SystemClock), observer)?;
    let runtime = runtime(threads)?;
    let ended = on_deep_stack(|| runtime.block_on(command(lake)))?;
    // What an interrupted run was at, such as a fit, is not waited for.
    runtime.shutdown_background();
    ended
}

/// What some work gives, done on a thread that can plan the deepest statement.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|e| Error::unavailable(format!("cannot start a thread: {e}")))?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The asynchronous runtime of the process.
fn runtime(threads: usize) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|e| Error::unavailable(format!("cannot start the program's threads: {e}")))
}
