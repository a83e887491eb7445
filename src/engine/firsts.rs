//! The first value of each key, of which there may be as many as rows: the newest in memory, the others on disk.

use std::fs::File;
use std::hash::BuildHasher;
use std::io::{Read, Seek, SeekFrom, Write};

use datafusion::common::hash_utils::RandomState;
use datafusion::common::{DataFusionError, Result};
use deltalake::parquet::bloom_filter::Sbbf;

use crate::error::io_error;

/// How many keys are kept in memory; their numbers fit 22 bits.
pub(super) const RECENT: usize = (1 << 22) / 8 * 7;

/// What a key in memory takes, with its part of the places.
pub(super) const RECENT_BYTES: u64 = 32;

/// How many keys are looked up together: they wait for memory at once instead of one after the other.
const BLOCK: usize = 64;

/// How many bits of a key's hash stand beside its number.
const TAG_BITS: u32 = 10;

/// Into how many buckets the keys of a run are divided; those of one are read at a time.
const BUCKETS: usize = 1 << 15;

/// The bytes of a key and its value in a file.
const ENTRY_BYTES: usize = 24;

/// How many keys that a run does not have are looked for in its file nevertheless.
const FALSE_POSITIVES: f64 = 0.002;

/// A key of 128 bits in halves, which needs no room to be aligned.
type Key = [u64; 2];

/// A key and the first value that it came with.
type Entry = (Key, i64);

/// The first value that each key came with.
pub(super) struct Firsts {
    recent: Recent,
    /// How many keys are kept in memory.
    most: usize,
    runs: Vec<Run>,
    /// Where the runs are, one after the other.
    file: Option<File>,
}

/// Keys and their values in memory: a table of open places, in which keys are numbers and not looked at unless a part
/// of their hash is the same.
struct Recent {
    /// In the order in which they came.
    entries: Vec<Entry>,
    /// The number of the entry that is here, from 1, and behind it a part of its hash; 0 where none is. At most half of
    /// them are taken; their number is a power of 2.
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
    /// No keys yet, and room for those of about so many rows.
    pub(super) fn new(rows: u64) -> Firsts {
        // A table that grows is there twice while its entries move.
        let room = usize::try_from(rows).unwrap_or(usize::MAX).min(RECENT);
        Firsts { recent: Recent::new(room), most: RECENT, runs: Vec::new(), file: None }
    }

    /// The first value that each of the keys came with: the one at its own position, if it is new.
    pub(super) fn of(&mut self, keys: &[i128], values: &[i64]) -> Result<Vec<i64>> {
        let mut firsts = Vec::with_capacity(keys.len());
        for (keys, values) in keys.chunks(BLOCK).zip(values.chunks(BLOCK)) {
            self.of_block(keys, values, &mut firsts).map_err(unkept)?;
        }
        Ok(firsts)
    }

    fn of_block(&mut self, keys: &[i128], values: &[i64], firsts: &mut Vec<i64>) -> std::io::Result<()> {
        if self.recent.entries.len() + BLOCK > self.most {
            self.write_run()?;
        }
        let (mut hashes, mut numbers) = ([0; BLOCK], [0; BLOCK]);
        let keys = keys.iter().map(|key| [*key as u64, (*key >> 64) as u64]);
        keys.clone().zip(&mut hashes).for_each(|(key, hash_of_key)| *hash_of_key = hash(key));
        self.recent.fetch(&hashes);
        let known = self.recent.entries.len();
        for (i, (key, value)) in keys.zip(values).enumerate() {
            numbers[i] = self.recent.number(key, hashes[i], *value);
        }
        if let Some(file) = &mut self.file {
            for run in &self.runs {
                for entry in &mut self.recent.entries[known..] {
                    if let Some(first) = run.find(file, entry.0, hash(entry.0))? {
                        entry.1 = first;
                    }
                }
            }
        }
        firsts.extend(numbers[..values.len()].iter().map(|number| self.recent.entries[*number].1));
        Ok(())
    }

    /// The bytes of memory that are taken.
    pub(super) fn size_bytes(&self) -> usize {
        let recent =
            self.recent.entries.capacity() * size_of::<Entry>() + size_of_val(&self.recent.places[..]);
        let run = |run: &Run| run.sieve.num_blocks() * 32 + size_of_val(run.starts.as_slice());
        recent + self.runs.iter().map(run).sum::<usize>()
    }

