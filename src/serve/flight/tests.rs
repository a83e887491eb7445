//! Proves, with the client of `arrow-flight`, that the door gives what `lake sql` gives, to whom it may, within bounds.

use std::path::Path;

use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, ProstMessageExt,
    SqlInfo,
};
use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use prost::Message;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tonic::Code;
use tonic::transport::Channel;

use super::*;
use crate::clock::FixedClock;
use crate::config::Config;
use crate::project::{FILES, Project};
use crate::run::{Lake, Request, Silent};

const LINES: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536366,71053,LANTERN,2,12/2/2010 8:28,3.39,,France
536366,71053,LANTERN,zwei,12/2/2010 8:28,3.39,,France
";

const LATER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536367,71053,LANTERN,3,12/3/2010 8:28,3.39,,Norway
";

/// A hundred million rows, one after the other.
const LONG: &str = "select value from generate_series(1, 100000000)";

/// The rows of an answer, or what was said instead.
type Rows = Result<Vec<RecordBatch>, (Code, String)>;

fn lake(folder: &Path, settings: &[(&str, &str)]) -> Lake {
    let mut flags = vec![("threads", "2".to_string())];
    flags.extend(settings.iter().map(|(name, value)| (*name, value.to_string())));
    let config = Config::load(folder, &BTreeMap::new(), &flags).unwrap();
    let project = Project::load(folder, config).unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    Lake::open(project, Arc::new(FixedClock(now)), Arc::new(Silent)).unwrap()
}

/// A project whose tables up to a layer are published.
async fn published(layer: Layer) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    land(folder.path(), "a.csv", LINES, layer).await;
    folder
}

async fn land(folder: &Path, name: &str, lines: &str, layer: Layer) {
    let landing = folder.join("landing/online_retail");
    std::fs::create_dir_all(&landing).unwrap();
    std::fs::write(landing.join(name), lines).unwrap();
    lake(folder, &[]).run(&Request { layer: Some(layer), ..Request::default() }).await.unwrap();
}

/// The door of a lake.
struct Served {
    reader: Arc<Reader>,
    address: SocketAddr,
}

impl Served {
    async fn new(folder: &Path, settings: &[(&str, &str)]) -> Served {
        let lake = lake(folder, settings);
        let settings = &lake.project.config.settings.serve;
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let users = Arc::new(Users::load(&folder.join(&settings.users)).unwrap());
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None, places).await.unwrap();
        let address = listener.address().unwrap();
        let reader = Reader::open(lake).await.unwrap();
        tokio::spawn(serve(listener, reader.clone(), users));
        Served { reader, address }
    }

    async fn client(&self) -> FlightSqlServiceClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        FlightSqlServiceClient::new(channel.connect().await.unwrap())
    }

    /// Whether the metrics hold a line, now or soon.
    async fn comes_to(&self, line: &str) -> bool {
        for _ in 0..200 {
            if self.reader.metrics.text().unwrap().lines().any(|text| text == line) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.reader.closing.cancel();
        self.reader.closed.cancel();
    }
}

fn said(error: FlightError) -> (Code, String) {
    match error {
        FlightError::Tonic(status) => (status.code(), status.message().to_string()),
        other => panic!("{other}"),
    }
}

/// The rows behind a FlightInfo, which have the columns that it tells.
async fn fetched(client: &mut FlightSqlServiceClient<Channel>, info: FlightInfo) -> Rows {
    let told = info.clone().try_decode_schema().unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket).await.map_err(said)?;
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(said)?;
    batches.iter().for_each(|batch| assert_eq!(*batch.schema(), told));
    Ok(batches)
}

async fn asked(client: &mut FlightSqlServiceClient<Channel>, query: &str) -> Rows {
    let info = client.execute(query.into(), None).await.map_err(said)?;
    fetched(client, info).await
}

