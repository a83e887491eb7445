//! The first value of each key of a day, of which there may be as many as rows: the newest in memory, the others on disk.
//!
//! Rows mostly come day by day, and those of a day are found among few: what is looked at lies near.

use std::collections::HashMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{Read, Seek, SeekFrom, Write};

use datafusion::common::hash_utils::RandomState;
use datafusion::common::{DataFusionError, Result};
use deltalake::parquet::bloom_filter::Sbbf;

use crate::error::io_error;

/// How many keys are kept in memory, about; their numbers fit 22 bits.
pub(super) const RECENT: usize = 1 << 21;

/// What a key in memory takes at most, with its part of the places.
pub(super) const RECENT_BYTES: u64 = 64;

/// How many bits of a key's hash stand beside its number.
const TAG_BITS: u32 = 10;

/// How many keys of a run are read at a time, about.
const BUCKET_KEYS: usize = 64;

/// The bytes of a key and its value in a file.
const ENTRY_BYTES: usize = 24;

/// How many keys that a run does not have are looked for in its file nevertheless.
const FALSE_POSITIVES: f64 = 0.002;

/// A key of 128 bits in halves, which needs no room to be aligned.
type Key = [u64; 2];

/// A key and the first value that it came with.
type Entry = (Key, i64);

/// The first value that each key of a day came with.
pub(super) struct Firsts {
    days: HashMap<Option<i32>, Day>,
    /// How many keys are in memory.
    recent: usize,
    /// How many may be, before others come.
    most: usize,
    /// Where the runs are, one after the other.
    file: Option<File>,
    /// What the runs take in memory.
    runs_bytes: usize,
}

/// The keys of a day.
#[derive(Default)]
struct Day {
    recent: Recent,
    runs: Vec<Run>,
}

/// Keys and their values in memory: a table of open places, in which keys are numbers and not looked at unless a part
/// of their hash is the same.
#[derive(Default)]
struct Recent {
    /// In the order in which they came.
    entries: Vec<Entry>,
    /// The number of the entry that is here, from 1, and behind it a part of its hash; 0 where none is. At most half of
    /// them are taken; their number is 0 or a power of 2.
    places: Vec<u32>,
}

/// Keys and their values on disk, by bucket.
struct Run {
    /// Tells of most keys that are not here that they are not.
    sieve: Sbbf,
    /// Where the run begins in the file.
    offset: u64,
    /// Where each bucket begins among the entries of the run; at last, where the run ends.
    starts: Vec<u32>,
}

impl Firsts {
    /// No keys yet.
    pub(super) fn new() -> Firsts {
        Firsts { days: HashMap::new(), recent: 0, most: RECENT, file: None, runs_bytes: 0 }
    }

    /// The first value that each of the keys came with on its day: the one at its own position, if it is new.
    pub(super) fn of(&mut self, days: &[Option<i32>], keys: &[i128], values: &[i64]) -> Result<Vec<i64>> {
        let mut firsts = Vec::with_capacity(keys.len());
        for of_day in days.chunk_by(|a, b| a == b) {
            let rows = firsts.len()..firsts.len() + of_day.len();
            self.of_day(of_day[0], &keys[rows.clone()], &values[rows], &mut firsts).map_err(unkept)?;
        }
        Ok(firsts)
    }

    fn of_day(
        &mut self,
        day: Option<i32>,
        keys: &[i128],
        values: &[i64],
        firsts: &mut Vec<i64>,
    ) -> std::io::Result<()> {
        if self.recent + keys.len() > self.most {
            self.write_runs()?;
        }
        let Day { recent, runs } = self.days.entry(day).or_default();
        let before = recent.entries.len();
        for (key, value) in keys.iter().zip(values) {
            let key = [*key as u64, (*key >> 64) as u64];
            let (known, hash) = (recent.entries.len(), hash(key));
            let number = recent.number(key, hash, *value);
            if number == known
                && let Some(file) = &mut self.file
            {
                for run in &*runs {
                    if let Some(first) = run.find(file, key, hash)? {
                        recent.entries[number].1 = first;
                    }
                }
            }
            firsts.push(recent.entries[number].1);
        }
        self.recent += recent.entries.len() - before;
        Ok(())
    }

    /// The bytes of memory that are taken, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.recent * RECENT_BYTES as usize + self.runs_bytes
    }

    /// Moves what is in memory to the end of the file.
    fn write_runs(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        for day in self.days.values_mut() {
            let recent = std::mem::take(&mut day.recent);
            if !recent.entries.is_empty() {
                let run = Run::write(recent.entries, file)?;
                self.runs_bytes += run.size_bytes();
                day.runs.push(run);
            }
        }
        self.recent = 0;
        Ok(())
    }
}

