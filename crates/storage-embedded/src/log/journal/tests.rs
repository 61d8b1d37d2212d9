//! Whatever is lost or damaged, what was synced is read back, and nothing that was not written.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// A disk in memory. What was written is seen at once, and what was synced survives a loss of power.
#[derive(Debug, Default)]
struct MemoryDisk {
    files: Mutex<BTreeMap<u32, Arc<MemoryFile>>>,
}

#[derive(Debug, Default)]
struct MemoryFile {
    bytes: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// What a sync would write: nothing that a sync has failed for, as on Linux, unless it is written again.
    dirty: Vec<Range<usize>>,
    /// The next write fails when this many bytes of it are written.
    fails_after: Option<usize>,
    sync_fails: bool,
}

/// The file that is no segment yet.
const SPARE: u32 = u32::MAX;

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<u32>> {
        let files = self.files.lock();
        Ok(files
            .keys()
            .copied()
            .filter(|number| *number != SPARE)
            .collect())
    }

    fn create(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        let file = Arc::new(MemoryFile::default());
        self.files.lock().insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn spare(&self) -> io::Result<Arc<dyn Segment>> {
        self.create(SPARE)
    }

    fn adopt(&self, number: u32) -> io::Result<()> {
        let mut files = self.files.lock();
        let spare = files.remove(&SPARE).ok_or(io::ErrorKind::NotFound)?;
        files.insert(number, spare);
        Ok(())
    }

    fn open(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        let file = self.files.lock().get(&number).cloned();
        Ok(file.ok_or(io::ErrorKind::NotFound)?)
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        self.files.lock().remove(&number);
        Ok(())
    }
}

impl Segment for MemoryFile {
    fn write_at(&self, bytes: &[u8], place: u64) -> io::Result<()> {
        let mut contents = self.bytes.lock();
        let place = usize::try_from(place).unwrap();
        let failure = contents.fails_after.take();
        let written = failure.map_or(bytes.len(), |after| after.min(bytes.len()));
        if contents.seen.len() < place + written {
            contents.seen.resize(place + written, 0);
        }
        contents.seen[place..place + written].copy_from_slice(&bytes[..written]);
        contents.dirty.push(place..place + written);
        failure.map_or(Ok(()), |_| Err(io::ErrorKind::StorageFull.into()))
    }

    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize> {
        let contents = self.bytes.lock();
        let from = contents.seen.get(usize::try_from(place).unwrap()..);
        let from = from.unwrap_or_default();
        let length = from.len().min(bytes.len());
        bytes[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut contents = self.bytes.lock();
        let dirty = std::mem::take(&mut contents.dirty);
        if std::mem::take(&mut contents.sync_fails) {
            return Err(io::Error::other("the test says so"));
        }
        let Contents { seen, synced, .. } = &mut *contents;
        synced.resize(seen.len(), 0);
        for range in dirty {
            synced[range.clone()].copy_from_slice(&seen[range]);
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().seen.len() as u64)
    }
}

impl MemoryDisk {
    fn file(&self, number: u32) -> Arc<MemoryFile> {
        Arc::clone(&self.files.lock()[&number])
    }

    /// Power fails: of what was not synced, these sectors survive, in turn.
    fn lose_power(&self, survivors: &[bool]) {
        let mut survivors = survivors.iter().cycle();
        for file in self.files.lock().values() {
            let mut contents = file.bytes.lock();
            let mut left = contents.synced.clone();
            if survivors.next() == Some(&true) {
                left.resize(contents.seen.len(), 0);
            }
            for (left, seen) in left.chunks_mut(16).zip(contents.seen.chunks(16)) {
                if left.len() == seen.len() && survivors.next() == Some(&true) {
                    left.copy_from_slice(seen);
                }
            }
            contents.synced.clone_from(&left);
            contents.seen = left;
            contents.dirty.clear();
        }
    }
}

/// A log of small segments, with what was written into it.
struct Play {
    disk: Arc<MemoryDisk>,
    journal: Journal,
    start: Position,
    /// Every record of a group that was written.
    written: Vec<(Place, Vec<u8>)>,
    /// How many of them are synced.
    synced: usize,
    /// Sets each record apart, as its ids do in a log that is not a play.
    mark: u32,
}

const SEGMENT: u32 = 400;

impl Play {
    fn begin() -> Self {
        let disk = Arc::new(MemoryDisk::default());
        let segments = Segments::new(disk.clone());
        let journal = Journal::begin(segments, SEGMENT).unwrap();
        Self {
            start: journal.end(),
            disk,
            journal,
            written: Vec::new(),
            synced: 0,
            mark: 0,
        }
    }

