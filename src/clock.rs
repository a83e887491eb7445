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

/// When the run of this identity started, to the millisecond; none for a text that [`run_id`] does not give.
pub fn started_at(run_id: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = uuid::Uuid::parse_str(run_id).ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// The identity of a run that starts at `started_at`: unique, and in order of time when sorted as text.
pub fn run_id(started_at: DateTime<Utc>) -> String {
    let millis = u64::try_from(started_at.timestamp_millis()).unwrap_or_default();
    let instant = uuid::Timestamp::from_unix_time(millis / 1000, (millis % 1000 * 1_000_000) as u32, 0, 0);
    uuid::Uuid::new_v7(instant).to_string()
}

#[cfg(test)]
mod tests {
    //! Proves that a run's identity says when it started.

    use super::*;

    #[test]
    fn the_start_of_a_run_is_read_off_its_identity() {
        let start: DateTime<Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
        assert_eq!(started_at(&run_id(start)), Some(start));
        assert_eq!(started_at("nobody"), None);
    }
}
