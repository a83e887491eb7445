//! Statements between their requests: a plan waits for who fetches its rows, a prepared one for its parameters.

use std::collections::BTreeSet;
use std::str;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{ActionCreatePreparedStatementResult, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightData, FlightInfo};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use prost::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Peer;
use super::kept::{Kept, NAME, unguessable};
use super::rows::{Answer, as_told, plain, send, told};
use super::status::{failed, garbled, mistaken, status};
use crate::contract::Layer;
use crate::error::{Error, Result};
use crate::run::reads_only;
use crate::serve::{Cause, Door, Reader, Refusal, Role, Statement};

/// How many plans wait for their rows to be fetched, and how many prepared statements there are.
const MOST: usize = 1_000;

/// How long a plan waits for its rows to be fetched.
const PLAN_UNUSED: Duration = Duration::from_secs(5 * 60);

/// How long a prepared statement is kept that nobody executes.
const PREPARED_UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// The statements of all clients.
pub struct Statements {
    reader: Arc<Reader>,
    planned: Kept<Planned>,
    prepared: Kept<Prepared>,
}

/// A statement that is planned: its rows are those of one publication, whenever they are fetched.
struct Planned {
    layers: BTreeSet<Layer>,
    /// The columns that its client is told of.
    schema: SchemaRef,
    origin: Origin,
    /// What runs when its rows are fetched for the first time.
    physical: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    stop: CancellationToken,
}

/// What a statement means, in which session, and the version of `ops.publications` that it sees.
struct Origin {
    context: Arc<SessionContext>,
    version: Option<u64>,
    plan: LogicalPlan,
}

/// A statement that is executed more than once, with the values that its parameters have now.
struct Prepared {
    layers: BTreeSet<Layer>,
    text: String,
    values: Mutex<Vec<ScalarValue>>,
    /// The plan that was made to tell its columns, until it is executed.
    first: Mutex<Option<Planned>>,
}

impl Statements {
    /// No statement yet.
    pub fn new(reader: Arc<Reader>) -> Statements {
        Statements {
            reader,
            planned: Kept::new(MOST, PLAN_UNUSED),
            prepared: Kept::new(MOST, PREPARED_UNUSED),
        }
    }

    /// Plans a statement: its columns, and the ticket for its rows.
    pub async fn plan(&self, peer: &Peer, role: &Role, text: &str) -> Result<(SchemaRef, Bytes), Status> {
        let planned = self.timed(self.planned(peer, role, text, &[])).await?;
        self.keep(planned, text)
    }