    /// Appends a group of records of these lengths; each has bytes of its own.
    fn group(&mut self, lengths: &[usize]) -> Vec<(Place, Vec<u8>)> {
        let mut group = Vec::new();
        for length in lengths {
            self.mark += 1;
            let body: Vec<u8> = self
                .mark
                .to_le_bytes()
                .into_iter()
                .cycle()
                .take(*length)
                .collect();
            let place = self.journal.stage(&body).unwrap();
            group.push((place, body));
        }
        group
    }

    fn append(&mut self, lengths: &[usize], sync: bool) {
        let group = self.group(lengths);
        self.journal.write().unwrap();
        if sync {
            self.journal.sync().unwrap();
        }
        self.journal.accept();
        self.written.extend(group);
        if sync {
            self.synced = self.written.len();
        }
    }

    /// A group whose write or sync fails.
    fn fail(&mut self, lengths: &[usize], after: Option<usize>) {
        let _group = self.group(lengths);
        let file = self.disk.file(self.journal.end().place.segment);
        match after {
            Some(_) => file.bytes.lock().fails_after = after,
            None => file.bytes.lock().sync_fails = true,
        }
        let written = self.journal.write();
        assert!(written.and_then(|()| self.journal.sync()).is_err());
        self.journal.abandon();
    }

    /// The process ends, and the next one reads what it finds.
    fn reopen(&mut self) -> Vec<(Place, Vec<u8>)> {
        self.try_reopen().unwrap()
    }

    fn try_reopen(&mut self) -> Result<Vec<(Place, Vec<u8>)>, JournalError> {
        let segments = Segments::new(self.disk.clone());
        segments.settle(self.start)?;
        let mut found = Vec::new();
        let mut records = segments.records(self.start);
        while let Some(record) = records.next().unwrap() {
            assert_eq!(segments.read(record.place).unwrap(), record.body);
            found.push((record.place, record.body.to_vec()));
        }
        let end = records.position();
        self.journal = Journal::resume(segments, SEGMENT, end).unwrap();
        Ok(found)
    }

    /// What is found is what was written, as far as it goes, and that is at least what was synced.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let found = self.reopen();
        prop_assert!(
            found.len() >= self.synced,
            "{} of {}",
            found.len(),
            self.synced
        );
        prop_assert!(found.len() <= self.written.len());
        prop_assert_eq!(&found[..], &self.written[..found.len()]);
        self.written = found;
        self.synced = self.written.len();
        Ok(())
    }
}

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Happening {
    Append { lengths: Vec<usize>, sync: bool },
    WriteFails { lengths: Vec<usize>, after: usize },
    SyncFails { lengths: Vec<usize> },
    Prepare,
    Kill,
    LosePower { survivors: Vec<bool> },
}

fn happening() -> impl Strategy<Value = Happening> {
    let lengths = || prop::collection::vec(4..120_usize, 1..5);
    let survivors = prop::collection::vec(any::<bool>(), 1..20);
    prop_oneof![
        6 => (lengths(), any::<bool>()).prop_map(|(lengths, sync)| Happening::Append { lengths, sync }),
        1 => (lengths(), 0..300_usize)
            .prop_map(|(lengths, after)| Happening::WriteFails { lengths, after }),
        1 => lengths().prop_map(|lengths| Happening::SyncFails { lengths }),
        1 => Just(Happening::Prepare),
        1 => Just(Happening::Kill),
        2 => survivors.prop_map(|survivors| Happening::LosePower { survivors }),
    ]
}

