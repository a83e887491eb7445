//! The PostgreSQL door, by a driver of PostgreSQL: what is answered, what is refused, and what each client may take.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use futures::{StreamExt, pin_mut};
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::support::{Fresh, HEADER};

const LINES: &str = "536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
                     536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France\n";

/// A query that takes much longer than any test.
const SLOW: &str = "select sum((a.value * b.value) % 7) from generate_series(1, 1000000) as a \
                    cross join generate_series(1, 1000000) as b";

/// A lake with two days of sales, one for all tests that only read it.
fn shop() -> Arc<Fresh> {
    static SHOP: Mutex<Weak<Fresh>> = Mutex::new(Weak::new());
    let mut known = SHOP.lock().unwrap();
    known.upgrade().unwrap_or_else(|| {
        let shop = Arc::new(built());
        *known = Arc::downgrade(&shop);
        shop
    })
}

fn built() -> Fresh {
    let fresh = Fresh::new();
    fresh.land("a.csv", format!("{HEADER}{LINES}"));
    assert!(fresh.command(&["run"]).status.success());
    fresh
}

/// The program in a project's folder, with these settings and no others.
fn program(fresh: &Fresh, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
    command.current_dir(fresh.path()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKE_")) {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied());
    command
}

/// A server that is at work.
struct Server {
    child: Child,
    postgres: SocketAddr,
    http: SocketAddr,
    _shop: Option<Arc<Fresh>>,
}

impl Server {
    /// A server of the shop.
    fn start(settings: &[(&str, &str)]) -> Server {
        let shop = shop();
        let mut server = Server::of(&shop, settings);
        server._shop = Some(shop);
        server
    }

    fn of(fresh: &Fresh, settings: &[(&str, &str)]) -> Server {
        let mut child = program(fresh, settings)
            .args(["serve", "--postgres-port", "0", "--flight-port", "0", "--http-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let (mut postgres, mut http) = (None, None);
        for line in lines {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("postgresql"), Some(address)) => postgres = address.parse().ok(),
                (Some("http"), Some(url)) => {
                    let address = url.trim_start_matches("http://").trim_end_matches("/health");
                    http = address.parse().ok();
                }
                _ => {}
            }
            if postgres.is_some() && http.is_some() {
                break;
            }
        }
        Server { child, postgres: postgres.unwrap(), http: http.unwrap(), _shop: None }
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(self.postgres.ip().to_string()).port(self.postgres.port()).user("ann").dbname("lake");
        config
    }

    /// A client, and what carries its connection.
    async fn connect(&self) -> (Client, JoinHandle<()>) {
        connected(&self.config()).await.unwrap()
    }

    /// What the server counts under a name and its labels.
    fn metric(&self, name: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lake\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Waits until the server counts so many.
    async fn until(&self, name: &str, wanted: f64) {
        let begun = Instant::now();
        while self.metric(name) != Some(wanted) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{name} is {:?}", self.metric(name));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connected(config: &Config) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    Ok((client, tokio::spawn(async move { _ = connection.await })))
}

/// The rows of an answer as texts.
async fn texts(client: &Client, query: &str) -> Vec<Vec<Option<String>>> {
    let answer = client.simple_query(query).await.unwrap_or_else(|e| panic!("{query}: {e:?}"));
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| (0..row.len()).map(|at| row.get(at).map(String::from)).collect()).collect()
}

/// The one value of an answer.
async fn text(client: &Client, query: &str) -> String {
    texts(client, query).await[0][0].clone().unwrap()
}

/// The code of a refusal.
fn code(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| format!("{error:?}"), |error| error.code().code().to_string())
}

/// The code with which a statement is refused.
async fn refused(client: &Client, query: &str) -> String {
    match client.simple_query(query).await {
        Ok(_) => format!("{query} was answered"),
        Err(error) => code(&error),
    }
}

const RUNNING: &str = "lake_statements_running{door=\"postgres\"}";
const CANCELLED: &str = "lake_statements_total{door=\"postgres\",outcome=\"cancelled\"}";
const CONNECTIONS: &str = "lake_connections{door=\"postgres\"}";

#[tokio::test(flavor = "multi_thread")]
async fn values_are_the_same_as_text_and_as_binary() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    let query = "select country, orders, net_revenue, revenue_share, orders > 0 as sold, array[orders, null] as list, \
                 timestamp '2024-01-01 10:00:00.5' as at from gold.country_sales order by country";
    let rows = texts(&client, query).await;
    let shown: Vec<&str> = rows[0].iter().map(|text| text.as_deref().unwrap()).collect();
    assert_eq!(shown[..3], ["France", "1", "6.7800"]);
    assert_eq!(shown[4..6], ["t", "{1,NULL}"]);
    assert!(shown[6].starts_with("2024-01-01 10:00:00.5"), "{}", shown[6]);
    let row = &client.query(query, &[]).await.unwrap()[0];
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("France", 1));
    assert_eq!(row.columns()[2].type_(), &Type::NUMERIC);
    assert_eq!(row.get::<_, f64>(3).to_string(), shown[3].parse::<f64>().unwrap().to_string());
    assert!(row.get::<_, bool>(4));
    assert_eq!(row.get::<_, Vec<Option<i64>>>(5), [Some(1), None]);
    let at = row.get::<_, std::time::SystemTime>(6);
    assert_eq!(at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(), 1_704_103_200_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_can_be_read() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    let tables = "select table_schema || '.' || table_name from information_schema.tables \
                  where table_schema in ('bronze', 'silver', 'gold', 'ops')";
    let tables = texts(&client, tables).await.concat();
    assert!(tables.len() > 30, "{tables:?}");
    for table in tables.iter().flatten() {
        let query = format!("select * from {table}");
        let as_text = texts(&client, &query).await.len();
        let as_binary = client.query(&query, &[]).await.unwrap_or_else(|e| panic!("{query}: {e:?}")).len();
        assert_eq!(as_text, as_binary, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_meet_columns_of_other_types() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    let counted = |rows: Vec<tokio_postgres::Row>| rows[0].get::<_, i64>(0);
    let query = "select count(*) from country_sales where country = $1 and orders >= $2";
    assert_eq!(counted(client.query(query, &[&"France", &1_i64]).await.unwrap()), 1);
    assert_eq!(counted(client.query(query, &[&"it''s", &1_i64]).await.unwrap()), 0);
    // A driver that says which types it sends: a whole number, and a fraction, for a decimal column.
    let query = "select count(*) from country_sales where net_revenue > $1";
    let statement = client.prepare_typed(query, &[Type::INT8]).await.unwrap();
    assert_eq!(counted(client.query(&statement, &[&7_i64]).await.unwrap()), 1);
    let statement = client.prepare_typed(query, &[Type::FLOAT8]).await.unwrap();
    assert_eq!(counted(client.query(&statement, &[&6.78001_f64]).await.unwrap()), 1);
    let none: Option<i64> = None;
    let rows = client.query("select $1::bigint as n", &[&none]).await.unwrap();
    assert_eq!(rows[0].get::<_, Option<i64>>(0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_the_lake() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    assert_eq!(text(&client, "select current_database()").await, "lake");
    assert_eq!(text(&client, "select current_schema").await, "gold");
    assert_eq!(text(&client, "show search_path").await, "gold");
    assert!(text(&client, "select version()").await.starts_with("PostgreSQL 16"));
    let visible = "select relname from pg_catalog.pg_class c where pg_catalog.pg_table_is_visible(c.oid) \
                   and relname in ('rfm', 'transactions')";
    assert_eq!(text(&client, visible).await, "rfm");
    client.batch_execute("set search_path to silver, public").await.unwrap();
    assert_eq!(text(&client, "select current_schema()").await, "silver");
    assert_eq!(text(&client, visible).await, "transactions");
    assert_eq!(text(&client, "select count(*) from transactions").await, "2");
    let (other, _connection) = server.connect().await;
    assert_eq!(text(&other, "select current_schema()").await, "gold", "sessions have their own settings");
    assert_eq!(text(&client, "select count(*) from gold.country_sales version as of 0").await, "2");
    let columns = texts(&client, "describe history gold.country_sales").await;
    assert_eq!(columns.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_has_its_code() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    for (query, wanted) in [
        ("selec 1", "42601"),
        ("select 1 from gold.country_sale", "42P01"),
        ("select nope from gold.country_sales", "42703"),
        ("select nope(1)", "42883"),
        ("select 1 / (orders - orders) from gold.country_sales", "22012"),
        ("select cast(country as int) from gold.country_sales", "22P02"),
        ("insert into gold.country_sales values (1)", "25006"),
        ("update gold.country_sales set orders = 1", "25006"),
        ("delete from gold.country_sales", "25006"),
        ("create table x (a int)", "25006"),
        ("create view x as select 1", "25006"),
        ("drop table gold.country_sales", "25006"),
        ("copy gold.country_sales to 'x.csv'", "42501"),
        ("copy gold.country_sales to program 'cat'", "42501"),
        ("copy gold.country_sales to stdout (format parquet)", "22023"),
        ("copy gold.country_sales from stdin", "25006"),
        ("select * into x from gold.country_sales", "25006"),
        ("set datafusion.runtime.memory_limit = '100G'", "42501"),
        ("set statement_timeout = 'soon'", "22023"),
        ("show nothing_of_the_kind", "42704"),
        ("fetch 1 from nothing", "34000"),
        ("prepare p as select 1", "0A000"),
    ] {
        assert_eq!(refused(&client, query).await, wanted, "{query}");
    }
    let error = client.prepare("select 1 from gold.country_sale").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42P01");
    assert!(error.hint().is_some_and(|hint| hint.contains("gold.country_sales")), "{error:?}");
    assert_eq!(
        client.prepare("drop table gold.rfm").await.map(|_| ()).map_err(|e| code(&e)),
        Err("25006".into())
    );
    let error = client.simple_query("select (1\nfrom x").await.unwrap_err();
    assert!(error.as_db_error().unwrap().position().is_some());
    assert_eq!(text(&client, "select 1").await, "1", "the connection goes on");
}

/// What is answered to a text that is sent as it is: the kinds of the messages, and what their bodies are.
fn messages(server: &Server, text: &str) -> Vec<(char, Vec<u8>)> {
    let mut stream = TcpStream::connect(server.postgres).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let of = |kind: &[u8], body: &[u8]| [kind, &(body.len() as u32 + 4).to_be_bytes(), body].concat();
    stream.write_all(&of(b"", b"\0\x03\0\0user\0ann\0\0")).unwrap();
    stream.write_all(&of(b"Q", format!("{text}\0").as_bytes())).unwrap();
    stream.write_all(&of(b"X", b"")).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let (mut rest, mut messages) = (&bytes[..], Vec::new());
    while let [kind, a, b, c, d, after @ ..] = rest {
        let (body, after) = after.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4);
        messages.push((*kind as char, body.to_vec()));
        rest = after;
    }
    // What comes before is said of the session.
    let begins = messages.iter().position(|message| message.0 == 'Z').unwrap();
    messages.split_off(begins + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_copied_to_the_client() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    let copied = async |statement: &str| {
        let stream = client.copy_out(statement).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
        chunks.concat()
    };
    let text = copied("copy gold.country_sales (country, net_revenue) to stdout").await;
    assert_eq!(sorted(&text), "France\t6.7800\nUnited Kingdom\t15.3000\n");
    let query = "copy (select country, orders, null as x from gold.country_sales) to stdout";
    let csv = copied(&format!("{query} with (format csv, header, delimiter ';', null '-')")).await;
    assert_eq!(sorted(&csv), "France;1;-\nUnited Kingdom;1;-\ncountry;orders;x\n");
    let binary = copied("copy (select 1::bigint, null, 'a') to stdout with binary").await;
    let fields = [&8i32.to_be_bytes()[..], &1i64.to_be_bytes(), &(-1i32).to_be_bytes(), &[0, 0, 0, 1, b'a']];
    let whole = [b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03", &fields.concat()[..], b"\xff\xff"];
    assert_eq!(binary, whole.concat());
    let none = copied("copy (select 1 where false) to stdout (format binary)").await;
    assert_eq!(none, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff");
    let kinds = |text: &str| messages(&server, text).iter().map(|message| message.0).collect::<String>();
    assert_eq!(
        kinds("select 1; copy (select 1) to stdout; copy (select 2) to stdout csv header"),
        "TDCHdcCHddcCZ"
    );
    let counted = messages(&server, "copy (select 1) to stdout csv header").remove(4).1;
    assert_eq!(String::from_utf8_lossy(&counted), "COPY 1\0");
    // What goes wrong among the rows is told as an error, and the session goes on.
    let halves = "copy (select 1 / (value - 20000) from generate_series(1, 30000)) to stdout; select 1";
    let said = kinds(halves);
    assert!(said.starts_with('H') && said.ends_with("EZ"), "{said}");
}

/// The lines of a file in their order.
fn sorted(file: &[u8]) -> String {
    let text = String::from_utf8(file.to_vec()).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_portals_give_some_rows_at_a_time() {
    let server = Server::start(&[]);
    let (mut client, _connection) = server.connect().await;
    client
        .batch_execute("begin; declare c cursor for select value from generate_series(1, 20000)")
        .await
        .unwrap();
    assert_eq!(texts(&client, "fetch 3 from c").await.len(), 3);
    assert_eq!(texts(&client, "fetch forward 9999 from c").await[0][0].as_deref(), Some("4"));
    assert_eq!(texts(&client, "fetch all from c").await.len(), 20_000 - 3 - 9_999);
    client.batch_execute("commit").await.unwrap();
    assert_eq!(refused(&client, "fetch 1 from c").await, "34000");
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("select value from generate_series(1, 10)", &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 4).await.unwrap().len(), 4);
    let rest = transaction.query_portal(&portal, 0).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_given_up_when_its_client_says_so_or_leaves() {
    let server = Server::start(&[]);
    for _ in 0..2 {
        let (client, _connection) = server.connect().await;
        let token = client.cancel_token();
        let slow = tokio::spawn(async move { (client.query(SLOW, &[]).await.map(|_| ()), client) });
        server.until(RUNNING, 1.0).await;
        token.cancel_query(NoTls).await.unwrap();
        let (ended, client) = slow.await.unwrap();
        assert_eq!(code(&ended.unwrap_err()), "57014");
        assert_eq!(text(&client, "select 1").await, "1");
    }
    // While rows are on their way.
    let (client, _connection) = server.connect().await;
    let token = client.cancel_token();
    let rows =
        client.query_raw("select value from generate_series(1, 100000000000)", &[] as &[i64]).await.unwrap();
    pin_mut!(rows);
    assert!(rows.next().await.unwrap().is_ok());
    token.cancel_query(NoTls).await.unwrap();
    let error = loop {
        match rows.next().await {
            Some(Ok(_)) => continue,
            Some(Err(error)) => break error,
            None => panic!("all rows came"),
        }
    };
    assert_eq!(code(&error), "57014");
    // The client vanishes without a word.
    server.until(RUNNING, 0.0).await;
    let cancelled = server.metric(CANCELLED).unwrap();
    let (client, connection) = server.connect().await;
    let slow = tokio::spawn(async move { client.simple_query(SLOW).await.is_ok() });
    server.until(RUNNING, 1.0).await;
    connection.abort();
    server.until(RUNNING, 0.0).await;
    assert_eq!(server.metric(CANCELLED), Some(cancelled + 1.0));
    assert!(!slow.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_its_bounds() {
    let server = Server::start(&[
        ("LAKE_SERVE_STATEMENT_TIMEOUT_SECONDS", "6"),
        ("LAKE_SERVE_MAX_ROWS", "1000"),
        ("LAKE_SERVE_QUERY_MEMORY", "64MB"),
    ]);
    let (client, _connection) = server.connect().await;
    assert_eq!(refused(&client, SLOW).await, "57014");
    let begun = Instant::now();
    client.batch_execute("set statement_timeout = '300ms'").await.unwrap();
    assert_eq!(client.query(SLOW, &[]).await.map(|_| ()).map_err(|e| code(&e)), Err("57014".into()));
    assert!(begun.elapsed() < Duration::from_secs(6));
    client.batch_execute("reset statement_timeout").await.unwrap();
    assert_eq!(refused(&client, "select value from generate_series(1, 1001)").await, "53400");
    assert_eq!(texts(&client, "select value from generate_series(1, 1000)").await.len(), 1000);
    let greedy = "select array_length(array_agg(value)) from generate_series(1, 30000000)";
    assert_eq!(refused(&client, greedy).await, "53200");
    assert_eq!(text(&client, "select 1").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_of_conditions_is_answered() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    let chain: Vec<String> = (0..3000).map(|orders| format!("orders = {orders}")).collect();
    let query = format!("select count(*) from gold.country_sales where {}", chain.join(" or "));
    assert_eq!(text(&client, &query).await, "2");
    let endless = format!("select {}", "1 + ".repeat(100_000) + "1");
    assert_eq!(refused(&client, &endless).await, "42000");
}

/// The memory of a process, in megabytes.
#[cfg(target_os = "linux")]
fn memory_of(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_makes_the_server_wait_and_not_gather() {
    let server = Server::start(&[]);
    let (client, _connection) = server.connect().await;
    assert_eq!(text(&client, "select 1").await, "1");
    let before = memory_of(&server);
    let query = "select value, repeat('x', 200) as filling from generate_series(1, 3000000)";
    let rows = client.query_raw(query, &[] as &[i64]).await.unwrap();
    pin_mut!(rows);
    assert!(rows.next().await.unwrap().is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let gathered = memory_of(&server).saturating_sub(before);
    assert!(gathered < 150, "{gathered} MB of 600 MB wait in the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_left_when_its_time_is_over() {
    let server = Server::start(&[("LAKE_SERVE_STATEMENT_TIMEOUT_SECONDS", "1")]);
    let (client, _connection) = server.connect().await;
    let query = "select value, repeat('x', 200) as filling from generate_series(1, 100000000)";
    let rows = client.query_raw(query, &[] as &[i64]).await.unwrap();
    pin_mut!(rows);
    assert!(rows.next().await.unwrap().is_ok());
    server.until(RUNNING, 0.0).await;
    server.until(CONNECTIONS, 0.0).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_asked_whether_it_is_there() {
    let server = Server::start(&[]);
    let stream = TcpStream::connect(server.postgres).unwrap();
    let ports = [server.postgres.port(), stream.local_addr().unwrap().port()];
    let begun = Instant::now();
    // The columns: number, local address, remote address, state, queues, the timer that runs: 2 is that of keepalive.
    let has_timer = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of = |at: usize, port: u16| words[at].ends_with(&format!(":{port:04X}"));
        of(1, ports[0]) && of(2, ports[1]) && words[5].starts_with("02:")
    };
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().skip(1).any(has_timer) {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody asks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_too_many_are_told_so() {
    let server = Server::start(&[("LAKE_SERVE_MAX_CONNECTIONS", "1")]);
    // Who watches the server takes nobody's place. Connections are accepted in turn, so that this one is before the next.
    let watcher = TcpStream::connect(server.http).unwrap();
    assert_ne!(server.metric(CONNECTIONS), Some(1.0));
    let (client, _connection) = server.connect().await;
    let Err(error) = connected(&server.config()).await else { panic!("one too many came in") };
    assert_eq!(code(&error), "53300");
    assert_eq!(server.metric(CONNECTIONS), Some(1.0));
    assert_eq!(text(&client, "select 1").await, "1");
    drop(client);
    server.until(CONNECTIONS, 0.0).await;
    // No protocol, a length without end, and nothing at all.
    let strange: [&[u8]; 3] = [b"GET / HTTP/1.1\r\n\r\n", b"\x7f\xff\xff\xff\0\x03\0\0", b"\0\0\0\x08"];
    for bytes in strange {
        let mut stream = TcpStream::connect(server.postgres).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        if let Err(error) = stream.read_to_end(&mut Vec::new()) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{bytes:?} keeps a connection open");
        }
    }
    server.until(CONNECTIONS, 0.0).await;
    let (client, _connection) = server.connect().await;
    assert_eq!(text(&client, "select 1").await, "1", "the server lives");
    drop(watcher);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_in_by_their_passwords_and_read_their_layers() {
    let shop = shop();
    let users = tempfile::tempdir().unwrap();
    let file = users.path().join("users.toml");
    let settings = [("LAKE_SERVE_USERS", file.to_str().unwrap())];
    let lake = |args: &[&str], password: &str| {
        let mut child = program(&shop, &settings)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "lake {}", args.join(" "));
        String::from_utf8(output.stdout).unwrap()
    };
    lake(&["user", "add", "ann", "--layers", "gold", "--password-stdin"], "open sesame\n");
    let server = Server::of(&shop, &settings);
    let come = async |user: &str, password: &str| {
        let mut config = server.config();
        connected(config.user(user).password(password)).await
    };
    for (user, password) in [("ann", "open sesam"), ("eve", "open sesame")] {
        let Err(error) = come(user, password).await else { panic!("{user} came in") };
        assert_eq!(code(&error), "28P01", "{user}");
    }
    let (ann, _connection) = come("ann", "open sesame").await.unwrap();
    assert_eq!(text(&ann, "select session_user").await, "ann");
    assert_eq!(text(&ann, "select count(*) from gold.country_sales").await, "2");
    assert_eq!(refused(&ann, "select count(*) from silver.transactions").await, "42501");
    let schemas = "select nspname from pg_catalog.pg_namespace where nspname in ('gold', 'silver')";
    assert_eq!(texts(&ann, schemas).await.len(), 1);
    // Who is added while the server is at work can come in.
    lake(&["user", "add", "bob", "--password-stdin"], "x\n");
    let (bob, _connection) = come("bob", "x").await.unwrap();
    assert_eq!(text(&bob, "select count(*) from silver.transactions").await, "2");
    let hint = async |client: &Client, query: &str| {
        let error = client.simple_query(query).await.unwrap_err();
        error.as_db_error().unwrap().hint().map(String::from)
    };
    let query = "select 1 from gold.transactions";
    assert_eq!(hint(&bob, query).await.as_deref(), Some("did you mean `silver.transactions`?"));
    assert_eq!(hint(&ann, query).await, None, "she need not know of it");
    assert_eq!(hint(&ann, "select 1 from gold.rmf").await.as_deref(), Some("did you mean `gold.rfm`?"));
    let listed = lake(&["user", "list"], "");
    assert!(listed.contains("ann") && listed.contains("bronze, silver, gold, ops"), "{listed}");
    lake(&["user", "remove", "bob"], "");
    assert!(come("bob", "x").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_publication_is_seen_by_the_next_statement() {
    let fresh = built();
    let server = Server::of(&fresh, &[]);
    let (client, _connection) = server.connect().await;
    let prepared = client.prepare("select count(*) from silver.transactions").await.unwrap();
    let counted = async |client: &Client| client.query(&prepared, &[]).await.unwrap()[0].get::<_, i64>(0);
    assert_eq!(counted(&client).await, 2);
    fresh.land("b.csv", format!("{HEADER}536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,France\n"));
    assert!(fresh.command(&["run"]).status.success());
    assert_eq!(counted(&client).await, 3);
    assert_eq!(text(&client, "select count(*) from silver.transactions").await, "3");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_says_goodbye() {
    let mut server = Server::start(&[("LAKE_SERVE_STOP_SECONDS", "1")]);
    let (idle, idle_connection) = server.connect().await;
    let (busy, _connection) = server.connect().await;
    let slow = tokio::spawn(async move { busy.simple_query(SLOW).await.map(|_| ()) });
    server.until(RUNNING, 1.0).await;
    let pid = i32::try_from(server.child.id()).unwrap();
    // Sound: the call takes no pointers, and the process is a child of this one.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    idle_connection.await.unwrap();
    assert!(idle.is_closed());
    assert_eq!(code(&slow.await.unwrap().unwrap_err()), "57P01");
    let begun = Instant::now();
    while server.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(server.child.wait().unwrap().success());
}

/// What tools ask before they ask for data, each statement as they write it.
#[tokio::test(flavor = "multi_thread")]
async fn tools_find_what_they_look_for() {
    let server = Server::start(&[]);
    let corpora = [
        ("psql", include_str!("corpus/psql.sql")),
        ("metabase", include_str!("corpus/metabase.sql")),
        ("grafana", include_str!("corpus/grafana.sql")),
        ("dbeaver", include_str!("corpus/dbeaver.sql")),
        ("sqlalchemy", include_str!("corpus/sqlalchemy.sql")),
    ];
    let mut failed = Vec::new();
    for (tool, corpus) in corpora {
        let (client, _connection) = server.connect().await;
        for statement in corpus.split("\n;\n").filter(|statement| !statement.trim().is_empty()) {
            if let Err(error) = client.simple_query(statement).await {
                failed.push(format!("{tool}: {error:?}\n{statement}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let (client, _connection) = server.connect().await;
    let columns = "select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a \
                   where a.attrelid = 'gold.country_sales'::regclass and a.attnum > 0 order by a.attnum limit 2";
    let columns = texts(&client, columns).await;
    let shown: Vec<Option<&str>> = columns.iter().flatten().map(Option::as_deref).collect();
    assert_eq!(shown, [Some("country"), Some("text"), Some("orders"), Some("bigint")]);
    // The drivers of Java ask for descriptions so, and for columns that are not there.
    let described = "select null, null, d.description from pg_catalog.pg_class c join pg_catalog.pg_description d \
                     on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass \
                     where c.relname = 'country_sales'";
    let described = texts(&client, described).await;
    assert!(described[0][2].as_deref().is_some_and(|text| text.contains("country")), "{described:?}");
    // asyncpg looks the types of lists up; the name of a type is a text.
    let element =
        "select typelem, typelem::regtype::text as name from pg_catalog.pg_type where typname = '_int8'";
    let element = client.query_one(element, &[]).await.unwrap();
    assert_eq!((element.get::<_, u32>(0), element.get::<_, &str>(1)), (20, "20"));
}
