//! Numbers that nobody can guess: what makes ids of rows unguessable.

/// How many are taken from the system at once.
const AT_ONCE: usize = 4096;

/// Random numbers, taken from the system many at once.
#[derive(Debug, Default)]
pub struct Salts {
    bytes: Vec<u8>,
}

// === impl Salts ===

impl Salts {
    /// The next one, which is never given again.
    ///
    /// # Errors
    /// When the system has none.
    pub fn mint(&mut self) -> Result<u64, getrandom::Error> {
        if self.bytes.is_empty() {
            self.bytes.resize(AT_ONCE, 0);
            if let Err(error) = getrandom::fill(&mut self.bytes) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let at = self.bytes.len().saturating_sub(size_of::<u64>());
        let number = self.bytes.split_off(at);
        Ok(number
            .iter()
            .fold(0, |salt, byte| salt << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let mut salts = Salts::default();
        let numbers: HashSet<u64> = (0..2000).map(|_| salts.mint().unwrap()).collect();
        assert_eq!(numbers.len(), 2000);
    }
}