proptest! {
    #[test]
    fn what_was_synced_survives_whatever_happens(play in prop::collection::vec(happening(), 1..40)) {
        let mut log = Play::begin();
        for happening in play {
            match happening {
                Happening::Append { lengths, sync } => log.append(&lengths, sync),
                Happening::WriteFails { lengths, after } => log.fail(&lengths, Some(after)),
                Happening::SyncFails { lengths } => log.fail(&lengths, None),
                Happening::Prepare => {
                    let next = log.journal.end().place.segment + 1;
                    log.journal.segments.prepare(next, SEGMENT, || true).unwrap();
                }
                // What a failed group has left is found by the next process: it was written, only nobody was told.
                Happening::Kill => {
                    let found = log.reopen();
                    prop_assert!(found.starts_with(&log.written));
                    log.synced = found.len();
                    log.written = found;
                }
                Happening::LosePower { survivors } => {
                    let before = log.written.len();
                    log.disk.lose_power(&survivors);
                    let found = log.reopen();
                    let same = found.len().min(before);
                    prop_assert!(found.len() >= log.synced);
                    prop_assert_eq!(&found[..same], &log.written[..same]);
                    log.synced = found.len();
                    log.written = found;
                }
            }
        }
        log.disk.lose_power(&[false]);
        log.check()?;
    }

    #[test]
    fn what_is_cut_or_damaged_is_the_end_only_if_nothing_was_durable_behind_it(
        groups in prop::collection::vec(prop::collection::vec(4..120_usize, 1..5), 1..12),
        segment in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        damage in prop::option::of(1..=u8::MAX),
    ) {
        let mut log = Play::begin();
        let mut begins = Vec::new();
        for lengths in groups {
            log.append(&lengths, true);
            begins.push(log.written[log.written.len() - lengths.len()].0);
        }
        let last = log.journal.end().place.segment;
        let number = 1 + u32::try_from(segment.index(last as usize)).unwrap();
        let offset = {
            let file = log.disk.file(number);
            let mut contents = file.bytes.lock();
            let place = PREAMBLE as usize + at.index(contents.seen.len() - PREAMBLE as usize);
            match (damage, contents.seen.get_mut(place)) {
                (Some(bits), Some(byte)) => *byte ^= bits,
                _ => contents.seen.truncate(place),
            }
            u32::try_from(place).unwrap()
        };
        let damaged = Place { segment: number, offset };
        let end = |(at, body): &(Place, Vec<u8>)| Place {
            offset: at.offset + u32::try_from(HEADER + body.len()).unwrap(),
            ..*at
        };
        let whole = log.written.iter().filter(|record| end(record) <= damaged).count();
        let hurt = log.written.get(whole).map(|record| record.0);
        // Nothing lies behind what was cut but in a later segment.
        let follows = begins.iter().filter(|begin| damage.is_some() || begin.segment > number);
        let known = hurt.is_some_and(|hurt| follows.clone().any(|begin| *begin > hurt));
        match log.try_reopen() {
            Ok(found) => {
                prop_assert!(!known, "{damaged:?} was taken for the end");
                prop_assert_eq!(&found[..], &log.written[..whole]);
            }
            Err(JournalError::Damaged(place)) => {
                prop_assert!(known, "{place:?} is the end");
                prop_assert_eq!(Some(place), hurt);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn no_bytes_whatever_are_taken_for_a_log(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut log = Play::begin();
        log.disk.file(1).bytes.lock().seen.extend(bytes);
        prop_assert_eq!(log.reopen(), []);
        log.append(&[10, 20], true);
        log.check()?;
        prop_assert_eq!(log.written.len(), 2);
    }
}

#[test]
fn what_waited_for_a_sync_that_failed_is_written_again_before_the_next() {
    let mut log = Play::begin();
    log.append(&[50], false);
    log.fail(&[60], None);
    log.append(&[70], true);
    log.disk.lose_power(&[false]);
    let found = log.reopen();
    assert_eq!(found, log.written);
}

#[test]
fn a_sync_that_failed_for_somebody_else_has_failed_for_the_writer_too() {
    let mut log = Play::begin();
    log.append(&[50], false);
    log.disk.file(1).bytes.lock().sync_fails = true;
    assert!(log.journal.file().sync().is_err());
    assert!(
        log.journal.file().sync().is_err(),
        "until it is written again"
    );
    log.append(&[70], true);
    log.disk.lose_power(&[false]);
    assert_eq!(log.reopen(), log.written);
}

#[test]
fn what_a_failed_group_has_left_does_not_follow_the_next_one() {
    let mut log = Play::begin();
    log.fail(&[50, 60], None);
    // It ends where the second record of the failed group lies, whole.
    log.append(&[50], true);
    let found = log.reopen();
    assert_eq!(found, log.written);
}

#[test]
fn a_segment_is_not_left_while_a_failed_group_lies_at_its_end() {
    let mut log = Play::begin();
    log.fail(&[50], None);
    log.journal.segments.prepare(2, SEGMENT, || true).unwrap();
    log.append(&[60], true);
    log.append(&[70], true);
    let found = log.reopen();
    assert_eq!(found, log.written);
    assert_eq!(found[1].0.segment, 2, "it is left afterwards, for it grows");
}

#[test]
fn a_record_in_another_place_is_not_taken_for_one() {
    let mut log = Play::begin();
    log.append(&[50], true);
    log.append(&[50], true);
    let (second, _) = log.written[1];
    let file = log.disk.file(1);
    let mut contents = file.bytes.lock();
    let first: Vec<u8> = contents.seen[PREAMBLE as usize..second.offset as usize].to_vec();
    let at = second.offset as usize;
    contents.seen[at..].copy_from_slice(&first);
    drop(contents);
    assert_eq!(log.reopen().len(), 1);
}

#[test]
fn a_damaged_record_is_named() {
    let mut log = Play::begin();
    log.append(&[2000], true);
    let (place, _) = log.written[0];
    log.disk.file(1).bytes.lock().seen[1500] ^= 1;
    let error = log.journal.segments.read(place).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record at 16 of segment 1 is damaged"
    );
}
