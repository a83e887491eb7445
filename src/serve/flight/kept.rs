//! What is kept for clients between their requests, under names that nobody can guess.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::crypto::ring;

use crate::error::{Error, Result};

/// The letters of an unguessable name.
pub const NAME: usize = 32;

/// A name that nobody can guess: 128 bits of the system's randomness, in hexadecimal.
pub fn unguessable() -> Result<String> {
    let mut bytes = [0; NAME / 2];
    let filled = ring::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| Error::unavailable("the system has no randomness to give"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Values by name: at most so many, each until it has lain unused for some time.
pub struct Kept<T> {
    entries: Mutex<HashMap<String, Entry<T>>>,
    most: usize,
    unused: Duration,
}

struct Entry<T> {
    value: Arc<T>,
    used: Instant,
}

impl<T> Kept<T> {
    /// Nothing yet.
    pub fn new(most: usize, unused: Duration) -> Kept<T> {
        Kept { entries: Mutex::default(), most, unused }
    }

    /// Keeps a value. Where there are too many, the one goes that nobody holds and that was used least recently.
    pub fn insert(&self, name: String, value: Arc<T>) {
        let mut entries = self.entries();
        entries.retain(|_, entry| entry.is_wanted(self.unused));
        if entries.len() >= self.most {
            let last = entries.iter().min_by_key(|(_, entry)| (entry.is_held(), entry.used));
            if let Some(name) = last.map(|(name, _)| name.clone()) {
                entries.remove(&name);
            }
        }
        entries.insert(name, Entry { value, used: Instant::now() });
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        let mut entries = self.entries();
        let entry = entries.get_mut(name).filter(|entry| entry.is_wanted(self.unused))?;
        entry.used = Instant::now();
        Some(entry.value.clone())
    }

    /// Forgets a name.
    pub fn remove(&self, name: &str) {
        self.entries().remove(name);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entry<T> {
    /// Whether somebody is at work with it.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.value) > 1
    }

    fn is_wanted(&self, unused: Duration) -> bool {
        self.is_held() || self.used.elapsed() < unused
    }
}

#[cfg(test)]
mod tests {
    //! Proves what is forgotten, and what is not.

    use super::*;

    #[test]
    fn names_are_long_and_differ() {
        let (one, other) = (unguessable().unwrap(), unguessable().unwrap());
        assert_eq!((one.len(), other.len()), (NAME, NAME));
        assert_ne!(one, other);
    }

    #[test]
    fn the_least_recently_used_goes_first_unless_it_is_held() {
        let kept = Kept::new(2, Duration::from_secs(60));
        kept.insert("a".into(), Arc::new(1));
        kept.insert("b".into(), Arc::new(2));
        let held = kept.get("a").unwrap();
        assert_eq!(*kept.get("b").unwrap(), 2);
        kept.insert("c".into(), Arc::new(3));
        assert_eq!((*held, kept.get("b").is_none(), kept.get("c").is_some()), (1, true, true));
        assert!(kept.get("a").is_some());
        kept.remove("a");
        assert!(kept.get("a").is_none());
    }

    #[test]
    fn what_lies_unused_is_forgotten_unless_it_is_held() {
        let kept = Kept::new(10, Duration::ZERO);
        let held = Arc::new(1);
        kept.insert("held".into(), held.clone());
        kept.insert("unused".into(), Arc::new(2));
        assert!(kept.get("unused").is_none());
        assert_eq!(kept.get("held"), Some(held));
    }
}
