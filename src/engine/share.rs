//! A share of the memory that all queries have: one client's queries take no more than it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What is taken from it is taken from `all` as well, and neither gives more than it has.
#[derive(Debug)]
pub struct Share {
    own: FairSpillPool,
    all: Arc<dyn MemoryPool>,
}

impl Share {
    /// At most so many bytes of `all`.
    pub fn new(bytes: usize, all: Arc<dyn MemoryPool>) -> Share {
        Share { own: FairSpillPool::new(bytes), all }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.own, self.all)
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        self.all.try_grow(reservation, additional).inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    //! Proves that a share is bounded by itself and by what it is a share of.

    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn neither_gives_more_than_it_has() {
        let all: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let share = |bytes| Arc::new(Share::new(bytes, all.clone())) as Arc<dyn MemoryPool>;
        let (one, other) = (share(60), share(60));
        let first = MemoryConsumer::new("first").register(&one);
        first.try_grow(60).unwrap();
        assert!(first.try_grow(1).is_err());
        let second = MemoryConsumer::new("second").register(&other);
        assert!(second.try_grow(50).is_err());
        second.try_grow(40).unwrap();
        assert_eq!((one.reserved(), other.reserved(), all.reserved()), (60, 40, 100));
        drop(first);
        assert_eq!((one.reserved(), all.reserved()), (0, 40));
        second.try_grow(20).unwrap();
    }
}
