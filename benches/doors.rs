//! What the doors of `lake serve` can do: latency of dashboard queries, the speed of a long answer, a mixed load.
//!
//! `cargo bench --bench doors` makes a lake of about 540,000 lines (`LAKE_BENCH_PROJECT=DIR` takes a project that has
//! been run), serves it, and prints what it measured. `LAKE_BENCH_SECONDS` is how long the mixed load lasts.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::{StreamExt, TryStreamExt};
use tonic::transport::Channel;

/// What this benchmark listens to, and the program would take for settings.
const PROJECT: &str = "LAKE_BENCH_PROJECT";
const SECONDS: &str = "LAKE_BENCH_SECONDS";

/// What a dashboard asks.
const DASHBOARD: [&str; 8] = [
    "select sale_date, net_revenue, net_revenue_7d_avg from gold.daily_sales order by sale_date",
    "select country, net_revenue, orders from gold.country_sales order by revenue_rank limit 10",
    "select stock_code, description, net_revenue from gold.top_products order by revenue_rank limit 20",
    "select segment, count(*) as customers, sum(monetary) as revenue from gold.rfm group by segment order by segment",
    "select cohort_month, months_since, retention from gold.cohort_retention order by cohort_month, months_since",
    "select sum(net_revenue) as net, sum(orders) as orders from gold.daily_sales where sale_date >= date '2011-06-01'",
    "select count(*) from gold.rfm",
    "select * from gold.customer_segments order by customer_id limit 50",
];

/// A long answer.
const LONG: &str = "select * from silver.transactions limit 500000";

const LATENCY: Duration = Duration::from_secs(15);
const ROUNDS: usize = 5;
const CLIENTS: usize = 8;
const CROWD: usize = 32;

#[tokio::main]
async fn main() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let project = std::env::var_os(PROJECT).map_or_else(|| made(scratch.path()), PathBuf::from);
    let server = Server::start(&project).await;
    println!("ready after {:.3} s, {} MB", server.ready.as_secs_f64(), server.resident_mb());
    let questions = answered(&server).await;
    latency(&server, &questions).await;
    long_answers(&server).await;
    crowd(&server, &questions).await;
}

/// A project with a year of sales, run once.
fn made(scratch: &Path) -> PathBuf {
    let project = scratch.join("project");
    lake(&["init", project.to_str().expect("a plain path")], scratch);
    let arguments =
        ["generate", "--lines", "540000", "--customers", "4400", "--out", "landing/online_retail"];
    lake(&arguments, &project);
    lake(&["run"], &project);
    project
}