    /// Prepares a statement: its columns, its parameters, and the name by which it is executed.
    pub async fn prepare(
        &self,
        peer: &Peer,
        role: &Role,
        text: &str,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let (schema, parameters, first) = self.timed(self.described(peer, role, text)).await?;
        let name = unguessable().map_err(failed)?;
        let prepared = Prepared {
            layers: role.layers.clone(),
            text: text.into(),
            values: Mutex::default(),
            first: Mutex::new(first),
        };
        self.prepared.insert(name.clone(), Arc::new(prepared));
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: name.into(),
            dataset_schema: encoded(&schema)?,
            parameter_schema: encoded(&Schema::new(parameters))?,
        })
    }

    /// Gives the parameters of a prepared statement the values of a row.
    pub async fn bind(
        &self,
        role: &Role,
        handle: &[u8],
        mut rows: FlightRecordBatchStream,
    ) -> Result<(), Status> {
        let prepared = self.prepared(role, handle)?;
        let mut given = None;
        while let Some(batch) = rows.try_next().await.map_err(garbled)? {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
                let values: Result<Vec<ScalarValue>, DataFusionError> = values.collect();
                if given.replace(values.map_err(garbled)?).is_some() {
                    let error = Error::invalid("there is more than one row of parameters");
                    return Err(failed(error.hint("execute the statement once for each row")));
                }
            }
        }
        *prepared.values.lock().unwrap_or_else(PoisonError::into_inner) = given.unwrap_or_default();
        Ok(())
    }

    /// Plans a prepared statement with the values of its parameters: its columns, and the ticket for its rows.
    pub async fn execute(
        &self,
        peer: &Peer,
        role: &Role,
        handle: &[u8],
    ) -> Result<(SchemaRef, Bytes), Status> {
        let prepared = self.prepared(role, handle)?;
        let values = prepared.values.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = prepared.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let newest = self.reader.newest().await.map_err(failed)?.version;
        let planned = match first.filter(|first| first.origin.version == newest && values.is_empty()) {
            Some(first) => first,
            None => self.timed(self.planned(peer, role, &prepared.text, &values)).await?,
        };
        // With values it is more than its text says.
        self.keep(planned, if values.is_empty() { prepared.text.as_str() } else { "" })
    }

    /// Forgets a prepared statement.
    pub fn close(&self, role: &Role, handle: &[u8]) {
        if self.prepared(role, handle).is_ok() {
            self.prepared.remove(str::from_utf8(handle).unwrap_or_default());
        }
    }

    /// The rows that a ticket stands for. A plan that is forgotten is made anew.
    pub async fn rows(&self, peer: &Peer, role: &Role, handle: &[u8]) -> Result<Answer<FlightData>, Status> {
        let (name, text) = parted(handle)?;
        let statement = self.reader.statement(Door::Flight, None);
        let begun = async {
            let planned = statement.within(self.of_ticket(peer, role, name, text)).await?;
            let (ran, reader) = (planned.clone(), self.reader.clone());
            let run = async move { ran.run().await.map_err(|e| Refusal::new(&reader.lake, e)) };
            Ok::<_, Refusal>((planned, statement.work(run).await?))
        };
        match begun.await {
            Ok((planned, rows)) => Ok(self.sent(statement, planned, rows)),
            Err(refusal) => {
                statement.refused();
                Err(status(refusal))
            }
        }
    }

    async fn of_ticket(
        &self,
        peer: &Peer,
        role: &Role,
        name: &str,
        text: &str,
    ) -> Result<Arc<Planned>, Refusal> {
        match self.planned.get(name).filter(|planned| planned.layers == role.layers) {
            Some(planned) => Ok(planned),
            None if text.is_empty() => Err(forgotten("the ticket is not known, or not any more")),
            None => {
                let planned = Arc::new(self.planned(peer, role, text, &[]).await?);
                self.planned.insert(name.into(), planned.clone());
                Ok(planned)
            }
        }
    }

    /// Stops the statement that a ticket stands for; false where there is none.
    pub fn cancel(&self, role: &Role, handle: &[u8]) -> bool {
        let planned = parted(handle).ok().and_then(|(name, _)| self.planned.get(name));
        let planned = planned.filter(|planned| planned.layers == role.layers);
        if let Some(planned) = &planned {
            planned.stop.cancel();
        }
        planned.is_some()
    }

    /// Sends the rows of a statement while there is time for them, and until it is stopped.
    fn sent(
        &self,
        statement: Statement,
        planned: Arc<Planned>,
        rows: SendableRecordBatchStream,
    ) -> Answer<FlightData> {
        let (reader, schema, stop) = (self.reader.clone(), planned.schema.clone(), planned.stop.clone());
        let is_stopped = stop.clone();
        let batches = rows.map(move |batch| {
            // The plan is held for as long as its rows are made, and can be stopped by its ticket.
            let batch =
                batch.and_then(|batch| as_told(&batch, &planned.schema).map_err(DataFusionError::from));
            batch.map_err(|e| FlightError::from(status(Refusal::new(&reader.lake, e))))
        });
        let rows =
            statement.rows(batches, RecordBatch::num_rows, |refusal| FlightError::from(status(refusal)));
        let stopped = stream::once(async move { is_stopped.is_cancelled() }).filter_map(|is| async move {
            let refusal = Cause::Cancelled.of(Error::invalid("the statement was cancelled"));
            is.then(|| Err::<RecordBatch, _>(FlightError::from(status(refusal))))
        });
        send(rows.take_until(stop.cancelled_owned()).chain(stopped), schema)
    }

    /// Does what comes before the rows, in the time that a statement has.
    async fn timed<T>(&self, work: impl Future<Output = Result<T, Refusal>> + Send) -> Result<T, Status> {
        let statement = self.reader.statement(Door::Flight, None);
        match statement.within(work).await {
            Ok(done) => {
                statement.planned();
                Ok(done)
            }
            Err(refusal) => {
                statement.refused();
                Err(status(refusal))
            }
        }
    }

    /// What a statement means to a peer, with its parameters numbered.
    async fn origin(&self, peer: &Peer, role: &Role, text: &str) -> Result<Origin, Refusal> {
        let found = self.found(peer, role, text).await;
        found.map_err(|refusal| refusal.within(&self.reader.lake, &role.layers))
    }

    async fn found(&self, peer: &Peer, role: &Role, text: &str) -> Result<Origin, Refusal> {
        // The names of a session follow what is published with each statement: one at a time is planned in it.
        let mut sessions = peer.sessions.lock().await;
        let kept = sessions.get(&role.layers).cloned();
        let client = match kept {
            Some(client) => client,
            None => {
                let client = Arc::new(self.reader.client(&role.layers).await?);
                sessions.insert(role.layers.clone(), client.clone());
                client
            }
        };
        let text = numbered(text);
        let translated = self.reader.prepare(&client, &text).await?;
        let state = client.context.state();
        let plan = state.create_logical_plan(translated.as_deref().unwrap_or(&text)).await;
        let plan = plan.map_err(|e| self.refusal(e))?;
        reads_only(&plan).map_err(|error| Cause::ReadOnly.of(error))?;
        Ok(Origin { context: client.context.clone(), version: client.version(), plan })
    }

    /// Plans a statement with these values of its parameters.
    async fn planned(
        &self,
        peer: &Peer,
        role: &Role,
        text: &str,
        values: &[ScalarValue],
    ) -> Result<Planned, Refusal> {
        let mut origin = self.origin(peer, role, text).await?;
        let wanted = parameters(&origin.plan).map_err(|e| self.refusal(e))?.len();
        if wanted != values.len() {
            let error = Error::invalid(format!(
                "the number of parameters of the statement is {wanted}, that of their values {}",
                values.len()
            ));
            return Err(error.hint("prepare the statement, and bind a value to each of them").into());
        }
        if wanted > 0 {
            let plan = origin.plan.with_param_values(values.to_vec());
            origin.plan = plan.map_err(|e| self.refusal(e))?;
        }
        self.physical(origin, role).await
    }

    /// The columns of a statement, its parameters, and its plan where it has none.
    async fn described(
        &self,
        peer: &Peer,
        role: &Role,
        text: &str,
    ) -> Result<(SchemaRef, Vec<Field>, Option<Planned>), Refusal> {
        let origin = self.origin(peer, role, text).await?;
        let parameters = parameters(&origin.plan).map_err(|e| self.refusal(e))?;
        if !parameters.is_empty() {
            return Ok((told(origin.plan.schema().as_arrow()), parameters, None));
        }
        let planned = self.physical(origin, role).await?;
        Ok((planned.schema.clone(), parameters, Some(planned)))
    }

    async fn physical(&self, origin: Origin, role: &Role) -> Result<Planned, Refusal> {
        let physical = origin.context.state().create_physical_plan(&origin.plan).await;
        let physical = physical.map_err(|e| self.refusal(e))?;
        Ok(Planned {
            layers: role.layers.clone(),
            schema: told(&physical.schema()),
            origin,
            physical: Mutex::new(Some(physical)),
            stop: CancellationToken::new(),
        })
    }

    /// Keeps a plan until its rows are fetched.
    fn keep(&self, planned: Planned, text: &str) -> Result<(SchemaRef, Bytes), Status> {
        let (name, schema) = (unguessable().map_err(failed)?, planned.schema.clone());
        let query = TicketStatementQuery { statement_handle: format!("{name}{text}").into() };
        self.planned.insert(name, Arc::new(planned));
        Ok((schema, query.as_any().encode_to_vec().into()))
    }

    fn prepared(&self, role: &Role, handle: &[u8]) -> Result<Arc<Prepared>, Status> {
        let prepared = str::from_utf8(handle).ok().and_then(|name| self.prepared.get(name));
        let prepared = prepared.filter(|prepared| prepared.layers == role.layers);
        prepared.ok_or_else(|| status(forgotten("the prepared statement is not known, or not any more")))
    }

    fn refusal(&self, error: DataFusionError) -> Refusal {
        Refusal::new(&self.reader.lake, error)
    }
}

