//! What a connection does: it reads, plans and runs statements in a session of its own.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as Sentence;
use datafusion::sql::sqlparser::ast::Statement as Ast;
use datafusion_postgres::pgwire::api::portal::Format;
use datafusion_postgres::pgwire::api::results::FieldInfo;
use datafusion_postgres::pgwire::api::stmt::QueryParser;
use datafusion_postgres::pgwire::api::{ClientInfo, Type};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::StreamExt;
use tokio::sync::{OnceCell, watch};
use tokio::time::sleep_until;

use super::copy::Form;
use super::cursor::Cursors;
use super::parse::{Kind, kind};
use super::rows::{Batches, fields};
use super::startup::Entrance;
use super::system::{Looked, asks_for_known, look};
use super::{Shared, errors, parameters, settings};
use crate::error::Error;
use crate::run::reads_only;
use crate::serve::{Cause, Client, Door, Refusal, Users};

/// What stands behind one connection.
pub(super) struct Service {
    shared: Arc<Shared>,
    entrance: Arc<Entrance>,
    session: OnceCell<Session>,
    /// When the time of what is at hand is over.
    end: watch::Sender<Option<Instant>>,
}

/// How long a client may take for what is on its way to it when a statement's time is over.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The session of one connection.
pub(super) struct Session {
    /// Its names and settings.
    pub(super) client: Client,
    /// Its open cursors.
    pub(super) cursors: Cursors,
    looked: Looked,
}

/// A statement that was parsed, and may be run many times.
#[derive(Clone)]
pub(super) enum Prepared {
    /// It asks for rows.
    Rows(Planned),
    /// It opens a cursor: its name, and whether it outlives the transaction.
    Cursor(String, bool, Planned),
    /// It copies rows to the client.
    Copy(Form, Planned),
    /// It is about the session.
    Command(Box<Ast>),
}

/// A query with what it means.
#[derive(Clone)]
pub(super) struct Planned {
    text: String,
    /// Its plan, with placeholders.
    pub(super) plan: LogicalPlan,
    /// The placeholders that are object ids.
    ids: Vec<(String, Type)>,
    /// The publication that it was planned with.
    seen: Option<u64>,
}

impl Planned {
    /// The columns of its rows.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.plan.schema().inner()
    }
}

impl Service {
    /// Behind an entrance.
    pub(super) fn new(shared: Arc<Shared>, entrance: Arc<Entrance>) -> Service {
        Service { shared, entrance, session: OnceCell::new(), end: watch::Sender::new(None) }
    }

    /// A message has come, and may take as long as a statement.
    pub(super) fn begun(&self, kept: &HashMap<String, String>) {
        let bound = self.shared.reader.bound(settings::timeout(kept));
        self.end.send_replace(bound.map(|bound| Instant::now() + bound));
    }

