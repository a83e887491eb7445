//! Settings of the doors that `lake serve` opens.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::{MemoryLimit, memory_limit};
use crate::error::{Error, Result};

/// Where clients are served, who they may be, and how much each may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// The address that every door listens on.
    pub host: String,
    /// The port of the PostgreSQL wire protocol.
    pub postgres_port: u16,
    /// The port of Arrow Flight SQL.
    pub flight_port: u16,
    /// The port of health, readiness and metrics.
    pub http_port: u16,
    /// The file that names the users, relative to the project.
    pub users: String,
    /// The PEM file of the server's certificates, relative to the project; empty for none.
    pub tls_certificate: String,
    /// The PEM file of its private key.
    pub tls_key: String,
    /// Connections at once, of all doors but HTTP.
    pub max_connections: usize,
    /// Seconds that a statement may take; 0 is no bound.
    pub statement_timeout_seconds: u64,
    /// Rows that an answer may have; 0 is no bound.
    pub max_rows: u64,
    /// Memory that the queries of one client may take, e.g. `512MB`.
    pub query_memory: String,
    /// Seconds that running statements have to end when the server is told to stop.
    pub stop_seconds: u64,
}

impl Serve {
    /// The address that `host` means.
    pub fn address(&self) -> Result<IpAddr> {
        match self.host.as_str() {
            "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse().map_err(|_| {
                Error::invalid(format!("setting `serve.host` cannot be `{host}`: it is no address")).hint(
                    "write an IP address, such as \"127.0.0.1\", or \"0.0.0.0\" for all of the machine's",
                )
            }),
        }
    }

    /// Bytes of memory that the queries of one client may take.
    pub fn query_memory_bytes(&self) -> Result<usize> {
        match memory_limit("serve.query_memory", &self.query_memory)? {
            MemoryLimit::Bytes(bytes) => Ok(bytes),
            MemoryLimit::Auto | MemoryLimit::None => {
                Err(Error::invalid("setting `serve.query_memory` must name a size, such as \"512MB\""))
            }
        }
    }

    /// The values a type alone does not bound.
    pub(super) fn check(&self) -> Result<()> {
        if self.max_connections == 0 {
            return Err(Error::invalid("setting `serve.max_connections` must be at least 1"));
        }
        self.address()?;
        self.query_memory_bytes().map(|_| ())
    }
}
