//! The models from outside: published figures, known parameters, and input that cannot be fitted.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cdnow;
mod degenerate;
mod laws;
mod recovery;
mod simulate;
