//! The calls of Arrow Flight, and which of Flight SQL's commands and actions each of them takes.
//!
//! `arrow-flight` has a trait of one method a command. This is the one below it: metadata take one path for all
//! commands, a client that asks for a schema alone gets it, and what cannot be read is told in words.

use std::future::ready;
use std::sync::Arc;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, Any, Command, DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Criteria, Empty,
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, PollInfo,
    PutResult, SchemaResult, Ticket,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use prost::Message;
use prost::bytes::Bytes;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::access::{Access, Caller};
use super::metadata::Metadata;
use super::rows::{Answer, send_one};
use super::statements::Statements;
use super::status::{garbled, mistaken, read_only};
use crate::error;
use crate::serve::{Reader, Role, Users};

/// The actions that are taken, and what they do.
const ACTIONS: [(&str, &str); 4] = [
    ("CreatePreparedStatement", "Prepares a statement; its parameters are written `?`, or $1, $2, …"),
    ("ClosePreparedStatement", "Forgets a prepared statement."),
    ("CancelFlightInfo", "Stops the statement of a FlightInfo."),
    ("CancelQuery", "The same, as older clients ask for it."),
];

/// What answers the calls of all clients.
pub struct Service {
    access: Access,
    statements: Statements,
    metadata: Metadata,
}

impl Service {
    /// Answers from what a reader sees.
    pub fn new(reader: Arc<Reader>, users: Arc<Users>) -> error::Result<Service> {
        Ok(Service {
            access: Access::new(users),
            statements: Statements::new(reader.clone()),
            metadata: Metadata::new(reader)?,
        })
    }

    /// What a command gives: its columns, and the ticket for its rows.
    async fn info(&self, caller: &Caller, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let (peer, role) = self.access.admit(caller).await?;
        let (schema, ticket) = match command(&descriptor.cmd)? {
            Command::CommandStatementQuery(query) => self.statements.plan(&peer, &role, &query.query).await?,
            Command::CommandPreparedStatementQuery(query) => {
                self.statements.execute(&peer, &role, &query.prepared_statement_handle).await?
            }
            other => (self.metadata.answer(&role, other).await?.schema(), descriptor.cmd.clone()),
        };
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
        let info = FlightInfo::new().try_with_schema(&schema).map_err(mistaken)?;
        Ok(info.with_endpoint(endpoint).with_descriptor(descriptor))
    }

    /// Stops the statement of a FlightInfo.
    fn cancel(&self, role: &Role, info: &FlightInfo) -> CancelStatus {
        let tickets = info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref());
        let mut commands = tickets.filter_map(|ticket| command(&ticket.ticket).ok());
        let is_cancelled = commands.any(|command| match command {
            Command::TicketStatementQuery(query) => self.statements.cancel(role, &query.statement_handle),
            _ => false,
        });
        if is_cancelled { CancelStatus::Cancelled } else { CancelStatus::NotCancellable }
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answer<HandshakeResponse>;
    type ListFlightsStream = Answer<FlightInfo>;
    type DoGetStream = Answer<FlightData>;
    type DoPutStream = Answer<PutResult>;
    type DoActionStream = Answer<arrow_flight::Result>;
    type ListActionsStream = Answer<ActionType>;
    type DoExchangeStream = Answer<FlightData>;

