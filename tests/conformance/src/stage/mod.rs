//! Plays a scene.

mod exit;
mod quiet;

use std::collections::BTreeMap;

use rookery_testkit::{Client, ClientError, Server, Trust};
use rookery_xml::Element;

use crate::actor::{Actor, Attention, Heard, written};
use crate::authorities::Authorities;
use crate::expectation;
use crate::mishap::{Failure, Mishap};
use crate::scene::{Action, Certificate, Manner, Role, Scene, Step};
use crate::speech::{self, Names, Variables};

const HOST: &str = "localhost";
/// Every id of the stage's own begins with this.
const STAGE: &str = "stage-";
/// Where one scene is played.
#[derive(Debug)]
pub struct Stage<'a> {
    server: &'a Server,
    trust: &'a Trust,
    authorities: Option<&'a Authorities>,
    names: Names,
    actors: BTreeMap<String, Actor>,
    variables: Variables,
    round: usize,
}

// === impl Stage ===

impl<'a> Stage<'a> {
    /// An empty stage. The accounts of the scene exist on the server, with `suffix` behind their names.
    pub fn new(server: &'a Server, trust: &'a Trust, accounts: &[String], suffix: &str) -> Self {
        Self {
            server,
            trust,
            authorities: None,
            names: Names {
                accounts: accounts.to_vec(),
                suffix: suffix.to_owned(),
            },
            actors: BTreeMap::new(),
            variables: Variables::new(),
            round: 0,
        }
    }

    /// Lets clients show certificates.
    pub(crate) fn certify(&mut self, authorities: &'a Authorities) {
        self.authorities = Some(authorities);
    }

    /// Plays all steps, and then looks whether anybody has received what was not mentioned.
    pub async fn play(&mut self, scene: &Scene) -> Result<(), Failure> {
        for step in &scene.steps {
            self.step(step).await.map_err(|mishap| Failure {
                line: step.line,
                actor: step.actor.clone(),
                mishap,
            })?;
        }
        let names: Vec<_> = self.actors.keys().cloned().collect();
        let failed = |actor: &str, mishap| Failure {
            line: 0,
            actor: actor.to_owned(),
            mishap,
        };
        self.everybody_asks()
            .await
            .map_err(|mishap| failed("all", mishap))?;
        for name in names {
            self.nothing_unread(&name)
                .map_err(|mishap| failed(&name, mishap))?;
        }
        Ok(())
    }

    /// A text with the names that the script uses.
    pub fn restore(&self, text: &str) -> String {
        self.names.restore(text)
    }

    async fn step(&mut self, step: &Step) -> Result<(), Mishap> {
        let name = step.actor.as_str();
        match &step.action {
            Action::Appear(role) => self.appear(name, role).await,
            Action::Send(text) => {
                let bytes = speech::spoken(text, &self.names, &self.variables);
                self.say(name, &bytes.map_err(Mishap::Script)?).await
            }
            Action::Receive(manner, text) => self.receive(name, *manner, text).await,
            Action::ReceiveNothing => {
                self.everybody_asks().await?;
                self.nothing_unread(name)
            }
            Action::TakeWhateverComes => {
                self.everybody_asks().await?;
                self.actor(name)?.unread();
                Ok(())
            }
            Action::BecomeAvailable => self.become_available(name).await,
            Action::RequestRoster => self.request_roster(name).await,
            Action::Befriend(other) => self.befriend(name, other).await,
            Action::OpenStream | Action::StartTls | Action::Authenticate(_) | Action::Bind(_) => {
                self.negotiate(name, &step.action).await
            }
            _ => self.end(name, &step.action).await,
        }
    }

    fn actor(&mut self, name: &str) -> Result<&mut Actor, Mishap> {
        let absent = || Mishap::Script(format!("{name} is not on stage"));
        self.actors.get_mut(name).ok_or_else(absent)
    }

