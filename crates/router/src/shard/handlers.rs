//! The mailbox of a shard.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext, Context, Handler};
use rookery_delivery::SessionId;
use rookery_stanza::Condition;
use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::message::{Loaded, Noted, Replied, Written};
use super::{
    Bind, Binding, CloseAccount, CloseAll, Confirmed, CountSessions, Detached, HomeShard, Hop,
    Resumed, Submit, TICK, Unbind,
};
use crate::account::{self, Input};
use crate::metrics::Mailbox;

/// How soon a hop to a shard whose mailbox was full is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// Messages that are handled at least before the rest of the thread has its turn. Sessions then pass on what
/// came of them, and it does not pile up.
const TURN: usize = 64;

/// Messages that are handled in one turn when so many wait: in each pass a part of them all, so that those
/// who send cannot be faster for long, and wait for their credit before the mailbox is full.
fn turn(waiting: i64) -> usize {
    usize::try_from(waiting / 4).map_or(TURN, |part| part.max(TURN))
}

impl Actor for HomeShard {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // What the store answers is handled on this thread.
        self.scope = self.scope.on(Handle::current());
        context.run_interval(TICK, |shard, context| {
            shard.handle_with(context, |shard| {
                shard.tick();
            });
        });
    }
}

impl HomeShard {
    /// Takes one message out of the mailbox and handles it to its end.
    fn take(&mut self, context: &mut Context<Self>, work: impl FnOnce(&mut Self)) {
        self.metrics.waiting.of(Mailbox::Shard).add(-1);
        self.handle_with(context, work);
    }

    /// Does something to its end.
    fn handle_with(&mut self, context: &mut Context<Self>, work: impl FnOnce(&mut Self)) {
        self.now = self.clock.unix_millis();
        work(self);
        self.finish();
        self.try_again(context);
        self.give_turn(context);
    }

    /// Lets the rest of the thread have its turn when there were many messages: a mailbox is emptied in one
    /// go otherwise.
    fn give_turn(&mut self, context: &mut Context<Self>) {
        self.handled += 1;
        if self.handled >= turn(self.metrics.waiting.of(Mailbox::Shard).get()) {
            self.handled = 0;
            context.wait(wrap_future(yield_now()));
        }
    }

    /// Sees to it that hops which a full mailbox refused are tried again.
    fn try_again(&mut self, context: &mut Context<Self>) {
        if !self.outbox.is_waiting || self.outbox.has_timer {
            return;
        }
        self.outbox.has_timer = true;
        context.run_later(RETRY, |shard, context| {
            shard.outbox.has_timer = false;
            shard.handle_with(context, |_| {});
        });
    }
}

impl Handler<Submit> for HomeShard {
    type Result = ();

    fn handle(&mut self, submit: Submit, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Submit {
                session,
                batch,
                permit,
            } = submit;
            let account = session.jid.bare();
            for stanza in batch {
                let input = Input::Sent {
                    session: session.clone(),
                    stanza,
                };
                shard.input(&account, input, Some(permit.clone()));
            }
        });
    }
}

impl Handler<Hop> for HomeShard {
    type Result = ();

    fn handle(&mut self, hop: Hop, context: &mut Self::Context) {
        self.take(context, |shard| {
            shard.metrics.in_flight.add(-hop.messages());
            for parcel in hop.0 {
                shard.receive(parcel);
            }
        });
    }
}

impl Handler<Bind> for HomeShard {
    type Result = ();

    fn handle(&mut self, bind: Bind, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Bind { request, answer } = bind;
            let Some(random) = random_resource() else {
                let error = Condition::InternalServerError.into();
                return drop(answer.send(Err(rookery_delivery::BindRefused(error))));
            };
            shard.binding.insert(
                request.session,
                Binding {
                    port: request.port,
                    answer,
                    early: Vec::new(),
                },
            );
            let bind = account::Bind {
                session: request.session,
                resource: request.resource,
                random,
                terms: request.terms,
            };
            shard.input(&request.account, Input::Bind(bind), None);
        });
    }
}

impl Handler<Unbind> for HomeShard {
    type Result = ();

    fn handle(&mut self, unbind: Unbind, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Unbind {
                session,
                undelivered,
            } = unbind;
            let account = session.jid.bare();
            shard.input(
                &account,
                Input::Unbound {
                    session,
                    undelivered,
                },
                None,
            );
        });
    }
}

impl Handler<Detached> for HomeShard {
    type Result = ();

    fn handle(&mut self, detached: Detached, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Detached { session, waiting } = detached;
            let account = session.jid.bare();
            let session = session.id;
            shard.input(&account, Input::Detached { session, waiting }, None);
        });
    }
}

impl Handler<Resumed> for HomeShard {
    type Result = ();

    fn handle(&mut self, resumed: Resumed, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Resumed(session) = resumed;
            shard.input(&session.jid.bare(), Input::Resumed(session.id), None);
        });
    }
}

impl Handler<Confirmed> for HomeShard {
    type Result = ();

    fn handle(&mut self, confirmed: Confirmed, context: &mut Self::Context) {
        self.take(context, |shard| {
            let Confirmed { session, rows } = confirmed;
            let input = Input::Confirmed {
                session: session.id,
                rows,
            };
            shard.input(&session.jid.bare(), input, None);
        });
    }
}

impl Handler<Noted> for HomeShard {
    type Result = ();

    fn handle(&mut self, noted: Noted, context: &mut Self::Context) {
        self.take(context, |shard| shard.noted(noted));
    }
}

impl Handler<Loaded> for HomeShard {
    type Result = ();

    fn handle(&mut self, loaded: Loaded, context: &mut Self::Context) {
        self.take(context, |shard| shard.loaded(loaded));
    }
}

impl Handler<Written> for HomeShard {
    type Result = ();

    fn handle(&mut self, written: Written, context: &mut Self::Context) {
        self.take(context, |shard| shard.written(written));
    }
}

impl Handler<Replied> for HomeShard {
    type Result = ();

    fn handle(&mut self, replied: Replied, context: &mut Self::Context) {
        self.take(context, |shard| shard.replied(replied));
    }
}

impl Handler<CloseAll> for HomeShard {
    type Result = ();

    fn handle(&mut self, close: CloseAll, _: &mut Self::Context) {
        let waiting = self.binding.keys();
        let sessions: Vec<SessionId> = self.ports.keys().chain(waiting).copied().collect();
        for session in sessions {
            self.close(session, close.0);
        }
    }
}

impl Handler<CloseAccount> for HomeShard {
    type Result = ();

    fn handle(&mut self, close: CloseAccount, _: &mut Self::Context) {
        self.metrics.waiting.of(Mailbox::Shard).add(-1);
        let CloseAccount(account, reason) = close;
        self.close_account(&account, reason);
    }
}

impl Handler<CountSessions> for HomeShard {
    type Result = usize;

    fn handle(&mut self, _: CountSessions, _: &mut Self::Context) -> usize {
        self.measure();
        self.ports.len()
    }
}

/// A resource that nobody can guess: 128 random bits (RFC 6120 §7.5, §7.6).
fn random_resource() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{TURN, turn};

    #[test]
    fn a_turn_is_the_longer_the_more_messages_wait() {
        assert_eq!(turn(0), TURN);
        assert_eq!(turn(-1), TURN);
        assert_eq!(turn(4_000), 1_000);
    }
}
