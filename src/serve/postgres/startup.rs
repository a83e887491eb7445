//! Coming in: encryption, places, passwords.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion_postgres::pgwire::api::auth::sasl::SASLAuthStartupHandler;
use datafusion_postgres::pgwire::api::auth::sasl::scram::ScramAuth;
use datafusion_postgres::pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler, finish_authentication,
    protocol_negotiation, save_startup_parameters_to_metadata,
};
use datafusion_postgres::pgwire::api::cancel::CancelHandler;
use datafusion_postgres::pgwire::api::{
    ClientInfo, ConnectionGuard, ConnectionHandle, METADATA_USER, PgWireConnectionState,
    PidSecretKeyGenerator,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::cancel::CancelRequest;
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use futures::Sink;
use futures::channel::oneshot;

use super::settings::{DEFAULT_SCHEMA, SERVER_VERSION};
use super::{Shared, errors, settings};
use crate::serve::users::ITERATIONS;
use crate::serve::{Role, Users};

/// Where one connection comes in.
pub(super) struct Entrance {
    shared: Arc<Shared>,
    /// Whether it has a place among those that are served.
    is_placed: bool,
    passwords: SASLAuthStartupHandler<DefaultServerParameterProvider>,
    parameters: Arc<DefaultServerParameterProvider>,
    entered: OnceLock<Entered>,
}

/// What is known of a client that came in.
struct Entered {
    role: Role,
    handle: Arc<ConnectionHandle>,
    _guard: ConnectionGuard,
}

impl Entrance {
    /// An entrance; without a place it only says so.
    pub(super) fn new(shared: Arc<Shared>, is_placed: bool, is_encrypted: bool) -> Entrance {
        let mut scram = ScramAuth::new(Arc::new(Passwords(shared.users.clone())));
        scram.set_iterations(ITERATIONS);
        // Drivers break off where a password would be bound to an encryption that there is not.
        if let Some(certificate) = shared.certificate.as_ref().filter(|_| is_encrypted) {
            // A certificate whose signature has no name in the protocol binds no passwords; it encrypts all the same.
            let _ = scram.configure_certificate(certificate);
        }
        let parameters = Arc::new(parameters());
        let passwords = SASLAuthStartupHandler::new(parameters.clone())
            .with_scram(scram)
            .with_pid_secret_key_generator(shared.pids.clone());
        Entrance { shared, is_placed, passwords, parameters, entered: OnceLock::new() }
    }

    /// Who came in, once somebody has.
    pub(super) fn role(&self) -> Option<&Role> {
        self.entered.get().map(|entered| &entered.role)
    }

    /// What resolves when the client asks that the message at hand be given up; none before somebody came in.
    pub(super) async fn interrupt(&self) -> Option<oneshot::Receiver<()>> {
        match self.entered.get() {
            Some(entered) => Some(entered.handle.start_query().await),
            None => None,
        }
    }

    /// An error where a client cannot be served, whoever it is.
    fn check<C: ClientInfo>(&self, client: &C) -> PgWireResult<()> {
        if !self.is_placed {
            return Err(errors::coded("FATAL", "53300", "sorry, too many clients already"));
        }
        let is_near = client.socket_addr().ip().is_loopback();
        if self.shared.certificate.is_some() && !client.is_secure() && !is_near {
            return Err(errors::coded(
                "FATAL",
                "28000",
                "the connection must be encrypted: use sslmode=require",
            ));
        }
        Ok(())
    }

    /// Remembers who came in, and what his client asked for.
    fn enter<C: ClientInfo>(&self, client: &mut C, role: Role) {
        let asked = settings::of_startup(client.metadata());
        client.metadata_mut().extend(asked);
        let (pid, key) = client.pid_and_secret_key();
        let (handle, guard) = self.shared.connections.register(pid, key);
        let _ = self.entered.set(Entered { role, handle, _guard: guard });
    }
}

#[async_trait]
impl StartupHandler for Entrance {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if let PgWireFrontendMessage::Startup(startup) = &message {
            self.check(client)?;
            if self.shared.users.is_empty() {
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                let (pid, key) = self.shared.pids.generate(&*client);
                client.set_pid_and_secret_key(pid, key);
                self.enter(client, Users::anyone());
                return finish_authentication(client, self.parameters.as_ref()).await;
            }
        }
        self.passwords.on_startup(client, message).await?;
        if matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            let name = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
            match self.shared.users.role(&name) {
                Some(role) => self.enter(client, role),
                // Removed while he came in.
                None => return Err(PgWireError::InvalidPassword(name)),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl CancelHandler for Entrance {
    async fn on_cancel_request(&self, request: CancelRequest) {
        self.shared.connections.cancel(request.pid, &request.secret_key).await;
    }
}

/// The users file as a source of hashed passwords.
#[derive(Debug)]
struct Passwords(Arc<Users>);

#[async_trait]
impl AuthSource for Passwords {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let (salt, key) = self.0.secret(login.user().unwrap_or_default());
        Ok(Password::new(Some(salt), key))
    }
}

/// What a client is told of the server.
fn parameters() -> DefaultServerParameterProvider {
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.server_version = SERVER_VERSION.into();
    parameters.search_path = DEFAULT_SCHEMA.into();
    parameters.is_superuser = false;
    parameters.default_transaction_read_only = true;
    parameters.scram_iterations = ITERATIONS;
    parameters.time_zone = "UTC".into();
    parameters
}