    /// The localpart of an actor's account on the server.
    fn local(&mut self, name: &str) -> Result<String, Mishap> {
        let local = match &self.actor(name)?.role {
            Role::Account { local } | Role::Client { local, .. } => local.clone(),
            Role::Connection { .. } | Role::Certified(_) => {
                return Err(Mishap::Script(format!("{name} has no account")));
            }
        };
        Ok(self.names.local(&local))
    }

    async fn say(&mut self, name: &str, bytes: &[u8]) -> Result<(), Mishap> {
        self.actor(name)?.say(bytes).await
    }

    async fn appear(&mut self, name: &str, role: &Role) -> Result<(), Mishap> {
        let client = match role {
            Role::Account { .. } => None,
            Role::Client { local, resource } => {
                let local = self.names.local(local);
                Some(self.log_in(&local, resource).await?)
            }
            Role::Connection { tls: false } => Some(Client::connect(self.server.c2s).await?),
            Role::Connection { tls: true } => {
                Some(Client::connect_tls(self.server.c2s_tls, self.trust, HOST).await?)
            }
            Role::Certified(certificate) => {
                let trust = self.certified(certificate)?;
                Some(Client::connect_tls(self.server.c2s_tls, &trust, HOST).await?)
            }
        };
        let actor = Actor::new(role.clone(), client);
        self.actors.insert(name.to_owned(), actor);
        Ok(())
    }

    /// A client that shows a certificate.
    fn certified(&self, certificate: &Certificate) -> Result<Trust, Mishap> {
        let owners = certificate.owners.iter();
        let owners = owners.map(|local| format!("{}@{HOST}", self.names.local(local)));
        let authorities = self.authorities.ok_or_else(|| {
            Mishap::Script("the server needs `client_ca = \"{authority}\"`".to_owned())
        })?;
        let issued = authorities.issue(certificate.nature, &owners.collect::<Vec<_>>());
        let issued = issued.map_err(|error| Mishap::Script(error.to_string()))?;
        Ok(self.server.trust_with(&issued)?)
    }

    async fn log_in(&self, local: &str, resource: &str) -> Result<Client, Mishap> {
        let account = (local, HOST);
        let (address, password) = (self.server.c2s, Server::PASSWORD);
        Ok(Client::log_in(address, self.trust, account, password, resource).await?)
    }

    async fn negotiate(&mut self, name: &str, action: &Action) -> Result<(), Mishap> {
        let trust = self.trust;
        let local = match action {
            Action::Authenticate(other) => self.local(other)?,
            _ => String::new(),
        };
        let client = self.actor(name)?.client()?;
        match action {
            Action::OpenStream => drop(client.open(HOST).await?),
            Action::StartTls => client.start_tls(trust, HOST).await?,
            Action::Bind(resource) => client.bind(resource).await?,
            _ => client.authenticate(&local, Server::PASSWORD).await?,
        }
        let fresh = matches!(action, Action::StartTls | Action::Authenticate(_));
        self.actor(name)?.expect_header(fresh);
        Ok(())
    }

    async fn receive(&mut self, name: &str, manner: Manner, text: &str) -> Result<(), Mishap> {
        let expected = speech::expected(text, &self.names).map_err(Mishap::Script)?;
        if manner == Manner::Verbatim {
            return self.receive_bytes(name, &expected).await;
        }
        let mut elements = expectation::parse(&expected)
            .map_err(|error| Mishap::Script(format!("what is expected: {error}")))?;
        while !elements.is_empty() {
            let heard = self.actor(name)?.hear().await;
            let heard = heard.map_err(|mishap| expecting(&elements, mishap))?;
            let candidates = match manner {
                Manner::InAnyOrder => elements.as_slice(),
                _ => elements.get(..1).unwrap_or_default(),
            };
            let at = find(
                candidates,
                &heard,
                manner == Manner::Exactly,
                &mut self.variables,
            )?;
            elements.remove(at);
        }
        Ok(())
    }

