//! What befalls a world, counted: a simulation in which nothing happens shows nothing.

use std::collections::BTreeMap;

/// Something that is hard to get right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hazard {
    Crash,
    CrashWithAppendUnanswered,
    UnansweredAppendSurvived,
    UnansweredAppendLost,
    CrashBetweenAppendAndDelivery,
    CrashBetweenTheRowsOfBothSides,
    ConfirmLostInCrash,
    ConfirmFailed,
    ConfirmedAgain,
    ReadWhileConfirming,
    AppendFailed,
    FailedAppendWasMade,
    ReadFailed,
    LoadFailed,
    StoreHung,
    WaitedTooLong,
    AnsweredUnacknowledged,
    ConnectionCut,
    CutWithStanzasOnTheWire,
    Resumed,
    ResumedWithStanzasSentAgain,
    ClientSentAgain,
    ResumeDuringAppend,
    ExpiredDuringResume,
    ResumeAfterExpiry,
    Expired,
    ExpiredWithRowsUnacknowledged,
    NewMessageDuringReplay,
    ReplayedWithDelay,
    CarbonCopy,
    SilentClient,
    QueueOfSessionFull,
    QueueOfHomeFull,
    OfflineQueueFull,
    ResourceTaken,
    HandedWhileBinding,
    MessageForNegativePriority,
    RowHandedToSeveral,
    HomeLetGo,
}

/// Each hazard, and how often it must happen at least in ten thousand runs.
pub(crate) const LEAST: &[(Hazard, u64)] = &[
    (Hazard::Crash, 5000),
    (Hazard::CrashWithAppendUnanswered, 1000),
    (Hazard::UnansweredAppendSurvived, 500),
    (Hazard::UnansweredAppendLost, 500),
    (Hazard::CrashBetweenAppendAndDelivery, 500),
    (Hazard::CrashBetweenTheRowsOfBothSides, 500),
    (Hazard::ConfirmLostInCrash, 10),
    (Hazard::ConfirmFailed, 100),
    (Hazard::ConfirmedAgain, 50),
    (Hazard::ReadWhileConfirming, 10),
    (Hazard::AppendFailed, 1000),
    (Hazard::FailedAppendWasMade, 500),
    (Hazard::ReadFailed, 100),
    (Hazard::LoadFailed, 100),
    (Hazard::StoreHung, 100),
    (Hazard::WaitedTooLong, 100),
    (Hazard::AnsweredUnacknowledged, 20),
    (Hazard::ConnectionCut, 10000),
    (Hazard::CutWithStanzasOnTheWire, 5000),
    (Hazard::Resumed, 5000),
    (Hazard::ResumedWithStanzasSentAgain, 1000),
    (Hazard::ClientSentAgain, 1000),
    (Hazard::ResumeDuringAppend, 500),
    (Hazard::ExpiredDuringResume, 20),
    (Hazard::ResumeAfterExpiry, 200),
    (Hazard::Expired, 1000),
    (Hazard::ExpiredWithRowsUnacknowledged, 500),
    (Hazard::NewMessageDuringReplay, 500),
    (Hazard::ReplayedWithDelay, 10000),
    (Hazard::CarbonCopy, 10000),
    (Hazard::SilentClient, 100),
    (Hazard::QueueOfSessionFull, 0),
    (Hazard::QueueOfHomeFull, 100),
    (Hazard::OfflineQueueFull, 100),
    (Hazard::ResourceTaken, 500),
    (Hazard::HandedWhileBinding, 20),
    (Hazard::MessageForNegativePriority, 1000),
    (Hazard::RowHandedToSeveral, 1000),
    (Hazard::HomeLetGo, 50),
];

/// How often each happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hazards(BTreeMap<Hazard, u64>);

impl Hazards {
    pub(crate) fn met(&mut self, hazard: Hazard) {
        self.times(hazard, 1);
    }

    pub(crate) fn times(&mut self, hazard: Hazard, times: u64) {
        *self.0.entry(hazard).or_default() += times;
    }

    pub(crate) fn of(&self, hazard: Hazard) -> u64 {
        self.0.get(&hazard).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (hazard, times) in &other.0 {
            self.times(*hazard, *times);
        }
    }
}
