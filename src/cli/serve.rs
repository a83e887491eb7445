//! `lake serve`: the published tables, for other programs.

use clap::Args;
use lake::error::Result;
use lake::run::{Lake, told_to_end};
use lake::serve::Addresses;

use super::print;

/// Serve the published tables to other programs, read-only, until told to stop.
///
/// They come in by the PostgreSQL wire protocol (psql, drivers, BI tools) or Arrow Flight SQL (ADBC, JDBC). A new
/// publication is seen by their next statement. Where the address is not a loopback address, users and TLS are asked
/// for: see `lake user` and the settings serve.*.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake serve
  lake serve --postgres-port 5432
  psql 'host=127.0.0.1 port=5433 dbname=lake' -c 'select * from gold.country_sales limit 5'")]
pub struct ServeArgs {
    /// The address to listen on [config: serve.host]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// The port of the PostgreSQL wire protocol; 0 takes any free one [config: serve.postgres_port]
    #[arg(long, value_name = "PORT")]
    pub postgres_port: Option<u16>,
    /// The port of Arrow Flight SQL [config: serve.flight_port]
    #[arg(long, value_name = "PORT")]
    pub flight_port: Option<u16>,
    /// The port of health, readiness and metrics [config: serve.http_port]
    #[arg(long, value_name = "PORT")]
    pub http_port: Option<u16>,
}

impl ServeArgs {
    /// The settings that the flags mean.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let ports = [
            ("serve.postgres_port", self.postgres_port),
            ("serve.flight_port", self.flight_port),
            ("serve.http_port", self.http_port),
        ];
        let ports = ports.into_iter().filter_map(|(key, port)| Some((key, port?.to_string())));
        self.host.clone().map(|host| ("serve.host", host)).into_iter().chain(ports).collect()
    }
}

/// Serves until the process is told to end.
pub async fn serve(lake: Lake) -> Result<()> {
    let told = async {
        if let Err(error) = told_to_end().await {
            // It can still be killed.
            tracing::warn!(%error, "signals cannot be heard");
            std::future::pending::<()>().await;
        }
    };
    lake::serve::serve(lake, told, |addresses| {
        if let Err(error) = print::line(doors(&addresses)) {
            tracing::warn!(%error, "where the doors are cannot be said");
        }
    })
    .await
}

/// Where the doors are, and how one comes in.
fn doors(addresses: &Addresses) -> String {
    let (postgres, flight, http) = (addresses.postgres, addresses.flight, addresses.http);
    let (secure, tls, ssl) =
        if addresses.is_encrypted { ("s", "+tls", " sslmode=require") } else { ("", "", "") };
    let user = if addresses.asks_for_users { "NAME" } else { "lake" };
    let host = if postgres.ip().is_unspecified() { "localhost".into() } else { postgres.ip().to_string() };
    format!(
        "postgresql   {postgres}\nflight sql   grpc{tls}://{flight}\nhttp         http{secure}://{http}/health\n\n\
         psql 'host={host} port={} dbname=lake user={user}{ssl}'",
        postgres.port()
    )
}