    /// Gives a token for a name and a password.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let caller = Caller::of(&request);
        let (_, role) = self.access.admit(&caller).await?;
        let token = self.access.token(&role)?;
        let header = format!("Bearer {token}").parse::<AsciiMetadataValue>().map_err(mistaken)?;
        let mut response =
            Response::new(once(HandshakeResponse { protocol_version: 0, payload: token.into() }));
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("flights are not listed: the command GetTables lists the tables"))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = Caller::of(&request);
        self.info(&caller, request.into_inner()).await.map(Response::new)
    }

    /// The same, for clients that would wait for it step by step: the first step is the last.
    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let caller = Caller::of(&request);
        let info = self.info(&caller, request.into_inner()).await?;
        Ok(Response::new(PollInfo::new().with_info(info)))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let caller = Caller::of(&request);
        let info = self.info(&caller, request.into_inner()).await?;
        Ok(Response::new(SchemaResult { schema: info.schema }))
    }

    /// Rows.
    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let caller = Caller::of(&request);
        let (peer, role) = self.access.admit(&caller).await?;
        let rows = match command(&request.get_ref().ticket)? {
            Command::TicketStatementQuery(query) => {
                self.statements.rows(&peer, &role, &query.statement_handle).await?
            }
            other => send_one(self.metadata.answer(&role, other).await?),
        };
        Ok(Response::new(rows))
    }

    /// Takes the values of parameters; there is nothing else that could be put here.
    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = Caller::of(&request);
        let (_, role) = self.access.admit(&caller).await?;
        let mut data = request.into_inner();
        let first = data.message().await?.ok_or_else(|| garbled("nothing was put"))?;
        let descriptor = first.flight_descriptor.clone().unwrap_or_default();
        match command(&descriptor.cmd)? {
            Command::CommandPreparedStatementQuery(query) => {
                let handle = query.prepared_statement_handle;
                let data = stream::iter([Ok(first)]).chain(data.map_err(FlightError::from));
                let rows = FlightRecordBatchStream::new_from_flight_data(data);
                self.statements.bind(&role, &handle, rows).await?;
                let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
                Ok(Response::new(once(PutResult { app_metadata: result.encode_to_vec().into() })))
            }
            Command::CommandStatementUpdate(_)
            | Command::CommandPreparedStatementUpdate(_)
            | Command::CommandStatementIngest(_) => Err(read_only()),
            other => Err(not_taken(other.type_url())),
        }
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("nothing is exchanged here: statements are asked with GetFlightInfo"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = Caller::of(&request);
        let (peer, role) = self.access.admit(&caller).await?;
        let Action { r#type: name, body } = request.into_inner();
        let body: Bytes = match name.as_str() {
            "CreatePreparedStatement" => {
                let asked: ActionCreatePreparedStatementRequest = unpacked(&body)?;
                let prepared = self.statements.prepare(&peer, &role, &asked.query).await?;
                prepared.as_any().encode_to_vec().into()
            }
            "ClosePreparedStatement" => {
                let asked: ActionClosePreparedStatementRequest = unpacked(&body)?;
                self.statements.close(&role, &asked.prepared_statement_handle);
                return Ok(Response::new(stream::empty().boxed()));
            }
            "CancelFlightInfo" => {
                let asked = CancelFlightInfoRequest::decode(body).map_err(garbled)?;
                let status = self.cancel(&role, &asked.info.unwrap_or_default());
                CancelFlightInfoResult::new(status).encode_to_vec().into()
            }
            "CancelQuery" => {
                let asked: ActionCancelQueryRequest = unpacked(&body)?;
                let info = FlightInfo::decode(asked.info).map_err(garbled)?;
                // Both kinds of results have the same numbers.
                let result = ActionCancelQueryResult { result: self.cancel(&role, &info) as i32 };
                result.as_any().encode_to_vec().into()
            }
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                return Err(Status::unimplemented("there are no transactions: this server only reads"));
            }
            other => return Err(not_taken(other)),
        };
        Ok(Response::new(once(arrow_flight::Result { body })))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let caller = Caller::of(&request);
        self.access.admit(&caller).await?;
        let action = |(name, description): (&str, &str)| {
            Ok(ActionType { r#type: name.into(), description: description.into() })
        };
        Ok(Response::new(stream::iter(ACTIONS.map(action)).boxed()))
    }
}

/// An answer of one message.
fn once<T: Send + 'static>(message: T) -> Answer<T> {
    stream::once(ready(Ok(message))).boxed()
}

/// The command that a descriptor or a ticket holds.
fn command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes).map_err(garbled)?;
    Command::try_from(any).map_err(garbled)
}

/// The request that an action holds.
fn unpacked<M: ProstMessageExt>(body: &[u8]) -> Result<M, Status> {
    let any = Any::decode(body).map_err(garbled)?;
    let message = any.unpack().map_err(garbled)?;
    message.ok_or_else(|| garbled(format!("`{}` is not what the action takes", any.type_url)))
}

/// What is said to a command or an action that nothing is done about.
pub fn not_taken(name: &str) -> Status {
    let name = name.rsplit(['.', '/']).next().unwrap_or(name);
    Status::unimplemented(format!("`{name}` is nothing that this server does\nhint: send SQL that reads"))
}
