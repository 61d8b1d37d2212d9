//! The target that libFuzzer is not let loose on in `make test`: its corpus, changed at random.
//!
//! Without coverage to guide it, this finds less in a second than `fuzz/run 60 configuration` does; it costs no build
//! of the whole server with instrumentation. The same tries are made each time.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::{fs, panic};

use rookery_fuzz::configuration;

/// How many files are tried: as many as libFuzzer tries in five seconds.
const TRIES: u32 = 600;
/// How many changes are made to one at most.
const CHANGES: usize = 4;

/// Numbers that look random, and are the same each time (xorshift).
struct Dice(u64);

/// What changes are made of.
struct Material {
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

// === impl Dice ===

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn choose<'a>(&mut self, list: &'a [Vec<u8>]) -> &'a [u8] {
        &list[self.roll(list.len())]
    }
}

// === impl Material ===

impl Material {
    /// The corpus and the dictionary of a target.
    fn of(target: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<PathBuf> = fs::read_dir(here.join("corpus").join(target))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let dictionary = here.join("dictionaries").join(format!("{target}.dict"));
        let dictionary = fs::read_to_string(dictionary).unwrap();
        let words = dictionary
            .lines()
            .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
        Self {
            seeds: files.iter().map(|file| fs::read(file).unwrap()).collect(),
            words: words
                .map(|word| word.replace("\\\"", "\"").into())
                .collect(),
        }
    }

    /// A seed with some changes.
    fn mutant(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = dice.choose(&self.seeds).to_vec();
        for _ in 0..=dice.roll(CHANGES) {
            let start = dice.roll(bytes.len() + 1);
            let end = (start + dice.roll(16)).min(bytes.len());
            let piece = match dice.roll(6) {
                0 => Vec::new(),
                1 => vec![u8::try_from(dice.roll(256)).unwrap()],
                2 => bytes[start..end].repeat(2),
                3 => self.line(dice),
                _ => dice.choose(&self.words).to_vec(),
            };
            bytes.splice(start..end, piece);
        }
        bytes
    }

    /// A line of another seed.
    fn line(&self, dice: &mut Dice) -> Vec<u8> {
        let other = dice.choose(&self.seeds);
        let lines: Vec<_> = other.split(|&byte| byte == b'\n').collect();
        let line = lines[dice.roll(lines.len())];
        [b"\n", line, b"\n"].concat()
    }
}

#[test]
fn configurations_that_somebody_mistyped_read_back_or_say_where_they_are_wrong() {
    let material = Material::of("configuration");
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..TRIES {
        let mutant = material.mutant(&mut dice);
        let tried = panic::catch_unwind(|| configuration::check(&mutant));
        assert!(tried.is_ok(), "{}", String::from_utf8_lossy(&mutant));
    }
}
