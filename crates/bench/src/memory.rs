//! A memory budget shared by the utterances being processed.

use crate::{BenchError, CallError};
use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes for the utterances being processed. One that needs more than the whole budget waits until it is alone.
pub(crate) struct MemoryBudget {
    all: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// A part of the budget, given back when dropped.
pub(crate) struct Held<'a> {
    budget: &'a MemoryBudget,
    bytes: usize,
}

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            all: bytes,
            used: Mutex::new(0),
            freed: Condvar::new(),
        }
    }

    /// Waits until this many bytes are free, or until nobody holds any.
    pub(crate) fn hold(&self, bytes: usize) -> Held<'_> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && used.saturating_add(bytes) > self.all {
            used = self
                .freed
                .wait(used)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *used = used.saturating_add(bytes);
        Held {
            budget: self,
            bytes,
        }
    }

    pub(crate) fn all(&self) -> usize {
        self.all
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut used = self
            .budget
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        self.budget.freed.notify_all();
    }
}

/// Half of the memory that is free now; without a way to know (outside Linux), 4 GiB.
pub fn half_of_free() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text.lines().find_map(|line| {
        let rest = line.strip_prefix("MemAvailable:")?;
        rest.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
    });
    available.map_or(4 << 30, |kib| kib * 512)
}

/// `512M`, `8G`, `1.5GiB`, or bytes: units are powers of 1024.
///
/// # Errors
/// A wrong call that says what is expected.
pub fn parse_memory(text: &str) -> Result<usize, BenchError> {
    let bad = || {
        BenchError::Call(CallError::value(
            "memory",
            text,
            "for example 512M, 8G or a number of bytes, at least 1M",
        ))
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| bad())?;
    let unit = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1.0,
        "K" | "KB" | "KIB" => 1024.0,
        "M" | "MB" | "MIB" => 1024.0 * 1024.0,
        "G" | "GB" | "GIB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(bad()),
    };
    let bytes = number * unit;
    if (1048576.0..1e18).contains(&bytes) {
        Ok(bytes as usize)
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("1.5GiB", 3 << 29),
            ("2048 kb", 2 << 20),
        ] {
            assert_eq!(parse_memory(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "G", "-1G", "12T", "1.2.3M", "0", "1000"] {
            assert!(parse_memory(text).unwrap_err().is_wrong_call(), "{text}");
        }
    }

    #[test]
    fn never_more_than_the_budget_unless_one_is_alone() {
        let budget = MemoryBudget::new(100);
        let (now, holders) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, now, holders) = (&budget, &now, &holders);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = [10, 40, 60, 150][(thread + round) % 4];
                        let held = budget.hold(bytes);
                        let others = holders.fetch_add(1, Ordering::SeqCst);
                        let sum = now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        assert!(sum <= 100 || others == 0, "{sum} by {others}");
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
    }
}