impl Planned {
    async fn run(&self) -> Result<SendableRecordBatchStream, DataFusionError> {
        let first = self.physical.lock().unwrap_or_else(PoisonError::into_inner).take();
        let physical = match first {
            Some(physical) => physical,
            // A plan of the engine runs once.
            None => self.origin.context.state().create_physical_plan(&self.origin.plan).await?,
        };
        execute_stream(physical, self.origin.context.task_ctx())
    }
}

/// The name of a plan in a ticket, and the statement in case that it is forgotten.
fn parted(handle: &[u8]) -> Result<(&str, &str), Status> {
    let text = str::from_utf8(handle).map_err(garbled)?;
    text.split_at_checked(NAME).ok_or_else(|| garbled("the ticket is too short"))
}

fn forgotten(message: &str) -> Refusal {
    Error::invalid(message).hint("ask the statement again").into()
}

/// Columns as the protocol writes them.
fn encoded(schema: &Schema) -> Result<Bytes, Status> {
    FlightInfo::new().try_with_schema(schema).map(|info| info.schema).map_err(mistaken)
}

/// The text with its parameters numbered in their order, where each is only a question mark.
fn numbered(text: &str) -> String {
    let tokens = Tokenizer::new(&GenericDialect {}, text).with_unescape(false).tokenize();
    let Some(tokens) = tokens.ok().filter(|_| text.contains('?')) else { return text.into() };
    let mut count = 0;
    let number = |token: Token| match token {
        Token::Placeholder(mark) if mark == "?" => {
            count += 1;
            format!("${count}")
        }
        token => token.to_string(),
    };
    tokens.into_iter().map(number).collect()
}