impl Recent {
    /// The number of a key's entry, from 0, which is a new one with `value` if there is none.
    #[inline]
    fn number(&mut self, key: Key, hash: u64, value: i64) -> usize {
        if self.entries.len() * 2 >= self.places.len() {
            self.grow();
        }
        let mut place = self.place(hash);
        loop {
            let taken = self.places[place];
            if taken == 0 {
                break;
            }
            let number = (taken >> TAG_BITS) as usize - 1;
            if taken & tag(u64::MAX) == tag(hash) && self.entries[number].0 == key {
                return number;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        self.entries.push((key, value));
        self.places[place] = (self.entries.len() as u32) << TAG_BITS | tag(hash);
        self.entries.len() - 1
    }

    /// Where a key of this hash is looked for first.
    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        self.places = vec![0; (2 * self.places.len()).max(16)];
        for (i, (key, _)) in self.entries.iter().enumerate() {
            let hash = hash(*key);
            let mut place = self.place(hash);
            while self.places[place] != 0 {
                place = (place + 1) & (self.places.len() - 1);
            }
            self.places[place] = (i as u32 + 1) << TAG_BITS | tag(hash);
        }
    }
}

impl Run {
    /// Adds entries to the end of a file.
    fn write(mut entries: Vec<Entry>, file: &mut File) -> std::io::Result<Run> {
        let buckets = entries.len().div_ceil(BUCKET_KEYS);
        entries.sort_by_cached_key(|(key, _)| hash(*key));
        let filter = Sbbf::new_with_ndv_fpp(entries.len() as u64, FALSE_POSITIVES);
        let mut sieve = filter.map_err(std::io::Error::other)?;
        let mut starts = vec![0; buckets + 1];
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for (key, value) in &entries {
            let hash = hash(*key);
            sieve.insert(&hash.cast_signed());
            starts[bucket(hash, buckets) + 1] += 1;
            for word in [key[0], key[1], value.cast_unsigned()] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        for i in 0..buckets {
            starts[i + 1] += starts[i];
        }
        let offset = file.seek(SeekFrom::End(0))?;
        file.write_all(&bytes)?;
        Ok(Run { sieve, offset, starts })
    }

    fn size_bytes(&self) -> usize {
        size_of::<Run>() + self.sieve.num_blocks() * 32 + size_of_val(self.starts.as_slice())
    }

    /// The value of a key, if it is here.
    fn find(&self, file: &mut File, key: Key, hash: u64) -> std::io::Result<Option<i64>> {
        if !self.sieve.check(&hash.cast_signed()) {
            return Ok(None);
        }
        let bucket = bucket(hash, self.starts.len() - 1);
        let [start, end] = [0, 1].map(|i| self.starts[bucket + i] as usize * ENTRY_BYTES);
        let mut entries = vec![0; end - start];
        file.seek(SeekFrom::Start(self.offset + start as u64))?;
        file.read_exact(&mut entries)?;
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        let of_key = entries.iter().map(values).find(|(other, _)| *other == key);
        Ok(of_key.map(|(_, value)| value))
    }
}

fn unkept(error: std::io::Error) -> DataFusionError {
    DataFusionError::External(Box::new(io_error(
        "keep the hashes of lines in",
        &std::env::temp_dir(),
        &error,
    )))
}

fn hash(key: Key) -> u64 {
    RandomState::default().hash_one(key)
}

/// The part of a hash that stands beside a key's number; no part of what finds its place.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & ((1 << TAG_BITS) - 1)
}

/// Which of so many buckets, in the order of their hashes, has a key.
fn bucket(hash: u64, buckets: usize) -> usize {
    ((u128::from(hash) * buckets as u128) >> u64::BITS) as usize
}

fn values(entry: &[u8; ENTRY_BYTES]) -> (Key, i64) {
    let (words, _) = entry.as_chunks();
    let [low, high, value] = [0, 1, 2].map(|i| u64::from_le_bytes(words[i]));
    ([low, high], value.cast_signed())
}

#[cfg(test)]
mod tests {
    //! Proves that a key's first value on a day is found wherever it is kept.

    use super::*;

    /// Says of rows of a day number and a key what came first, some rows at a time, and compares with a plain map.
    fn compared(rows: impl Iterator<Item = (i32, i64)>, most: usize) -> Firsts {
        let mut firsts = Firsts { most, ..Firsts::new() };
        let rows: Vec<(Option<i32>, i128)> =
            rows.map(|(day, key)| ((day % 5 != 4).then_some(day), i128::from(key) << 40 | 7)).collect();
        let values: Vec<i64> = (0..).take(rows.len()).collect();
        let mut expected = HashMap::new();
        for (rows, values) in rows.chunks(1000).zip(values.chunks(1000)) {
            let (days, keys): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            let found = firsts.of(&days, &keys, values).unwrap();
            for ((row, value), found) in rows.iter().zip(values).zip(found) {
                assert_eq!(found, *expected.entry(*row).or_insert(*value), "{row:?}");
            }
        }
        firsts
    }

    /// Keys that come again at once, after a while, and never.
    fn keys(rows: i64) -> impl Iterator<Item = i64> {
        (0..rows).map(|i| if i % 3 == 0 { i / 5 } else { i })
    }

    #[test]
    fn first_values_are_found_in_memory_and_on_disk() {
        let most = 20_000;
        let one_day = compared(keys(200_000).map(|key| (1, key)), most);
        assert!(one_day.days[&Some(1)].runs.len() >= 4 && one_day.recent <= most, "{}", one_day.recent);
        let day_by_day = compared(keys(200_000).map(|key| ((key / 1_000) as i32, key)), most);
        assert!(day_by_day.days.len() > 100 && day_by_day.file.is_some());
        let days_in_turn = compared(keys(200_000).map(|key| ((key % 7) as i32, key)), most);
        assert!(days_in_turn.days.values().all(|day| day.runs.len() >= 4));
    }

    #[test]
    fn the_same_key_of_another_day_is_another() {
        let mut firsts = Firsts::new();
        let days = [Some(1), Some(2), None, Some(1), None];
        assert_eq!(firsts.of(&days, &[i128::MIN; 5], &[1, 2, 3, 4, 5]).unwrap(), [1, 2, 3, 1, 3]);
        assert_eq!(firsts.of(&[Some(2)], &[7], &[6]).unwrap(), [6]);
    }
}
