//! Who is due on which day: a bucket per day, as lists threaded through one array.
//! Memory is one word per entry and one per day; an entry is due on at most one day.

const END: u32 = u32::MAX;

/// Entries, numbered from 0, each due on one day or on none.
#[derive(Debug)]
pub(crate) struct Agenda {
    heads: Vec<u32>,
    next: Vec<u32>,
}

impl Agenda {
    pub fn new(days: usize, entries: usize) -> Self {
        Agenda { heads: vec![END; days], next: vec![END; entries] }
    }

    /// Notes that `entry`, which must not be noted elsewhere, is due on `day`.
    pub fn note(&mut self, day: u32, entry: u32) {
        self.next[entry as usize] = self.heads[day as usize];
        self.heads[day as usize] = entry;
    }

    /// Takes all entries of a day, in no order that matters: the caller sorts.
    pub fn take(&mut self, day: u32, mut take: impl FnMut(u32)) {
        let mut entry = std::mem::replace(&mut self.heads[day as usize], END);
        while entry != END {
            take(entry);
            entry = self.next[entry as usize];
        }
    }
}