    /// Moves what is in memory to the end of the file.
    fn write_run(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        let mut starts = vec![0_u32; BUCKETS + 1];
        self.recent.entries.iter().for_each(|(key, _)| starts[bucket(hash(*key)) + 1] += 1);
        for i in 0..BUCKETS {
            starts[i + 1] += starts[i];
        }
        let filter = Sbbf::new_with_ndv_fpp(self.recent.entries.len() as u64, FALSE_POSITIVES);
        let mut sieve = filter.map_err(std::io::Error::other)?;
        let mut entries = vec![[0_u8; ENTRY_BYTES]; self.recent.entries.len()];
        let mut next = starts.clone();
        for (key, value) in self.recent.take() {
            let hash = hash(key);
            sieve.insert(&hash.cast_signed());
            let place = &mut next[bucket(hash)];
            entries[*place as usize] = entry(key, value);
            *place += 1;
        }
        let offset = file.seek(SeekFrom::End(0))?;
        file.write_all(entries.as_flattened())?;
        self.runs.push(Run { sieve, offset, starts });
        Ok(())
    }
}

impl Recent {
    /// No keys yet, and room for so many.
    fn new(room: usize) -> Recent {
        Recent {
            entries: Vec::with_capacity(room),
            places: vec![0; (2 * room.max(BLOCK)).next_power_of_two()],
        }
    }

    /// Has the places of keys that are looked up next brought near, all at once.
    fn fetch(&self, hashes: &[u64; BLOCK]) {
        std::hint::black_box(hashes.map(|hash| self.places[self.place(hash)]));
    }

    /// The number of a key's entry, from 0, which is a new one with `value` if there is none.
    fn number(&mut self, key: Key, hash: u64, value: i64) -> usize {
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
        if self.entries.len() * 2 > self.places.len() {
            self.grow();
        }
        self.entries.len() - 1
    }

    /// Where a key of this hash is looked for first.
    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    fn grow(&mut self) {
        let mut larger = Recent::new(self.places.len());
        self.entries.iter().for_each(|(key, value)| _ = larger.number(*key, hash(*key), *value));
        *self = larger;
    }

    /// All entries, after which there are none.
    fn take(&mut self) -> std::vec::Drain<'_, Entry> {
        self.places.fill(0);
        self.entries.drain(..)
    }
}

impl Run {
    /// The value of a key, if it is here.
    fn find(&self, file: &mut File, key: Key, hash: u64) -> std::io::Result<Option<i64>> {
        if !self.sieve.check(&hash.cast_signed()) {
            return Ok(None);
        }
        let [start, end] = [0, 1].map(|i| self.starts[bucket(hash) + i] as usize * ENTRY_BYTES);
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

fn bucket(hash: u64) -> usize {
    (hash >> (u64::BITS - BUCKETS.ilog2())) as usize
}

fn entry(key: Key, value: i64) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    let values = [key[0], key[1], value.cast_unsigned()];
    bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
    bytes
}

fn values(entry: &[u8; ENTRY_BYTES]) -> (Key, i64) {
    let (words, _) = entry.as_chunks();
    let [low, high, value] = [0, 1, 2].map(|i| u64::from_le_bytes(words[i]));
    ([low, high], value.cast_signed())
}

#[cfg(test)]
mod tests {
    //! Proves that a key's first value is found wherever it is kept.

    use std::collections::HashMap;

    use super::*;

    #[test]
    fn first_values_are_found_in_memory_and_on_disk() {
        let most = 4 * BUCKETS;
        let mut firsts = Firsts { most, ..Firsts::new(100) };
        // Keys that come again at once, after a while, and never; several in each bucket.
        let keys = (0..9 * most as i64).map(|i| if i % 3 == 0 { i / 5 } else { i });
        let keys: Vec<i128> = keys.map(|key| i128::from(key) << 40 | 7).collect();
        let values: Vec<i64> = (0..).take(keys.len()).collect();
        let mut expected = HashMap::new();
        for (keys, values) in keys.chunks(1000).zip(values.chunks(1000)) {
            let found = firsts.of(keys, values).unwrap();
            for ((key, value), found) in keys.iter().zip(values).zip(found) {
                assert_eq!(found, *expected.entry(*key).or_insert(*value), "{key}");
            }
        }
        assert!(firsts.runs.len() >= 4 && firsts.recent.entries.len() <= most, "{}", firsts.runs.len());
        assert_eq!(firsts.of(&[i128::MIN, 7, i128::MIN], &[1, 2, 3]).unwrap(), [1, 0, 1]);
        assert_eq!(firsts.of(&[i128::MIN], &[4]).unwrap(), [1]);
    }
}
