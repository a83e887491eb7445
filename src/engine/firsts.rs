//! The first value of each key, of which there may be as many as rows: the newest in memory, the others on disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{Read, Seek, SeekFrom, Write};

use datafusion::common::hash_utils::RandomState;
use datafusion::common::{DataFusionError, Result};
use deltalake::parquet::bloom_filter::Sbbf;

use crate::error::io_error;

/// How many keys are kept in memory: as many as fill a table of 2^22 places, of which seven of eight are used.
pub(super) const RECENT: usize = (1 << 22) / 8 * 7;

/// What a key in memory takes, with its part of the places that are not used.
pub(super) const RECENT_BYTES: u64 = 32;

/// Into how many buckets the keys of a run are divided; those of one are read at a time.
const BUCKETS: usize = 1 << 15;

/// The bytes of a key and its value in a file.
const ENTRY_BYTES: usize = 24;

/// How many keys that a run does not have are looked for in its file nevertheless.
const FALSE_POSITIVES: f64 = 0.002;

/// A key of 128 bits in halves, which needs no room to be aligned.
type Key = [u64; 2];

/// The first value that each key came with.
pub(super) struct Firsts {
    recent: HashMap<Key, i64, RandomState>,
    /// How many keys are kept in memory.
    most: usize,
    runs: Vec<Run>,
    /// Where the runs are, one after the other.
    file: Option<File>,
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
        let recent = HashMap::with_capacity_and_hasher(room, RandomState::default());
        Firsts { recent, most: RECENT, runs: Vec::new(), file: None }
    }

    /// The first value that `key` came with: this one, if it is new.
    pub(super) fn of(&mut self, key: i128, value: i64) -> Result<i64> {
        if self.recent.len() == self.most {
            self.write_run().map_err(unkept)?;
        }
        let key = [key as u64, (key >> 64) as u64];
        match self.recent.entry(key) {
            Entry::Occupied(first) => Ok(*first.get()),
            Entry::Vacant(place) => {
                if let Some(file) = &mut self.file {
                    let hash = hash(key);
                    for run in &self.runs {
                        if let Some(first) = run.find(file, key, hash).map_err(unkept)? {
                            return Ok(first);
                        }
                    }
                }
                Ok(*place.insert(value))
            }
        }
    }

    /// The bytes of memory that are taken.
    pub(super) fn size_bytes(&self) -> usize {
        // Seven of eight places are used, each with a byte that tells how.
        let recent = self.recent.capacity() / 7 * 8 * (size_of::<(Key, i64)>() + 1);
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
        self.recent.keys().for_each(|key| starts[bucket(hash(*key)) + 1] += 1);
        for i in 0..BUCKETS {
            starts[i + 1] += starts[i];
        }
        let filter = Sbbf::new_with_ndv_fpp(self.recent.len() as u64, FALSE_POSITIVES);
        let mut sieve = filter.map_err(std::io::Error::other)?;
        let mut entries = vec![[0_u8; ENTRY_BYTES]; self.recent.len()];
        let mut next = starts.clone();
        for (key, value) in self.recent.drain() {
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

    use super::*;

    #[test]
    fn first_values_are_found_in_memory_and_on_disk() {
        let most = 4 * BUCKETS;
        let mut firsts = Firsts { most, ..Firsts::new(100) };
        let mut expected = HashMap::new();
        // Keys that come again at once, after a while, and never; several in each bucket.
        let keys = (0..9 * most as i64).map(|i| if i % 3 == 0 { i / 5 } else { i });
        for (value, key) in keys.enumerate().map(|(i, key)| (i as i64, i128::from(key) << 40 | 7)) {
            let first = *expected.entry(key).or_insert(value);
            assert_eq!(firsts.of(key, value).unwrap(), first, "{key}");
        }
        assert!(firsts.runs.len() >= 4 && firsts.recent.len() <= most, "{}", firsts.runs.len());
        assert_eq!(firsts.of(i128::MIN, 1).unwrap(), 1);
        assert_eq!(firsts.of(i128::MIN, 2).unwrap(), 1);
    }
}