/// The parameters of a statement, of types that clients know; one that could be anything is text.
fn parameters(plan: &LogicalPlan) -> Result<Vec<Field>, DataFusionError> {
    let found = plan.get_parameter_fields()?;
    let mut fields = vec![None; found.len()];
    for (name, field) in found {
        let number = name.get(1..).and_then(|number| number.parse::<usize>().ok());
        let Some(place) = number.and_then(|n| n.checked_sub(1)).filter(|place| *place < fields.len()) else {
            let error =
                Error::invalid(format!("`{name}` is none of the parameters from $1 on without a gap"))
                    .hint("write each as `?`, or number them");
            return Err(DataFusionError::External(Box::new(error)));
        };
        let data_type = field.map_or(DataType::Utf8, |field| plain(field.data_type()));
        fields[place] = Some(Field::new(format!("${}", place + 1), data_type, true));
    }
    Ok(fields.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    //! Proves which parameters are numbered.

    use super::*;

    #[test]
    fn question_marks_are_numbered_where_they_are_parameters() {
        assert_eq!(
            numbered("select '?', \"a?\" -- ?\nfrom t where a = ? and b in (?, ?)"),
            "select '?', \"a?\" -- ?\nfrom t where a = $1 and b in ($2, $3)"
        );
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["select 1 where a = $2", "select '?' || 'it''s'", "select '"] {
            assert_eq!(numbered(text), text);
        }
    }
}
