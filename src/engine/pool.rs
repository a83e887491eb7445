//! The memory of all queries: those who get along with less share it evenly, and leave some to the others.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// The part of the memory, one of so many, that those who get along with less leave to the others.
const LEFT: usize = 8;

/// How many of those who hold most are told of.
const TOLD: usize = 3;

/// So many bytes, dealt out on demand.
///
/// Of the operators of a plan few hold much at a time. Unlike DataFusion's `FairSpillPool` this one shares the memory
/// among those who hold some, and not among all that there are. Who holds more than the share that is now due to them
/// spills when they ask for more; until then others take from a quarter that no share is made of.
#[derive(Debug)]
pub struct Pool {
    bytes: usize,
    held: Mutex<Held>,
}

/// Who holds how much, by the consumer's number.
#[derive(Debug, Default)]
struct Held {
    by: HashMap<usize, Holder>,
    all: usize,
}

#[derive(Debug)]
struct Holder {
    name: String,
    /// Whether it gets along with less.
    yields: bool,
    bytes: usize,
}

impl Pool {
    /// So many bytes.
    pub fn new(bytes: usize) -> Pool {
        Pool { bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By how many bytes a reservation may grow.
    fn room(&self, held: &Held, reservation: &MemoryReservation) -> usize {
        let free = self.bytes.saturating_sub(held.all);
        match held.by.get(&reservation.consumer().id()) {
            Some(Holder { yields: true, bytes, .. }) => {
                let (sharers, others): (Vec<_>, Vec<_>) = held.by.values().partition(|holder| holder.yields);
                let of_others = others.iter().map(|holder| holder.bytes).sum();
                let share = self.bytes.saturating_sub(of_others) / 4 * 3 / sharers.len();
                share.saturating_sub(*bytes).min(free.saturating_sub(self.bytes / LEFT))
            }
            // Who needs it all, or begins.
            _ => free,
        }
    }
}

impl Held {
    fn add(&mut self, reservation: &MemoryReservation, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let consumer = reservation.consumer();
        let nothing = || Holder { name: consumer.name().into(), yields: yields(consumer), bytes: 0 };
        self.by.entry(consumer.id()).or_insert_with(nothing).bytes += bytes;
        self.all += bytes;
    }

    fn take(&mut self, reservation: &MemoryReservation, bytes: usize) {
        self.all -= bytes;
        if let Entry::Occupied(mut holder) = self.by.entry(reservation.consumer().id()) {
            holder.get_mut().bytes -= bytes;
            if holder.get().bytes == 0 {
                holder.remove();
            }
        }
    }

    /// Those who hold most, in words.
    fn most(&self) -> String {
        let mut holders: Vec<&Holder> = self.by.values().collect();
        holders.sort_by_key(|holder| Reverse(holder.bytes));
        let of = |holder: &&Holder| format!("{} by {}", human_readable_size(holder.bytes), holder.name);
        holders.iter().take(TOLD).map(of).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a consumer gets along with less: it spills, or it is the merge of a sort, which takes as many runs at once as it
/// gets memory for, all of it if nobody says no.
fn yields(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() || consumer.name().starts_with("ExternalSorterMerge")
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", human_readable_size(self.bytes))
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "pool"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.held().add(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.held().take(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        if additional > self.room(&held, reservation) {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} more for {}: of {}, {} are in use, {}",
                human_readable_size(additional),
                reservation.consumer().name(),
                human_readable_size(self.bytes),
                human_readable_size(held.all),
                held.most(),
            )));
        }
        held.add(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().all
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    //! Proves who gets how much, and that nothing is given twice.

    use std::sync::Arc;

    use super::*;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(Pool::new(800))
    }

    fn consumer(pool: &Arc<dyn MemoryPool>, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new("operator").with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn who_can_spill_leaves_some_to_who_cannot() {
        let pool = pool();
        let (sort, join) = (consumer(&pool, true), consumer(&pool, false));
        sort.try_grow(600).unwrap();
        sort.try_grow(1).unwrap_err();
        join.try_grow(200).unwrap();
        join.try_grow(1).unwrap_err();
        assert_eq!(pool.reserved(), 800);
        drop((sort, join));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn shares_are_of_those_who_hold_some() {
        let pool = pool();
        let idle: Vec<_> = (0..50).map(|_| consumer(&pool, true)).collect();
        idle.iter().for_each(|consumer| consumer.try_grow(0).unwrap());
        let (one, other) = (consumer(&pool, true), consumer(&pool, true));
        one.try_grow(600).unwrap();
        // The other one begins beside it, though what is left has an end.
        other.try_grow(50).unwrap();
        other.try_grow(50).unwrap();
        other.try_grow(1).unwrap_err();
        // The first spills, as it holds more than half of what is dealt out.
        one.try_grow(1).unwrap_err();
        one.free();
        other.try_grow(200).unwrap();
        other.try_grow(1).unwrap();
        one.try_grow(300).unwrap();
        one.try_grow(1).unwrap_err();
        drop(idle);
    }

    #[test]
    fn merges_of_sorts_leave_some_to_each_other() {
        let pool = pool();
        let merge = |i| MemoryConsumer::new(format!("ExternalSorterMerge[{i}]")).register(&pool);
        let (one, other) = (merge(0), merge(1));
        one.try_grow(10).unwrap();
        other.try_grow(10).unwrap();
        one.try_grow(290).unwrap();
        one.try_grow(1).unwrap_err();
        other.try_grow(290).unwrap();
    }

    #[test]
    fn parts_of_a_reservation_count_together() {
        let pool = pool();
        let (mut whole, other) = (consumer(&pool, true), consumer(&pool, true));
        other.try_grow(1).unwrap();
        whole.try_grow(200).unwrap();
        let part = whole.take();
        whole.try_grow(100).unwrap();
        whole.try_grow(1).unwrap_err();
        drop(part);
        whole.try_grow(200).unwrap();
        drop((whole, other));
        assert_eq!(pool.reserved(), 0);
    }
}