    async fn receive_bytes(&mut self, name: &str, expected: &str) -> Result<(), Mishap> {
        let heard = self.actor(name)?.hear().await?;
        let received = match &heard {
            Heard::Element(_, raw) => String::from_utf8_lossy(raw).into_owned(),
            other => other.text(),
        };
        if received.contains(expected) {
            return Ok(());
        }
        Err(Mishap::Different {
            expected: expected.to_owned(),
            received,
            because: "these bytes do not occur".to_owned(),
        })
    }

    fn nothing_unread(&mut self, name: &str) -> Result<(), Mishap> {
        let unread = self.actor(name)?.unread();
        match unread.front() {
            Some(heard) => Err(Mishap::Unmentioned(heard.text())),
            None => Ok(()),
        }
    }

    async fn become_available(&mut self, name: &str) -> Result<(), Mishap> {
        self.say(name, b"<presence/>").await?;
        let actor = self.actor(name)?;
        let jid = actor.jid().map(str::to_owned);
        actor
            .listen_for(|element| {
                let is_own = element.is("presence", "jabber:client")
                    && element.attribute("from") == jid.as_deref();
                if is_own {
                    Attention::Done
                } else {
                    Attention::Keep
                }
            })
            .await
    }

    async fn request_roster(&mut self, name: &str) -> Result<(), Mishap> {
        let id = format!("{STAGE}roster");
        let request = format!("<iq type='get' id='{id}'><query xmlns='jabber:iq:roster'/></iq>");
        self.say(name, request.as_bytes()).await?;
        let is_answer = |element: &Element| match element.attribute("id") {
            Some(found) if found == id => Attention::Done,
            _ => Attention::Keep,
        };
        self.actor(name)?.listen_for(is_answer).await
    }

    /// Both subscribe and approve. What they receive of it is not shown.
    async fn befriend(&mut self, one: &str, other: &str) -> Result<(), Mishap> {
        for (from, to) in [(one, other), (other, one)] {
            for (from, to, kind) in [(from, to, "subscribe"), (to, from, "subscribed")] {
                let to = self.local(to)?;
                let presence = format!("<presence type='{kind}' to='{to}@{HOST}'/>");
                self.say(from, presence.as_bytes()).await?;
                self.everybody_asks().await?;
            }
        }
        for name in [one, other] {
            self.actor(name)?.unread();
        }
        Ok(())
    }
}

/// Which of the expected elements this is.
fn find(
    candidates: &[Element],
    heard: &Heard,
    exactly: bool,
    variables: &mut Variables,
) -> Result<usize, Mishap> {
    let mut reasons = Vec::new();
    if let Heard::Element(element, _) = heard {
        for (at, candidate) in candidates.iter().enumerate() {
            let mut noticed = variables.clone();
            match expectation::compare(candidate, element, exactly, &mut noticed) {
                Ok(()) => {
                    *variables = noticed;
                    return Ok(at);
                }
                Err(because) => reasons.push(because),
            }
        }
    }
    let expected: Vec<_> = candidates.iter().map(written).collect();
    Err(Mishap::Different {
        expected: expected.join("\n        or: "),
        received: heard.text(),
        because: reasons.join("; "),
    })
}

/// Tells what was expected when nothing came.
fn expecting(elements: &[Element], mishap: Mishap) -> Mishap {
    match (mishap, elements.first()) {
        (Mishap::Client(ClientError::Silence), Some(expected)) => Mishap::Different {
            expected: written(expected),
            received: "nothing".to_owned(),
            because: "nothing came in time".to_owned(),
        },
        (mishap, _) => mishap,
    }
}

fn different(expected: &str, heard: &Heard) -> Mishap {
    Mishap::Different {
        expected: expected.to_owned(),
        received: heard.text(),
        because: "something else came".to_owned(),
    }
}
