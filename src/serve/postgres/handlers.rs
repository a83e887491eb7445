//! The two ways to ask: a text, or a parsed statement with parameters.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{
    CloseCursor, DiscardObject, FetchDirection, FetchPosition, Ident, Reset, Statement as Ast,
};
use datafusion_postgres::pgwire::api::portal::{Format, Portal, PortalExecutionState};
use datafusion_postgres::pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_execution_response, send_query_response,
    send_ready_for_query,
};
use datafusion_postgres::pgwire::api::results::{
    DataRowEncoder, FieldFormat, FieldInfo, QueryResponse, Response, Tag,
};
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::api::store::{Entry, MemPortalStore, PortalStore};
use datafusion_postgres::pgwire::api::{
    ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::extendedquery::{Execute, PortalSuspended};
use datafusion_postgres::pgwire::messages::response::EmptyQueryResponse;
use datafusion_postgres::pgwire::messages::simplequery::Query;
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::{Sink, SinkExt, StreamExt, stream};

use super::copy::Form;
use super::parse::{Kind, kind};
use super::rows::{Batches, response};
use super::service::{Planned, Prepared, Service, Session};
use super::{cursor, errors, parameters, settings};

/// A connection's service, as the protocol asks for it.
pub(super) struct Handler(pub(super) Arc<Service>);

#[async_trait]
impl SimpleQueryHandler for Handler {
    /// Each statement is answered before the next is begun.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        for response in SimpleQueryHandler::do_query(self, client, &query.query).await? {
            respond(client, response).await?;
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        send_ready_for_query(client, client.transaction_status()).await
    }

    /// Gives what is left to be sent when the last statement is done.
    async fn do_query<C>(&self, client: &mut C, text: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = self.0.session(client.metadata()).await?;
        let mut last = Response::EmptyQuery;
        for (at, statement) in self.0.statements(session, text).await?.into_iter().enumerate() {
            if at > 0 {
                respond(client, last).await?;
            }
            last = self.answer(session, client, statement).await?;
        }
        Ok(vec![last])
    }
}

#[async_trait]
impl ExtendedQueryHandler for Handler {
    type Statement = Prepared;
    type QueryParser = Service;

    fn query_parser(&self) -> Arc<Service> {
        self.0.clone()
    }

    /// Rows are sent as they come. What the trait does by default gathers all of them first.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        match client.portal_store().get_portal(name) {
            None => return Err(PgWireError::PortalNotFound(name.to_owned())),
            Some(Entry::Empty) => {
                client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
            }
            Some(Entry::Value(portal)) => {
                let most = usize::try_from(message.max_rows).ok().filter(|most| *most > 0);
                self.execute(client, &portal, most).await?;
            }
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = self.0.session(client.metadata()).await?;
        match &portal.statement.statement {
            Prepared::Command(statement) => {
                command(session, client, statement, &portal.result_column_format).await
            }
            Prepared::Rows(planned) => {
                let rows = self.run(session, client, portal, planned).await?;
                let options = options(client);
                let rows = response(rows, planned.schema(), &portal.result_column_format, options)?;
                Ok(Response::Query(rows))
            }
            Prepared::Copy(form, planned) => {
                let rows = self.run(session, client, portal, planned).await?;
                copied(client, form, planned.schema(), rows).await
            }
            Prepared::Cursor(name, outlives, planned) => {
                let rows = self.run(session, client, portal, planned).await?;
                session.cursors.open(name, planned.schema().clone(), *outlives, rows);
                Ok(declared(client, name.clone()))
            }
        }
    }
}

impl Handler {
    /// What comes of a statement that stands alone or among others in a text.
    async fn answer<C>(&self, session: &Session, client: &mut C, statement: Ast) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let service = &self.0;
        let timeout = settings::timeout(client.metadata());
        let rows = |statement: Box<Ast>| service.rows(session, service.plan(session, *statement), timeout);
        match kind(statement) {
            Kind::Rows(statement) => {
                let (schema, rows) = rows(statement).await?;
                let options = options(client);
                Ok(Response::Query(response(rows, &schema, &Format::UnifiedText, options)?))
            }
            Kind::Cursor(name, outlives, query) => {
                let (schema, rows) = rows(query).await?;
                session.cursors.open(&name, schema, outlives, rows);
                Ok(declared(client, name))
            }
            Kind::Copy(copy, query) => {
                let form = copy.form()?;
                let (schema, rows) = rows(query).await?;
                copied(client, &form, &schema, rows).await
            }
            Kind::Command(statement) => command(session, client, &statement, &Format::UnifiedText).await,
            Kind::Change(statement) => Err(service.refuse_change(&statement)),
        }
    }

    /// The rows of a parsed query with the values of its placeholders.
    async fn run<C: ClientInfo>(
        &self,
        session: &Session,
        client: &C,
        portal: &Portal<Prepared>,
        planned: &Planned,
    ) -> PgWireResult<Batches> {
        let plan = self.0.renewed(session, planned).await?;
        let values = parameters::values(&plan, portal)?;
        let bound = async { plan.replace_params_with_values(&values).map_err(|error| self.0.refusal(error)) };
        let timeout = settings::timeout(client.metadata());
        Ok(self.0.rows(session, bound, timeout).await?.1)
    }

    /// Runs a portal, or runs it on; at most so many rows are sent.
    async fn execute<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        most: Option<usize>,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match ExtendedQueryHandler::do_query(self, client, portal, 0).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                other => return respond(client, other).await,
            }
        }
        let (mut tag, mut sent, mut is_over) = ("SELECT".to_string(), 0, true);
        if let PortalExecutionState::Suspended(rows) = &mut *state {
            tag = rows.command_tag().to_owned();
            loop {
                if most == Some(sent) {
                    is_over = false;
                    break;
                }
                let Some(row) = rows.data_rows().next().await else { break };
                client.feed(PgWireBackendMessage::DataRow(row?)).await?;
                sent += 1;
            }
        }
        if is_over {
            *state = PortalExecutionState::Finished;
            send_execution_response(client, Tag::new(&tag).with_rows(sent)).await
        } else {
            Ok(client.feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?)
        }
    }
}

