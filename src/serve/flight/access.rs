//! Who is asking: a name and a password with each request, or a token that was given for them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use tonic::{Request, Status};

use super::Peer;
use super::kept::{Kept, unguessable};
use super::status::failed;
use crate::error::Error;
use crate::serve::{Role, Users};

/// How many of those who have said who they are, are remembered.
const MOST: usize = 10_000;

/// How long a token is good for, and a password need not be tried again, while nobody uses it.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// What a request says of its origin.
pub struct Caller {
    peer: Option<Arc<Peer>>,
    /// The header `authorization`.
    said: Option<String>,
}

impl Caller {
    /// The caller of a request.
    pub fn of<T>(request: &Request<T>) -> Caller {
        let said = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        Caller { peer: request.extensions().get::<Arc<Peer>>().cloned(), said: said.map(Into::into) }
    }
}

/// Who may come in.
pub struct Access {
    users: Arc<Users>,
    /// Those who have said who they are, by the hash of the header that said so.
    known: Kept<Known>,
}

/// A user, and the hash of the password that was given: one that changes ends what was known by it.
struct Known {
    name: String,
    password: Vec<u8>,
}

impl Access {
    /// The users may come in.
    pub fn new(users: Arc<Users>) -> Access {
        Access { users, known: Kept::new(MOST, UNUSED) }
    }

    /// Who a caller is, and what it may read.
    pub async fn admit(&self, caller: &Caller) -> Result<(Arc<Peer>, Role), Status> {
        let peer = caller.peer.clone().ok_or_else(|| Status::internal("a request without a connection"))?;
        if !peer.has_place {
            return Err(Status::resource_exhausted(
                "too many connections\nhint: close some; `serve.max_connections` is the bound",
            ));
        }
        if self.users.is_empty() {
            return Ok((peer, Users::anyone()));
        }
        let said = caller.said.as_deref().ok_or_else(|| {
            Status::unauthenticated(
                "nobody comes in without a name and a password\nhint: ask for a user of yours",
            )
        })?;
        let known = self.known.get(&hashed(said));
        let known = known.filter(|known| self.users.secret(&known.name).1 == known.password);
        if let Some(role) = known.and_then(|known| self.users.role(&known.name)) {
            return Ok((peer, role));
        }
        let (name, password) = credentials(said)?;
        let Some(role) = self.users.verify(&name, &password).await else {
            tracing::warn!(user = name, peer = %peer.address, "a password was wrong");
            return Err(Status::unauthenticated(format!("password authentication failed for user `{name}`")));
        };
        self.remember(said, &role);
        Ok((peer, role))
    }

    /// A token that stands for a name and a password from now on.
    pub fn token(&self, role: &Role) -> Result<String, Status> {
        let token = unguessable().map_err(failed)?;
        self.remember(&format!("Bearer {token}"), role);
        Ok(token)
    }

    fn remember(&self, said: &str, role: &Role) {
        let known = Known { name: role.name.clone(), password: self.users.secret(&role.name).1 };
        self.known.insert(hashed(said), Arc::new(known));
    }
}

/// What a header is remembered by, so that no password is.
fn hashed(said: &str) -> String {
    Sha256::digest(said).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name and the password that a header holds.
fn credentials(said: &str) -> Result<(String, String), Status> {
    let (scheme, rest) = said.split_once(' ').unwrap_or((said, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Err(Status::unauthenticated("the token is not known, or not any more\nhint: connect again"));
    }
    // Drivers in Go, ADBC's among them, leave the padding away.
    let encoded = rest.trim().trim_end_matches('=');
    let text = BASE64_STANDARD_NO_PAD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_once(':'));
    match parts.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
        Some((name, password)) => Ok((name.into(), password.into())),
        None => Err(failed_header()),
    }
}

fn failed_header() -> Status {
    Status::unauthenticated(
        Error::invalid("the header `authorization` cannot be read")
            .hint("it is `Basic` and a name and password in base64, or `Bearer` and a token")
            .to_string(),
    )
}

#[cfg(test)]
mod tests {
    //! Proves how the header is read.

    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn a_password_may_hold_colons() {
        let header = format!("basic {}", BASE64_STANDARD.encode("ann:se:cret"));
        assert_eq!(credentials(&header).unwrap(), ("ann".into(), "se:cret".into()));
    }

    #[test]
    fn padding_may_be_left_away() {
        for password in ["a", "ab", "abc"] {
            for encoded in [
                BASE64_STANDARD.encode(format!("ann:{password}")),
                BASE64_STANDARD_NO_PAD.encode(format!("ann:{password}")),
            ] {
                let said = credentials(&format!("Basic {encoded}")).unwrap();
                assert_eq!(said, ("ann".into(), password.into()), "{encoded}");
            }
        }
    }

    #[test]
    fn what_is_no_password_is_said() {
        let said = |header: &str| credentials(header).unwrap_err().message().to_string();
        assert!(said("Bearer abc").starts_with("the token is not known"));
        for header in ["", "Basic", "Basic !", "Basic YW5u", "Digest YW5uOmI="] {
            assert!(said(header).starts_with("the header `authorization` cannot be read"), "{header}");
        }
    }
}
