//! Every target over its corpus, and over a bounded number of inputs made from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    thread,
    time::UNIX_EPOCH,
};

use doghouse_fuzz::{TARGETS, Target};

/// Inputs that are made for each target.
const FRESH: usize = 5000;

/// The longest input that is made, in octets.
const LONGEST: usize = 4096;

/// The environment variable that sets the seed of the fresh inputs.
const SEED: &str = "DOGHOUSE_FUZZ_SEED";

#[test]
fn every_target_has_a_corpus_a_dictionary_and_a_program_and_the_reverse() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in ["corpus", "dictionaries", "fuzz_targets"] {
        let entries = fs::read_dir(here().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let names = entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), targets, "in {folder}");
    }
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
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(UNIX_EPOCH.elapsed().unwrap().subsec_nanos()),
    };
    let threads = TARGETS.map(|target| thread::spawn(move || run_fresh(target, seed)));
    let failed: Vec<String> = threads.into_iter().filter_map(|target| target.join().unwrap().err()).collect();
    assert!(
        failed.is_empty(),
        "with {SEED}={seed}, which makes the same inputs again:\n{}",
        failed.join("\n")
    );
}

/// An input on which a target fails is written to a file, which the error names.
fn run_fresh((name, target): Target, seed: u64) -> Result<(), String> {
    let mutator = Mutator {
        seeds: corpus(name).into_iter().map(|(_, octets)| octets).collect(),
        words: dictionary(name),
    };
    let mut chance = Chance(seed | 1);
    for _ in 0..FRESH {
        let octets = mutator.make(&mut chance);
        if catch_unwind(|| target(&octets)).is_err() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failing-{name}-{seed}"));
            fs::write(&path, &octets).unwrap();
            return Err(format!("{name} fails on {}", path.display()));
        }
    }
    Ok(())
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(here().join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no corpus");
    files
}

/// The words of a dictionary of libFuzzer: a line each, in quotes.
fn dictionary(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(here().join("dictionaries").join(format!("{name}.dict"))).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| word(line).unwrap_or_else(|| panic!("{name}.dict: {line}"))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(octet) = rest.next() {
        word.push(match octet {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
                }
                escaped @ (b'\\' | b'"') => escaped,
                _ => return None,
            },
            octet => octet,
        });
    }
    Some(word)
}

struct Mutator {
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// One of the seeds, changed in a few places.
    fn make(&self, chance: &mut Chance) -> Vec<u8> {
        let mut octets = chance.one_of(&self.seeds).clone();
        for _ in 0..=chance.below(5) {
            let (one, other) = (chance.below(octets.len() + 1), chance.below(octets.len() + 1));
            let (from, to) = (one.min(other), one.max(other));
            match chance.below(8) {
                0 => octets.truncate(to),
                1 => drop(octets.drain(from..to)),
                2 | 3 => drop(octets.splice(from..from, chance.one_of(&self.words).iter().copied())),
                4 => {
                    let copy = octets[from..to].to_vec();
                    octets.splice(from..from, copy);
                }
                5 => {
                    let other = chance.one_of(&self.seeds);
                    octets.truncate(to);
                    octets.extend_from_slice(&other[chance.below(other.len() + 1)..]);
                }
                6 => {
                    let run = vec![chance.octet(); chance.below(600)];
                    octets.splice(from..from, run);
                }
                _ => match octets.get_mut(from) {
                    Some(octet) => *octet ^= 1 << chance.below(8),
                    None => octets.push(chance.octet()),
                },
            }
        }
        octets.truncate(LONGEST);
        octets
    }
}

/// xorshift64*: small, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn one_of<'a>(&mut self, all: &'a [Vec<u8>]) -> &'a Vec<u8> {
        &all[self.below(all.len())]
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}
