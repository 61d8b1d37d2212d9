//! Random histories of a client and a server, with connections that are lost and sessions that are written
//! down. What holds: each stanza that the server sent is handled by the client exactly once and in order;
//! what the server takes for confirmed, the client has handled; what it tells the client to be handled, is.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use rookery_storage::record::Record;
use tokio::time::Instant;

use super::super::inbound::wire;
use super::super::{
    Due, Effect, Inbound, Managed, Outbound, Reply, StreamManagement, Unacknowledged,
};
use super::{delivery, enabled};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The server sends a stanza, for which the store waits or not.
    Send { awaited: bool },
    /// The server ends a batch.
    Flush,
    /// The client takes the next thing from the wire, and answers if it was asked.
    Take,
    /// The client acknowledges without having been asked.
    Acknowledge,
    /// The client sends a stanza.
    Receive,
    /// The client asks.
    Request,
    /// One of the stanzas that are under way is settled.
    Settle(prop::sample::Index),
    /// The connection is lost with all that is on it, the session is written down if so, and resumed.
    Lose { written: bool },
    /// Time passes.
    Pass(u64),
}

/// What is on the wire towards the client.
#[derive(Clone, Copy, Debug)]
enum OnWire {
    Stanza(u64),
    Request,
}

struct Play {
    server: StreamManagement,
    now: Instant,
    /// Counts begin here: near 2^32, so that they wrap around.
    start: u64,
    wire: VecDeque<OnWire>,
    /// Stanzas of the server: sent, handled by the client, confirmed by the server.
    sent: u64,
    handled: u64,
    confirmed: u64,
    /// Stanzas of the client: those under way, all that came, the count it was told.
    under_way: Vec<u64>,
    received: u64,
    told: u32,
    questions: usize,
}

impl Play {
    fn new(start: u64) -> Self {
        let mut server = enabled();
        let Managed {
            inbound, outbound, ..
        } = server.managed.as_mut().unwrap();
        *inbound = Inbound::restore((start, start), &[], (start, start)).unwrap();
        *outbound = Outbound::restore(start, Vec::new());
        Self {
            server,
            now: Instant::now(),
            start,
            wire: VecDeque::new(),
            sent: 0,
            handled: 0,
            confirmed: 0,
            under_way: Vec::new(),
            received: 0,
            told: wire(start),
            questions: 0,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Send { awaited } => {
                self.sent += 1;
                let stanza = delivery(self.sent, awaited.then_some(self.sent));
                self.server.sent(&stanza, self.sent);
                self.wire.push_back(OnWire::Stanza(self.sent));
            }
            Event::Flush => {
                let reply = self.server.flushed(self.now);
                self.reply(reply);
            }
            Event::Take => self.take(),
            Event::Acknowledge => self.acknowledge(),
            Event::Receive => {
                let number = self.server.received().unwrap();
                self.received += 1;
                assert_eq!(number, self.start + self.received);
                self.under_way.push(number);
            }
            Event::Request => {
                let effect = self.server.requested();
                self.effects(vec![effect]);
            }
            Event::Settle(index) => {
                if !self.under_way.is_empty() {
                    let number = self
                        .under_way
                        .swap_remove(index.index(self.under_way.len()));
                    let reply = self.server.settled(number);
                    self.reply(reply);
                }
            }
            Event::Lose { written } => self.lose(written),
            Event::Pass(seconds) => self.pass(seconds),
        }
        assert_eq!(self.server.waiting().0 as u64, self.sent - self.confirmed);
    }

    /// The client takes the next thing from the wire.
    fn take(&mut self) {
        match self.wire.pop_front() {
            Some(OnWire::Stanza(number)) => {
                self.handled += 1;
                assert_eq!(number, self.handled, "exactly once, and in order");
            }
            Some(OnWire::Request) => self.acknowledge(),
            None => {}
        }
    }

