//! Commands about nodes: who belongs to the cluster, whose process runs, and what is spoken.

use std::sync::Arc;

use crate::command::{Answer, Command, Event, Refusal};
use crate::members::{Incarnation, Member, MemberId, Members, Run, Standing, VersionRange};

/// The first node: the log has no entries of commands at such low indices, so no other node gets this id.
const FOUNDER: MemberId = MemberId(1);

/// Carries out a command that is about nodes.
pub(crate) fn carry_out(
    members: &mut Members,
    index: u64,
    command: Command,
    events: &mut Vec<Event>,
) -> Answer {
    match command {
        Command::Found {
            admission,
            address,
            versions,
        } => match members.get(FOUNDER).map(|founder| founder.admission) {
            Some(known) if known != admission => Answer::Refused(Refusal::Founded),
            None if !members.is_empty() => Answer::Refused(Refusal::Founded),
            _ => admit(members, FOUNDER.0, admission, address, versions),
        },
        Command::Admit {
            admission,
            address,
            versions,
        } => admit(members, index, admission, address, versions),
        Command::Register {
            member,
            nonce,
            address,
            versions,
        } => register(members, member, nonce, (address, versions), events),
        Command::Serve(member) => stand(members, member, Standing::Serving, events),
        Command::Drain(member) => stand(members, member, Standing::Draining, events),
        Command::Down(run) => {
            if members.end(run) {
                events.extend([Event::Down(run), Event::Members]);
            }
            Answer::Done
        }
        Command::Remove(member) => remove(members, member, events),
        Command::Finalize(version) => finalize(members, version),
        Command::Batch { .. } => Answer::Refused(Refusal::NoRun),
    }
}

fn admit(
    members: &mut Members,
    index: u64,
    admission: u64,
    address: Arc<str>,
    versions: VersionRange,
) -> Answer {
    let asked = members
        .iter()
        .find(|(_, member)| member.admission == admission);
    if let Some((id, _)) = asked {
        return Answer::Admitted(id);
    }
    if let Some(refusal) = unspoken(members, versions) {
        return Answer::Refused(refusal);
    }
    let member = Member {
        admission,
        address,
        versions,
        standing: Standing::Joining,
        run: None,
    };
    members.all.insert(MemberId(index), member);
    Answer::Admitted(MemberId(index))
}

fn register(
    members: &mut Members,
    id: MemberId,
    nonce: u64,
    (address, versions): (Arc<str>, VersionRange),
    events: &mut Vec<Event>,
) -> Answer {
    let Some(before) = members.get(id).map(|member| member.run) else {
        return Answer::Refused(Refusal::NoMember);
    };
    if let Some(run) = before.filter(|run| run.nonce == nonce) {
        return Answer::Registered(run.incarnation);
    }
    if let Some(refusal) = unspoken(members, versions) {
        return Answer::Refused(refusal);
    }
    if let Some(run) = before {
        members.end(run.incarnation);
        events.push(Event::Down(run.incarnation));
    }
    members.last += 1;
    let incarnation = Incarnation(members.last);
    members.runs.insert(incarnation, id);
    if members.version == 0 {
        members.version = versions.max;
    }
    if let Some(member) = members.all.get_mut(&id) {
        member.address = address;
        member.versions = versions;
        member.standing = Standing::Joining;
        member.run = Some(Run { incarnation, nonce });
    }
    events.extend([Event::Up(incarnation), Event::Members]);
    Answer::Registered(incarnation)
}

fn unspoken(members: &Members, VersionRange { min, max }: VersionRange) -> Option<Refusal> {
    let active = members.version;
    let speaks = active == 0 || VersionRange { min, max }.contains(active);
    (!speaks).then_some(Refusal::Version { active, min, max })
}

fn stand(
    members: &mut Members,
    id: MemberId,
    standing: Standing,
    events: &mut Vec<Event>,
) -> Answer {
    let Some(member) = members.all.get_mut(&id) else {
        return Answer::Refused(Refusal::NoMember);
    };
    if std::mem::replace(&mut member.standing, standing) != standing {
        events.push(Event::Members);
    }
    Answer::Done
}

fn remove(members: &mut Members, id: MemberId, events: &mut Vec<Event>) -> Answer {
    if members.run(id).is_some() {
        return Answer::Refused(Refusal::Running);
    }
    if members.all.remove(&id).is_some() {
        events.push(Event::Members);
    }
    Answer::Done
}

/// A version that one of the nodes does not speak is refused: that node could not read the next entry.
fn finalize(members: &mut Members, version: u32) -> Answer {
    let unable = members
        .iter()
        .map(|(_, member)| member.versions)
        .find(|range| !range.contains(version));
    if let Some(VersionRange { min, max }) = unable {
        let active = members.version;
        return Answer::Refused(Refusal::Version { active, min, max });
    }
    members.version = members.version.max(version);
    Answer::Done
}
