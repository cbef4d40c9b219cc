//! Runs targets on changed files without libFuzzer and without a nightly compiler: the same target, count and seed give the same
//! inputs. `cargo run --release --bin drive -- TARGET COUNT [SEED]`; 1 where an input made a target panic.

use emobox_fuzz::TARGETS;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

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

/// Numbers that readers trip over.
const ODD: [u64; 10] = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, i64::MAX as u64, u64::MAX];

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        // Half of all changes are in the head or the foot, where formats keep what counts.
        let at = match random.below(4) {
            0 => random.below(bytes.len().min(128)),
            1 => bytes.len().saturating_sub(1 + random.below(bytes.len().min(2048))),
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
                let word = ["nan", "-1", "1e999", "\"", "../x", "0 days 00:00:00", "{", "[[", ": ", "\u{feff}", "&a *a"][random.below(11)];
                bytes.splice(at..at, word.bytes());
            }
        }
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return vec![path.to_owned()];
    };
    let small = |path: &PathBuf| path.is_file() && std::fs::metadata(path).is_ok_and(|m| m.len() < 1 << 16) && path.extension().is_none_or(|e| e != "rs");
    let mut files: Vec<PathBuf> = entries.flatten().flat_map(|entry| files(&entry.path())).filter(small).collect();
    files.sort();
    files
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count, seed @ ..] = &arguments[..] else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.0).collect();
        eprintln!("drive TARGET COUNT [SEED], TARGET one of {}", names.join(", "));
        std::process::exit(2);
    };
    let (_, run, sources) = TARGETS.iter().find(|target| target.0 == name).expect("a known target");
    let count: u64 = count.parse().expect("a count");
    let seed = seed.first().map_or(1, |seed| seed.parse().expect("a seed"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds: Vec<Vec<u8>> = sources.iter().flat_map(|source| files(&root.join(source))).map(|path| std::fs::read(path).expect("a seed file")).collect();
    let begun = std::time::Instant::now();
    let mut found = 0;
    for number in 0..count {
        // Each input has a stream of its own, so that one can be made again alone.
        let mut random = Random((seed << 40) ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        change(&mut bytes, other, &mut random);
        if catch_unwind(|| run(&bytes)).is_err() {
            found += 1;
            let path = std::env::temp_dir().join(format!("{name}-{seed}-{number}"));
            std::fs::write(&path, &bytes).expect("a finding is written");
            eprintln!("found: {}", path.display());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {count} inputs from {} files in {seconds:.0} s ({:.0} a second), {found} findings", seeds.len(), count as f64 / seconds);
    std::process::exit(i32::from(found > 0));
}
