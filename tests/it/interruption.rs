//! Interruption: a run that is told to stop says so, publishes nothing and is recorded; the next one goes on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lake::run::{Event, Observer, Request, Stop};

use crate::faults::{block_on, copy_of, shown, waiting};
use crate::increments::counted;
use crate::support::Fresh;

const MESSAGE: &str = "interrupted: readers see the lake as before";

/// Asks to stop when something happens.
struct StopsAt {
    stop: Stop,
    is_now: fn(&Event) -> bool,
}

impl Observer for StopsAt {
    fn event(&self, event: Event) {
        if (self.is_now)(&event) {
            self.stop.ask();
        }
    }
}

/// Whether an event is the moment that is waited for.
type IsMoment = fn(&Event) -> bool;

/// How many runs are recorded as interrupted.
async fn interrupted(fresh: &Fresh) -> i64 {
    let query = format!("select count(*) from ops.runs where status = 'failed' and error like '{MESSAGE}%'");
    counted(&fresh.lake(2).unwrap(), &query, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_to_stop_publishes_nothing_and_is_recorded() {
    let waiting = waiting().await;
    let moments: [(&str, IsMoment); 3] = [
        ("reading", |event| matches!(event, Event::Read { .. })),
        ("building", |event| matches!(event, Event::Started { table } if table.table == "rfm")),
        ("judging", |event| matches!(event, Event::Judging)),
    ];
    for (moment, is_now) in moments {
        let fresh = copy_of(&waiting.fresh);
        let mut lake = fresh.lake(2).unwrap();
        lake.observer = Arc::new(StopsAt { stop: lake.stop.clone(), is_now });
        let error = lake.run(&Request::default()).await.unwrap_err();
        assert_eq!(error.message(), MESSAGE, "{moment}");
        drop(lake);
        assert!(shown(&fresh).await == waiting.before, "{moment}");
        assert_eq!(interrupted(&fresh).await, 1, "{moment}");
        fresh.run().await.unwrap();
        assert!(shown(&fresh).await == waiting.after, "{moment}");
    }
}

#[cfg(unix)]
#[test]
fn a_process_that_is_told_to_end_says_so_and_records_it() {
    let waiting = block_on(waiting());
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let fresh = copy_of(&waiting.fresh);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lake"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKE_")) {
            command.env_remove(name);
        }
        command.env("LAKE_LOG_FILTER", "lake=info").current_dir(fresh.path());
        command.args(["--log-format", "json", "run"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.by_ref().any(|line| line.contains("\"planned\"")));
        // Sound: the process is there, as nobody has waited for it.
        unsafe { libc::kill(child.id().cast_signed(), signal) };
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(rest.iter().any(|line| line.contains(MESSAGE)), "{rest:?}");
        assert!(!rest.iter().any(|line| line.contains("panicked")), "{rest:?}");
        assert!(block_on(shown(&fresh)) == waiting.before);
        assert_eq!(block_on(interrupted(&fresh)), 1);
    }
}