fn lake(arguments: &[&str], folder: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
    let output = command.args(arguments).env_remove(SECONDS).current_dir(folder).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server of a project; it ends with this.
struct Server {
    process: Child,
    postgres: u16,
    flight: u16,
    ready: Duration,
}

impl Server {
    async fn start(project: &Path) -> Server {
        let [postgres, flight, http] = [free_port(), free_port(), free_port()];
        let clock = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_lake"))
            .args(["serve", "--postgres-port", &postgres.to_string(), "--flight-port", &flight.to_string()])
            .args(["--http-port", &http.to_string()])
            .env_remove(PROJECT)
            .env_remove(SECONDS)
            .current_dir(project)
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut server = Server { process, postgres, flight, ready: Duration::ZERO };
        while tokio::net::TcpStream::connect(("127.0.0.1", postgres)).await.is_err() {
            assert!(clock.elapsed() < Duration::from_secs(30), "the server does not listen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(server.client().await);
        server.ready = clock.elapsed();
        server
    }

    async fn client(&self) -> tokio_postgres::Client {
        let address = format!("host=127.0.0.1 port={} user=bench dbname=lake", self.postgres);
        let (client, connection) =
            tokio_postgres::connect(&address, tokio_postgres::NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    async fn flight(&self) -> FlightSqlServiceClient<Channel> {
        let address = format!("http://127.0.0.1:{}", self.flight);
        let channel = Channel::from_shared(address).expect("an address").connect().await;
        FlightSqlServiceClient::new(channel.expect("a connection"))
    }

    fn resident_mb(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The questions that the lake can answer: all of them where it is whole.
async fn answered(server: &Server) -> Arc<Vec<&'static str>> {
    let client = server.client().await;
    let mut questions = Vec::new();
    for question in DASHBOARD {
        match client.simple_query(question).await {
            Ok(_) => questions.push(question),
            Err(error) => println!("not asked: {question}: {error}"),
        }
    }
    Arc::new(questions)
}

/// Latency of dashboard queries while eight clients ask one after the other.
async fn latency(server: &Server, questions: &Arc<Vec<&'static str>>) {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (client, questions) = (server.client().await, questions.clone());
        clients.push(tokio::spawn(async move {
            let (clock, mut taken) = (Instant::now(), Vec::new());
            for question in questions.iter().cycle().skip(number) {
                let asked = Instant::now();
                client.simple_query(question).await.expect("an answer");
                taken.push(asked.elapsed().as_secs_f64() * 1e3);
                if clock.elapsed() > LATENCY {
                    break;
                }
            }
            taken
        }));
    }
    let mut taken = Vec::new();
    for client in clients {
        taken.extend(client.await.expect("a client ends"));
    }
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize];
    println!(
        "{CLIENTS} clients, dashboard queries: p50 {:.1} ms, p99 {:.1} ms, {:.0} a second",
        at(0.5),
        at(0.99),
        taken.len() as f64 / LATENCY.as_secs_f64()
    );
}

/// Rows a second of one long answer through both doors, in turn; medians.
async fn long_answers(server: &Server) {
    let client = server.client().await;
    let mut other = server.flight().await;
    let (mut postgres, mut arrow, mut rows) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let clock = Instant::now();
        let no_parameters: [&str; 0] = [];
        let answer = client.query_raw(LONG, no_parameters).await.expect("an answer");
        let count = answer.map_ok(|_| 1_usize).try_fold(0, |sum, one| async move { Ok(sum + one) }).await;
        rows = count.expect("rows");
        postgres.push(clock.elapsed().as_secs_f64());
        let clock = Instant::now();
        let mut batches = flight(&mut other, LONG).await;
        let mut count = 0;
        while let Some(batch) = batches.next().await {
            count += batch.expect("rows").num_rows();
        }
        assert_eq!(count, rows, "both doors give the same rows");
        arrow.push(clock.elapsed().as_secs_f64());
    }
    let [postgres, arrow] = [postgres, arrow].map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    });
    let speed = |seconds: f64| rows as f64 / seconds;
    println!("postgres: {rows} rows in {postgres:.2} s, {:.0} a second", speed(postgres));
    println!(
        "flight: {rows} rows in {arrow:.2} s, {:.0} a second, {:.1} times as fast",
        speed(arrow),
        postgres / arrow
    );
}

async fn flight(
    client: &mut FlightSqlServiceClient<Channel>,
    question: &str,
) -> arrow_flight::decode::FlightRecordBatchStream {
    let info = client.execute(question.to_string(), None).await.expect("a plan");
    let ticket = info.endpoint[0].ticket.clone().expect("a ticket");
    client.do_get(ticket).await.expect("an answer")
}

/// Thirty-two clients of both doors, some of which ask for much, some of which leave in the middle.
async fn crowd(server: &Server, questions: &Arc<Vec<&'static str>>) {
    let seconds = std::env::var(SECONDS).ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = Vec::new();
    for number in 0..CROWD {
        let (stop, answers, questions) = (stop.clone(), answers.clone(), questions.clone());
        if number % 4 == 3 {
            let mut client = server.flight().await;
            clients.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let mut batches = flight(&mut client, LONG).await;
                    // Every other answer is left in the middle.
                    let wanted =
                        if answers.fetch_add(1, Ordering::Relaxed) % 2 == 0 { 2 } else { usize::MAX };
                    let mut taken = 0;
                    while taken < wanted
                        && let Some(batch) = batches.next().await
                    {
                        batch.expect("rows");
                        taken += 1;
                    }
                }
            }));
        } else {
            let client = server.client().await;
            clients.push(tokio::spawn(async move {
                for question in questions.iter().cycle().skip(number) {
                    client.simple_query(question).await.expect("an answer");
                    answers.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }));
        }
    }
    let mut most = 0;
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        most = most.max(server.resident_mb());
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client meets an error");
    }
    println!(
        "{CROWD} clients for {seconds} s: {} answers, no error, at most {most} MB",
        answers.load(Ordering::Relaxed)
    );
}