/// Sends an answer.
async fn respond<C>(client: &mut C, response: Response) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let tag = match response {
        Response::Query(rows) => return send_query_response(client, rows, true).await,
        Response::EmptyQuery => {
            let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
            return Ok(client.feed(empty).await?);
        }
        Response::TransactionStart(tag) => {
            client.set_transaction_status(client.transaction_status().to_in_transaction_state());
            tag
        }
        Response::TransactionEnd(tag) => {
            client.set_transaction_status(client.transaction_status().to_idle_state());
            tag
        }
        Response::Execution(tag) => tag,
        _ => return Err(errors::coded("ERROR", "XX000", "an answer of no kind")),
    };
    send_execution_response(client, tag).await
}

/// Copies rows to a client.
async fn copied<C>(client: &mut C, form: &Form, schema: &SchemaRef, rows: Batches) -> PgWireResult<Response>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let rows = response(rows, schema, &form.wire_format(), options(client))?;
    Ok(Response::Execution(form.send(client, schema, rows).await?))
}

/// Does what a statement about the session says.
async fn command<C>(
    session: &Session,
    client: &mut C,
    statement: &Ast,
    format: &Format,
) -> PgWireResult<Response>
where
    C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::PortalStore: PortalStore,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let context = &session.client.context;
    let done = |word: &str| Ok(Response::Execution(Tag::new(word)));
    match statement {
        Ast::Set(told) => {
            settings::set(client, context, told).await?;
            done("SET")
        }
        Ast::Reset(reset) => {
            let name = match &reset.reset {
                Reset::ALL => None,
                Reset::ConfigurationParameter(name) => Some(name),
            };
            settings::reset(client, context, name).await?;
            done("RESET")
        }
        Ast::Discard { object_type } => {
            if matches!(object_type, DiscardObject::ALL) {
                settings::reset(client, context, None).await?;
                session.cursors.close(None);
            }
            done(&format!("DISCARD {object_type}"))
        }
        Ast::ShowVariable { variable } => {
            let (name, value) = settings::show(client.metadata(), variable)?;
            shown(name, value, format)
        }
        Ast::StartTransaction { .. } => Ok(Response::TransactionStart(Tag::new("BEGIN"))),
        // Nothing was changed, and so an error before it leaves nothing to be taken back.
        Ast::Commit { .. } => {
            session.cursors.end_transaction();
            Ok(Response::TransactionEnd(Tag::new("COMMIT")))
        }
        Ast::Rollback { savepoint: None, .. } => {
            session.cursors.end_transaction();
            Ok(Response::TransactionEnd(Tag::new("ROLLBACK")))
        }
        Ast::Rollback { .. } => done("ROLLBACK"),
        Ast::Savepoint { .. } => done("SAVEPOINT"),
        Ast::ReleaseSavepoint { .. } => done("RELEASE"),
        Ast::UNLISTEN { .. } => done("UNLISTEN"),
        Ast::Deallocate { name, .. } => {
            client.portal_store().rm_statement(&name.value);
            done("DEALLOCATE")
        }
        Ast::Fetch { name, direction, .. } => {
            let cursor = session.cursors.get(&name.value)?;
            let (schema, wanted) = (cursor.schema.clone(), cursor::count(direction)?);
            let mut rows = response(cursor.fetch(wanted), &schema, format, options(client))?;
            rows.set_command_tag("FETCH");
            Ok(Response::Query(rows))
        }
        Ast::Close { cursor } => {
            match cursor {
                CloseCursor::All => session.cursors.close(None),
                CloseCursor::Specific { name } => session.cursors.close(Some(&name.value)),
            }
            done("CLOSE CURSOR")
        }
        _ => Err(errors::coded("ERROR", "XX000", "a command of no kind")),
    }
}

/// A cursor is open. It is a portal as well: a client may ask for its columns by its name.
fn declared<C>(client: &C, name: String) -> Response
where
    C: ClientPortalStore,
    C::PortalStore: PortalStore,
{
    if let Some(store) = client.portal_store().as_any().downcast_ref::<MemPortalStore<Prepared>>() {
        let fetch = Ast::Fetch {
            name: Ident::with_quote('"', name.clone()),
            direction: FetchDirection::All,
            position: FetchPosition::From,
            into: None,
        };
        let statement = StoredStatement::new(name.clone(), Prepared::Command(Box::new(fetch)), Vec::new());
        store.put_portal(Arc::new(Portal::new_cursor(name, Arc::new(statement))));
    }
    Response::Execution(Tag::new("DECLARE CURSOR"))
}

/// The value of a setting as a row.
fn shown(name: String, value: String, format: &Format) -> PgWireResult<Response> {
    let format = if format.is_binary(0) { FieldFormat::Binary } else { FieldFormat::Text };
    let fields = Arc::new(vec![FieldInfo::new(name, None, None, Type::TEXT, format)]);
    let mut encoder = DataRowEncoder::new(fields.clone());
    encoder.encode_field(&Some(value))?;
    let row = encoder.take_row();
    let mut rows = QueryResponse::new(fields, stream::iter([Ok(row)]));
    rows.set_command_tag("SHOW");
    Ok(Response::Query(rows))
}

/// How the client wants values written.
fn options<C: ClientInfo>(client: &C) -> Arc<FormatOptions> {
    Arc::new(FormatOptions::from_client_metadata(client.metadata()))
}
