//! Every target over its corpus, and over a bounded number of inputs made from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use doghouse_fuzz::{TARGETS, Target};

/// Inputs that are made for each target.
const FRESH: usize = 3000;

/// The environment variable that sets the seed of the fresh inputs.
const SEED: &str = "DOGHOUSE_FUZZ_SEED";

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no corpus");
    files
}

#[test]
fn every_target_has_a_corpus_and_a_program_and_the_reverse() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(here.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

#[test]
fn every_target_takes_its_corpus() {
    for (name, target) in TARGETS {
        for (path, octets) in corpus(name) {
            assert!(catch_unwind(|| target(&octets)).is_ok(), "{name} fails on {}", path.display());
        }
    }
}

#[test]
fn every_target_takes_fresh_inputs() {
    let seed = std::env::var(SEED).ok().map_or_else(
        || u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()),
        |seed| seed.parse().unwrap(),
    );
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(move || run_fresh(target, seed));
        }
    });
}

fn run_fresh((name, target): Target, seed: u64) {
    let seeds: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, octets)| octets).collect();
    let mut chance = Chance(seed | 1);
    for _ in 0..FRESH {
        let octets = chance.change(&seeds);
        if catch_unwind(AssertUnwindSafe(|| target(&octets))).is_err() {
            let path = std::env::temp_dir().join(format!("doghouse-fuzz-{name}-{seed}"));
            fs::write(&path, &octets).unwrap();
            panic!("{name} fails on {}; {SEED}={seed} makes it again", path.display());
        }
    }
}

/// xorshift64*: small, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// One of the seeds, changed in a few places.
    fn change(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        const WORDS: [&[u8]; 16] = [
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"\\",
            b" ",
            b"HELO fido bone\r\n",
            b"READ ",
            b"RETR\r\n",
            b"ACKD\r\n",
            b"QUIT\r\n",
            b"FOLD ",
            b"\xff\xfb\x0a",
            b"=99999999999999999999",
            b"#3\r\n",
            b":{PLAIN}",
        ];
        let mut octets = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(5) {
            let (at, to) = (self.below(octets.len() + 1), self.below(octets.len() + 1));
            let (from, to) = (at.min(to), at.max(to));
            match self.below(7) {
                0 => octets.truncate(at),
                1 => drop(octets.drain(from..to)),
                2 => drop(octets.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                3 => {
                    let copy = octets[from..to].to_vec();
                    octets.splice(at.min(octets.len())..at.min(octets.len()), copy);
                }
                4 => {
                    let other = &seeds[self.below(seeds.len())];
                    octets.truncate(at);
                    octets.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                5 => {
                    let run = vec![self.octet(); self.below(600)];
                    octets.splice(at..at, run);
                }
                _ if !octets.is_empty() => {
                    let at = self.below(octets.len());
                    octets[at] ^= 1 << self.below(8);
                }
                _ => octets.push(self.octet()),
            }
        }
        octets
    }
}