    /// Waits until what is at hand should be over for some time: its client does not take what it is sent.
    pub(super) async fn stalled(&self) {
        let mut ends = self.end.subscribe();
        loop {
            let end = *ends.borrow_and_update();
            let over = async {
                match end {
                    Some(end) => sleep_until((end + GRACE).into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                _ = ends.changed() => {}
                () = over => return,
            }
        }
    }

    /// The connection's session; it begins with its first statement.
    pub(super) async fn session(&self, kept: &HashMap<String, String>) -> PgWireResult<&Session> {
        self.session.get_or_try_init(|| self.begin(kept)).await
    }

    async fn begin(&self, kept: &HashMap<String, String>) -> PgWireResult<Session> {
        let role = self.entrance.role().cloned().unwrap_or_else(Users::anyone);
        let client = self.shared.reader.client(&role.layers).await.map_err(errors::own)?;
        let looked = self.shared.catalogue.install(&client, &role.name).map_err(errors::own)?;
        if let Some(path) = kept.get("search_path") {
            settings::search(&client.context, path);
        }
        Ok(Session { client, cursors: Cursors::default(), looked })
    }

    /// The statements of a text, once the session sees what is published now.
    pub(super) async fn statements(&self, session: &Session, text: &str) -> PgWireResult<Vec<Ast>> {
        let read = async {
            let prepared = self.shared.reader.prepare(&session.client, text).await;
            let prepared = prepared.map_err(|error| errors::told(self.within(error.into())))?;
            let text = prepared.as_deref().unwrap_or(text);
            if asks_for_known(text) {
                let lake = &self.shared.reader.lake;
                let looked = look(lake, &session.client.context, &session.looked).await;
                looked.map_err(|error| errors::told(self.refusal(error)))?;
            }
            let statements = self.shared.reading.statements(text);
            statements.map_err(|error| errors::syntax(&self.shared.reader.lake, text, error))
        };
        read.await.inspect_err(|_| self.shared.reader.statement(Door::Postgres, None).refused())
    }

    /// What a statement that asks for rows means.
    pub(super) async fn plan(&self, session: &Session, statement: Ast) -> Result<LogicalPlan, Refusal> {
        let state = session.client.context.state();
        let planned = state.statement_to_plan(Sentence::Statement(Box::new(statement))).await;
        let plan = planned.map_err(|error| self.within(self.refusal(error)))?;
        reads_only(&plan).map_err(|error| Cause::ReadOnly.of(error))?;
        Ok(plan)
    }

    /// The rows of a plan as they come, within the bounds of a statement. Where `timeout` is given, the client wants no
    /// more time than that.
    pub(super) async fn rows(
        &self,
        session: &Session,
        plan: impl Future<Output = Result<LogicalPlan, Refusal>> + Send,
        timeout: Option<Duration>,
    ) -> PgWireResult<(SchemaRef, Batches)> {
        let statement = self.shared.reader.statement(Door::Postgres, timeout);
        self.end.send_replace(statement.end());
        let begun = async {
            let plan = statement.within(plan).await?;
            let schema = plan.schema().inner().clone();
            let (context, reader) = (session.client.context.clone(), self.shared.reader.clone());
            let begin = async move {
                let frame = context.execute_logical_plan(plan).await?;
                frame.execute_stream().await
            };
            let begin = async move { begin.await.map_err(|error| Refusal::new(&reader.lake, error)) };
            Ok((schema, statement.work(begin).await?))
        };
        match begun.await {
            Err(refusal) => {
                statement.refused();
                Err(errors::told(refusal))
            }
            Ok((schema, rows)) => {
                let reader = self.shared.reader.clone();
                let rows = rows
                    .map(move |batch| batch.map_err(|error| errors::told(Refusal::new(&reader.lake, error))));
                Ok((schema, statement.rows(rows, RecordBatch::num_rows, errors::told)))
            }
        }
    }

    /// The plan of a parsed query, made anew if another publication is in force since. Its columns stay what the
    /// client was told.
    pub(super) async fn renewed(&self, session: &Session, planned: &Planned) -> PgWireResult<LogicalPlan> {
        let newest = self.shared.reader.newest().await.map_err(errors::own)?;
        if newest.version == planned.seen && !asks_for_known(&planned.text) {
            return Ok(planned.plan.clone());
        }
        let renewed = match self.parsed(session, &planned.text).await? {
            Some(Prepared::Rows(renewed) | Prepared::Cursor(_, _, renewed) | Prepared::Copy(_, renewed)) => {
                renewed
            }
            _ => return Err(errors::coded("ERROR", "XX000", "the statement has another meaning now")),
        };
        if renewed.schema().fields() != planned.schema().fields() {
            return Err(errors::coded("ERROR", "0A000", "cached plan must not change result type"));
        }
        Ok(renewed.plan)
    }

    /// What would be changed, and is not.
    pub(super) fn refuse_change(&self, statement: &Ast) -> PgWireError {
        self.shared.reader.statement(Door::Postgres, None).refused();
        if matches!(statement, Ast::Copy { to: true, .. }) {
            let error = Error::invalid("cannot COPY to a file or a program of the server")
                .hint("COPY … TO STDOUT sends the rows to the client; psql's \\copy writes them to a file of its own");
            return errors::told(Cause::Denied.of(error));
        }
        let text = statement.to_string();
        let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        if ["PREPARE", "EXECUTE", "LISTEN", "NOTIFY", "CALL", "SHOW"].contains(&word.as_str()) {
            return errors::coded("ERROR", "0A000", format!("{word} is not supported"));
        }
        let error = Error::invalid(format!("cannot execute {word}: SQL only reads here"))
            .hint("tables are made by the jobs in sql/ and `lake run`");
        errors::told(Cause::ReadOnly.of(error))
    }

    /// What an error of the engine means to the client.
    pub(super) fn refusal(&self, error: DataFusionError) -> Refusal {
        Refusal::new(&self.shared.reader.lake, error)
    }

    /// A refusal as the client may hear it.
    fn within(&self, refusal: Refusal) -> Refusal {
        let role = self.entrance.role().cloned().unwrap_or_else(Users::anyone);
        refusal.within(&self.shared.reader.lake, &role.layers)
    }

    /// The one statement of a text; none if there is none in it.
    async fn parsed(&self, session: &Session, text: &str) -> PgWireResult<Option<Prepared>> {
        let mut statements = self.statements(session, text).await?;
        let seen = session.client.version();
        let Some(statement) = statements.pop() else { return Ok(None) };
        if !statements.is_empty() {
            return Err(errors::coded(
                "ERROR",
                "42601",
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        Ok(Some(match kind(statement) {
            Kind::Rows(statement) => Prepared::Rows(self.planned(session, text, *statement, seen).await?),
            Kind::Cursor(name, outlives, query) => {
                Prepared::Cursor(name, outlives, self.planned(session, text, *query, seen).await?)
            }
            Kind::Copy(options, query) => {
                Prepared::Copy(options.form()?, self.planned(session, text, *query, seen).await?)
            }
            Kind::Command(statement) => Prepared::Command(statement),
            Kind::Change(statement) => return Err(self.refuse_change(&statement)),
        }))
    }

    async fn planned(
        &self,
        session: &Session,
        text: &str,
        statement: Ast,
        seen: Option<u64>,
    ) -> PgWireResult<Planned> {
        let ids = parameters::object_ids(&statement);
        match self.plan(session, statement).await {
            Ok(plan) => Ok(Planned { text: text.into(), plan, ids, seen }),
            Err(refusal) => {
                self.shared.reader.statement(Door::Postgres, None).refused();
                Err(errors::told(refusal))
            }
        }
    }
}

#[async_trait]
impl QueryParser for Service {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        client: &C,
        sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let session = self.session(client.metadata()).await?;
        self.parsed(session, sql).await
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<Type>> {
        match statement {
            Prepared::Rows(planned) | Prepared::Cursor(_, _, planned) | Prepared::Copy(_, planned) => {
                parameters::types(&planned.plan, &planned.ids)
                    .map_err(|error| errors::told(self.refusal(error)))
            }
            Prepared::Command(_) => Ok(Vec::new()),
        }
    }

    fn get_result_schema(
        &self,
        statement: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let schema = match statement {
            Prepared::Rows(planned) => planned.schema().clone(),
            Prepared::Cursor(..) | Prepared::Copy(..) => return Ok(Vec::new()),
            Prepared::Command(command) => match (command.as_ref(), self.session.get()) {
                (Ast::Fetch { name, .. }, Some(session)) => session.cursors.get(&name.value)?.schema.clone(),
                (Ast::ShowVariable { variable }, _) => {
                    let (name, _) = settings::show(&HashMap::new(), variable)?;
                    Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, false)]))
                }
                _ => return Ok(Vec::new()),
            },
        };
        let text = Format::UnifiedText;
        fields(&schema, format.unwrap_or(&text), Arc::new(FormatOptions::default()))
    }
}
