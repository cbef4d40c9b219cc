//! Every reader of untrusted bytes on mutated files, without libFuzzer and without a nightly compiler: the same seed gives the
//! same inputs. Each reader has a test with its name:
//! `EMOBOX_FUZZ_SECONDS=20 EMOBOX_FUZZ_SEED=7 cargo test -p emobox-fuzz -- parquet`. Without the first variable, each gets a
//! few hundred inputs.

#![expect(clippy::print_stderr, reason = "how many inputs a run has tried")]

use emobox_fuzz::{TARGETS, Target};
use libtest_mimic::{Arguments, Failed, Trial};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Number of inputs for a reader if no time is given.
const INPUTS: u64 = 300;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }
}

/// Numbers at which readers tend to fail.
const ODD: [u64; 10] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    i64::MAX as u64,
    u64::MAX,
];

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        // Half of all changes are at the start or the end, where formats have their headers.
        let at = match random.below(4) {
            0 => random.below(bytes.len().min(128)),
            1 => bytes
                .len()
                .saturating_sub(1 + random.below(bytes.len().min(2048))),
            _ => random.below(bytes.len()),
        };
        let until = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(9) {
            _ if bytes.is_empty() => bytes.push(random.next() as u8),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => drop(bytes.drain(at..until)),
            3 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let number = ODD[random.below(ODD.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            5 => {
                let from = random.below(other.len());
                let piece = &other[from..(from + 1 + random.below(64)).min(other.len())];
                bytes.splice(at..until, piece.iter().copied());
            }
            6 => bytes.truncate(at),
            7 => bytes[at..until].fill([0, 0xFF, b'\n', b',', b'"', b' '][random.below(6)]),
            _ => {
                let word = [
                    "nan",
                    "-1",
                    "1e999",
                    "\"",
                    "../x",
                    "0 days 00:00:00",
                    "{",
                    "[[",
                    ": ",
                    "\u{feff}",
                    "&a *a",
                ][random.below(11)];
                bytes.splice(at..at, word.bytes());
            }
        }
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return vec![path.to_owned()];
    };
    let small = |path: &PathBuf| {
        path.is_file()
            && std::fs::metadata(path).is_ok_and(|m| m.len() < 1 << 16)
            && path.extension().is_none_or(|e| e != "rs")
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .flat_map(|entry| files(&entry.path()))
        .filter(small)
        .collect();
    files.sort();
    files
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}: expected a whole number")),
    )
}

/// Runs a target until the time is up or the inputs are used.
fn drive(target: &Target) -> Result<(), Failed> {
    let seconds = setting("EMOBOX_FUZZ_SECONDS");
    let seed = setting("EMOBOX_FUZZ_SEED").unwrap_or(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = target.seeds.iter().flat_map(|seed| files(&root.join(seed)));
    let seeds: Vec<Vec<u8>> = paths
        .map(|path| std::fs::read(path).expect("a seed file"))
        .collect();
    let begun = Instant::now();
    let mut number = 0;
    let mut findings = Vec::new();
    for seed in &seeds {
        (target.run)(seed);
    }
    while match seconds {
        Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
        None => number < INPUTS,
    } {
        // Each input has its own random stream, so that it can be generated again alone.
        let mut random = Random((seed << 40) ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        change(&mut bytes, other, &mut random);
        if catch_unwind(|| (target.run)(&bytes)).is_err() {
            let path = std::env::temp_dir().join(format!("{}-{seed}-{number}", target.name));
            std::fs::write(&path, &bytes).expect("a finding is written");
            findings.push(path.display().to_string());
        }
        number += 1;
    }
    eprintln!(
        "{}: {number} inputs from {} files, {} findings",
        target.name,
        seeds.len(),
        findings.len()
    );
    match findings.is_empty() {
        true => Ok(()),
        false => Err(format!("findings: {}", findings.join(", ")).into()),
    }
}

fn main() {
    // Inputs must not start other programs; the variable is read when a container needs one.
    if std::env::var_os("EMOBOX_FFMPEG").is_none() {
        let myself = std::env::current_exe().expect("this program");
        let mut again = std::process::Command::new(myself);
        again
            .args(std::env::args_os().skip(1))
            .env("EMOBOX_FFMPEG", "/nonexistent/ffmpeg");
        let status = again.status().expect("this program starts once more");
        std::process::exit(status.code().unwrap_or(1));
    }
    let trials = TARGETS
        .iter()
        .map(|target| Trial::test(target.name, move || drive(target)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