fn shown(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

/// The texts of a column.
fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let columns = batches.iter().map(|batch| batch.column_by_name(column).unwrap().as_string::<i32>());
    columns.flat_map(|texts| texts.iter().map(|text| text.unwrap_or("NULL").to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_lake_sql() {
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut client = served.client().await;
    for query in [
        "select * from silver.transactions order by invoice_no, line_no",
        "select * from silver.transactions_rejected",
        "select tables from ops.publications",
        "select table_name, input_versions from ops.table_runs order by 1",
        "select 1 as i, 2.5 as f, true as b, date '2026-01-02' as d, interval '1 day' as p, null as n, 'x' as t, \
         arrow_cast('k', 'Dictionary(Int32, Utf8)') as k, ['a', null] as l, map {'k': 1} as m, \
         {'a': 'b'} as s, cast(1.5 as decimal(18, 4)) as c, timestamp '2026-01-02 03:04:05' as z, X'01ff' as x",
        "select stock_code, count(*) as n from silver.transactions group by 1 order by 1",
        "select t.invoice_no, p.stock_code, t.stock_code from silver.transactions t \
         left join silver.products p using (stock_code) order by t.invoice_no",
        "select invoice_no from silver.transactions version as of 0 order by 1",
        "describe silver.products",
        "explain select 1",
    ] {
        let expected = served.reader.lake.ask(query, None).await.unwrap().collect().await.unwrap();
        let found = asked(&mut client, query).await.unwrap_or_else(|e| panic!("{query}: {e:?}"));
        assert_eq!(shown(&found), shown(&expected), "{query}");
    }
    let none = asked(&mut client, "select * from silver.transactions where false").await.unwrap();
    assert!(none.is_empty());
    // None of these types is one that only some clients know.
    let info = client.execute("select description from silver.transactions".into(), None).await.unwrap();
    assert_eq!(info.try_decode_schema().unwrap().field(0).data_type(), &DataType::Utf8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_tell_what_there_is() {
    let folder = published(Layer::Gold).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut client = served.client().await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "catalog_name"), ["lake"]);
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    let schemas = texts(&fetched(&mut client, info).await.unwrap(), "db_schema_name");
    assert_eq!(schemas, ["bronze", "gold", "ops", "silver"]);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "table_type"), ["TABLE"]);

    let command = CommandGetTables {
        db_schema_filter_pattern: Some("silver".into()),
        table_name_filter_pattern: Some("prod%".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(command).await.unwrap();
    let tables = fetched(&mut client, info).await.unwrap();
    assert_eq!(texts(&tables, "table_name"), ["products"]);
    let message = tables[0].column_by_name("table_schema").unwrap().as_binary::<i32>().value(0).to_vec();
    let columns = FlightInfo { schema: message.into(), ..FlightInfo::default() }.try_decode_schema().unwrap();
    let stock_code = columns.field_with_name("stock_code").unwrap();
    assert_eq!((stock_code.data_type(), stock_code.is_nullable()), (&DataType::Utf8, false));
    assert_eq!(stock_code.metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"], "text");
    assert!(!stock_code.metadata()["ARROW:FLIGHT:SQL:REMARKS"].is_empty());

    let key = CommandGetPrimaryKeys {
        catalog: None,
        db_schema: Some("silver".into()),
        table: "transactions".into(),
    };
    let info = client.get_primary_keys(key).await.unwrap();
    let key = texts(&fetched(&mut client, info).await.unwrap(), "column_name");
    assert_eq!(key, ["invoice_no", "line_no"]);
    let from = CommandGetImportedKeys { catalog: None, db_schema: None, table: "recommendations".into() };
    let info = client.get_imported_keys(from).await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "pk_table_name"), ["products"]);
    let to = CommandGetExportedKeys { catalog: None, db_schema: None, table: "products".into() };
    let info = client.get_exported_keys(to).await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "fk_column_name"), ["stock_code"]);

    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerReadOnly]).await.unwrap();
    assert!(shown(&fetched(&mut client, info).await.unwrap()).contains("{bool_value=true}"));
    let info = client.get_sql_info(vec![]).await.unwrap();
    assert!(fetched(&mut client, info).await.unwrap()[0].num_rows() > 80);
    let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: Some(12) }).await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "type_name"), ["text"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_statements_take_values() {
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut client = served.client().await;
    let text =
        "select '?' as mark, invoice_no from silver.transactions where invoice_no = ? and quantity > ?";
    let mut prepared = client.prepare(text.into(), None).await.unwrap();
    let parameters = prepared.parameter_schema().unwrap();
    assert_eq!(parameters.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["$1", "$2"]);
    assert_eq!(parameters.field(0).data_type(), &DataType::Utf8);
    assert_eq!(prepared.dataset_schema().unwrap().field(1).name(), "invoice_no");
    let (_, message) = said(prepared.execute().await.unwrap_err());
    assert!(message.starts_with("the number of parameters of the statement is 2"), "{message}");
    let values = |invoice: &str, least: i64| {
        let invoice: ArrayRef = Arc::new(StringArray::from(vec![invoice]));
        let least: ArrayRef = Arc::new(Int64Array::from(vec![least]));
        RecordBatch::try_from_iter([("a", invoice), ("b", least)]).unwrap()
    };
    for (invoice, least, rows) in [("536365", 5, 1), ("536365", 6, 0), ("536366", 1, 1)] {
        prepared.set_parameters(values(invoice, least)).unwrap();
        let info = prepared.execute().await.unwrap();
        let found = texts(&fetched(&mut client, info).await.unwrap(), "invoice_no");
        assert_eq!(found, vec![invoice; rows]);
    }
    let row: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    prepared.set_parameters(RecordBatch::try_from_iter([("a", row)]).unwrap()).unwrap();
    let (_, message) = said(prepared.execute().await.unwrap_err());
    assert!(message.starts_with("there is more than one row of parameters"), "{message}");
    let mut other = prepared.clone();
    prepared.close().await.unwrap();
    other.set_parameters(values("536365", 1)).unwrap();
    let (_, message) = said(other.execute().await.unwrap_err());
    assert!(message.starts_with("the prepared statement is not known"), "{message}");

    let mut numbered = client.prepare("select $2 as b, $1 as a".into(), None).await.unwrap();
    numbered.set_parameters(values("x", 7)).unwrap();
    let info = numbered.execute().await.unwrap();
    assert!(shown(&fetched(&mut client, info).await.unwrap()).contains("| 7 | x |"));
    let mut plain = client.prepare("select 1 as one".into(), None).await.unwrap();
    for _ in 0..2 {
        let info = plain.execute().await.unwrap();
        assert_eq!(fetched(&mut client, info).await.unwrap()[0].num_rows(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_codes_and_say_what_to_do() {
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[("serve.max_rows", "1000")]).await;
    let mut client = served.client().await;
    for (query, code, message) in [
        ("selec 1", Code::InvalidArgument, "the SQL cannot be read"),
        ("select * from silver.transaction", Code::InvalidArgument, "silver.transactions"),
        ("select quantit from silver.transactions", Code::InvalidArgument, "quantit"),
        ("select 1; select 2", Code::InvalidArgument, "there is more than one statement"),
        ("", Code::InvalidArgument, "the query is empty"),
        ("select cast('x' as int)", Code::InvalidArgument, "the query fails on its values"),
        ("select $1", Code::InvalidArgument, "the number of parameters of the statement is 1"),
        ("delete from silver.transactions", Code::FailedPrecondition, "only reads"),
        ("create table x as select 1", Code::FailedPrecondition, "only reads"),
        ("set datafusion.execution.batch_size = 1", Code::FailedPrecondition, "only reads"),
        (LONG, Code::ResourceExhausted, "the answer has more than 1000 rows"),
    ] {
        let (found, text) = asked(&mut client, query).await.unwrap_err();
        assert_eq!(found, code, "{query}: {text}");
        assert!(text.contains(message), "{query}: {text}");
    }
    let (code, text) = said(client.execute_update("delete from x".into(), None).await.unwrap_err());
    assert_eq!(code, Code::FailedPrecondition, "{text}");
    let (code, _) = said(client.begin_transaction().await.unwrap_err());
    assert_eq!(code, Code::Unimplemented);
    assert!(served.comes_to("lake_statements_running{door=\"flight\"} 0").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_come_in_by_password_or_token_and_read_their_layers() {
    let folder = published(Layer::Silver).await;
    let users = folder.path().join("config/users.toml");
    Users::load(&users).unwrap().add("ann", "se:cret", Some(&BTreeSet::from([Layer::Silver]))).unwrap();
    let served = Served::new(folder.path(), &[]).await;
    let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
    let query = "select count(*) as n from silver.transactions";

    let mut client = served.client().await;
    let (code, text) = asked(&mut client, query).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated, "{text}");
    client.set_header("authorization", basic("ann:wrong"));
    let refused = (Code::Unauthenticated, "password authentication failed for user `ann`".to_string());
    assert_eq!(asked(&mut client, query).await.unwrap_err(), refused);
    client.set_header("authorization", basic("ann:se:cret"));
    for _ in 0..2 {
        assert_eq!(asked(&mut client, query).await.unwrap()[0].num_rows(), 1);
    }

    let mut client = served.client().await;
    assert!(client.handshake("ann", "wrong").await.is_err());
    client.handshake("ann", "se:cret").await.unwrap();
    assert_eq!(asked(&mut client, query).await.unwrap()[0].num_rows(), 1);
    let (code, text) = asked(&mut client, "select * from bronze.online_retail").await.unwrap_err();
    assert_eq!(code, Code::PermissionDenied, "{text}");
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await.unwrap(), "db_schema_name"), ["silver"]);
    client.set_token("made up".into());
    let (code, text) = asked(&mut client, query).await.unwrap_err();
    assert_eq!((code, text.contains("the token is not known")), (Code::Unauthenticated, true), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_time_are_bounded() {
    let folder = published(Layer::Silver).await;
    let settings = [("serve.max_connections", "1"), ("serve.statement_timeout_seconds", "1")];
    let served = Served::new(folder.path(), &settings).await;
    let mut first = served.client().await;
    assert_eq!(asked(&mut first, "select 1").await.unwrap()[0].num_rows(), 1);
    let mut second = served.client().await;
    let (code, text) = asked(&mut second, "select 1").await.unwrap_err();
    assert_eq!((code, text.contains("serve.max_connections")), (Code::ResourceExhausted, true), "{text}");
    drop(second);
    let endless = "select sum(value) from generate_series(1, 1000000000000)";
    let (code, text) = asked(&mut first, endless).await.unwrap_err();
    assert_eq!((code, text.contains("took longer than 1 second")), (Code::DeadlineExceeded, true), "{text}");
    drop(first);
    assert!(served.comes_to("lake_connections{door=\"flight\"} 0").await);
    assert_eq!(asked(&mut served.client().await, "select 1").await.unwrap()[0].num_rows(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_or_cancels_ends_its_statement() {
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut client = served.client().await;
    let cancelled =
        |times: u32| format!("lake_statements_total{{door=\"flight\",outcome=\"cancelled\"}} {times}");
    for (times, kind) in (1..).zip(["leaves", "CancelQuery", "CancelFlightInfo"]) {
        let info = client.execute(LONG.into(), None).await.unwrap();
        let mut rows = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        assert!(rows.try_next().await.unwrap().is_some());
        let body = match kind {
            "CancelQuery" => {
                let asked = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
                Some(asked.as_any().encode_to_vec())
            }
            "CancelFlightInfo" => Some(CancelFlightInfoRequest::new(info).encode_to_vec()),
            _ => None,
        };
        if let Some(body) = body {
            let mut results = client.do_action(Action::new(kind, body)).await.unwrap();
            let result = results.message().await.unwrap().unwrap().body;
            let status = match kind {
                "CancelQuery" => {
                    let any = Any::decode(result).unwrap();
                    any.unpack::<ActionCancelQueryResult>().unwrap().unwrap().result
                }
                _ => CancelFlightInfoResult::decode(result).unwrap().status,
            };
            assert_eq!(status, CancelStatus::Cancelled as i32, "{kind}");
            let ended = loop {
                match rows.try_next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{kind}: the answer came to its end"),
                    Err(error) => break said(error),
                }
            };
            assert_eq!(ended, (Code::Cancelled, "the statement was cancelled".to_string()));
        }
        drop(rows);
        assert!(served.comes_to(&cancelled(times)).await, "{kind}");
        assert!(served.comes_to("lake_statements_running{door=\"flight\"} 0").await, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_those_of_the_publication_that_was_planned() {
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut client = served.client().await;
    let query = "select count(*) as lines from silver.transactions";
    let before = client.execute(query.into(), None).await.unwrap();
    let mut prepared = client.prepare(query.into(), None).await.unwrap();
    land(folder.path(), "b.csv", LATER, Layer::Silver).await;
    let lines = |batches: Vec<RecordBatch>| {
        batches[0].column(0).as_primitive::<datafusion::arrow::datatypes::Int64Type>().value(0)
    };
    // Twice: the plan that was made is used up by the first, and made again of what it saw.
    for _ in 0..2 {
        assert_eq!(lines(fetched(&mut client, before.clone()).await.unwrap()), 2);
    }
    assert_eq!(lines(asked(&mut client, query).await.unwrap()), 3);
    let info = prepared.execute().await.unwrap();
    assert_eq!(lines(fetched(&mut client, info).await.unwrap()), 3);
    // A ticket of another server, or one that is forgotten: its statement is planned anew.
    let other = Served::new(folder.path(), &[]).await;
    let mut client = other.client().await;
    assert_eq!(lines(fetched(&mut client, before).await.unwrap()), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_mean_nothing_hurt_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = published(Layer::Silver).await;
    let served = Served::new(folder.path(), &[]).await;
    let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&[0xff; 4096]).await.unwrap();
    let mut rest = Vec::new();
    // It is closed, in whichever way.
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.unwrap();
    let mut client = served.client().await;
    let garbage = arrow_flight::Ticket::new(vec![0xff_u8; 100]);
    let (code, text) = said(client.do_get(garbage).await.unwrap_err());
    assert_eq!((code, text.contains("cannot be read")), (Code::InvalidArgument, true), "{text}");
    assert_eq!(asked(&mut client, "select 1").await.unwrap()[0].num_rows(), 1);
}
