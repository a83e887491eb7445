//! The one door to time and chance: everything else is handed instants and run ids.

use chrono::{DateTime, Utc};

/// Where instants come from.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one door to time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still, for tests and reproducible runs.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The identity of a run that starts at `started_at`: unique, and in order of time when sorted as text.
pub fn run_id(started_at: DateTime<Utc>) -> String {
    let millis = u64::try_from(started_at.timestamp_millis()).unwrap_or_default();
    let instant = uuid::Timestamp::from_unix_time(millis / 1000, (millis % 1000 * 1_000_000) as u32, 0, 0);
    uuid::Uuid::new_v7(instant).to_string()
}