    /// Whether it was asked or not, an acknowledgement answers.
    fn acknowledge(&mut self) {
        self.questions = 0;
        let handled = wire(self.start + self.handled);
        let effects = self.server.answered(handled, self.now);
        self.effects(effects);
        assert_eq!(self.confirmed, self.handled);
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply(reply) => self.reply(Some(reply)),
                Effect::Confirmed(stanzas) => self.confirm(&stanzas),
                Effect::Fail(error) => panic!("{error}"),
            }
        }
    }

    fn confirm(&mut self, stanzas: &[Unacknowledged]) {
        for stanza in stanzas {
            self.confirmed += 1;
            let id = stanza.delivery.stanza.id.as_deref();
            assert_eq!(id, Some(&*self.confirmed.to_string()), "in order");
        }
        assert!(self.confirmed <= self.handled, "the client has it");
    }

    fn reply(&mut self, reply: Option<Reply>) {
        match reply {
            None => {}
            Some(Reply::Request) => {
                self.questions += 1;
                assert_eq!(self.questions, 1, "one question at a time");
                self.wire.push_back(OnWire::Request);
            }
            Some(Reply::Answer(told)) => self.tell(told),
            Some(reply) => panic!("{reply:?}"),
        }
    }

    /// The client is told a count: all before the first that is under way.
    fn tell(&mut self, told: u32) {
        let first = self.under_way.iter().min();
        let settled = first.map_or(self.start + self.received, |first| first - 1);
        assert_eq!(told, wire(settled));
        self.told = told;
    }

    fn lose(&mut self, written: bool) {
        self.wire.clear();
        self.questions = 0;
        assert!(self.server.detach(0));
        if written {
            self.server = StreamManagement::from_record(&self.server.to_record()).unwrap();
        }
        let handled = wire(self.start + self.handled);
        if !self.under_way.is_empty() {
            assert!(self.server.resume(handled).is_err(), "it waits");
            for number in self.under_way.drain(..) {
                let _told = self.server.settled(number);
            }
        }
        let resumed = self.server.resume(handled).unwrap();
        self.confirm(&resumed.confirmed);
        assert_eq!(self.confirmed, self.handled);
        match resumed.reply {
            Reply::Resumed { handled, .. } => self.tell(handled),
            reply => panic!("{reply:?}"),
        }
        for delivery in resumed.again {
            let number = delivery.stanza.id.unwrap().parse().unwrap();
            self.wire.push_back(OnWire::Stanza(number));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        match self.server.due(self.now) {
            Due::Nothing => {}
            Due::Ask => self.reply(Some(Reply::Request)),
            Due::Silent => {
                assert_eq!(self.questions, 1, "it was asked");
                self.lose(false);
            }
        }
    }

    /// Everything comes to its end while the connection holds: nothing stays unacknowledged that the store
    /// waits for, and the client that asks is told that all of its stanzas count.
    fn finish(mut self) {
        while let Some(number) = self.under_way.pop() {
            let reply = self.server.settled(number);
            self.reply(reply);
        }
        self.handle(Event::Request);
        assert_eq!(self.told, wire(self.start + self.received));
        self.handle(Event::Send { awaited: true });
        self.handle(Event::Flush);
        while !self.wire.is_empty() {
            self.take();
        }
        self.handle(Event::Pass(10));
        while !self.wire.is_empty() {
            self.take();
        }
        assert_eq!((self.handled, self.confirmed), (self.sent, self.sent));
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<bool>().prop_map(|awaited| Event::Send { awaited }),
        2 => Just(Event::Flush),
        6 => Just(Event::Take),
        1 => Just(Event::Acknowledge),
        3 => Just(Event::Receive),
        1 => Just(Event::Request),
        3 => any::<prop::sample::Index>().prop_map(Event::Settle),
        1 => any::<bool>().prop_map(|written| Event::Lose { written }),
        1 => (0_u64..100).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn every_stanza_is_handled_once_and_in_order_whatever_happens(
        start in prop_oneof![Just(0_u64), (0_u64..20).prop_map(|before| (1 << 32) - before)],
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut play = Play::new(start);
        for event in events {
            play.handle(event);
        }
        play.finish();
    }
}
