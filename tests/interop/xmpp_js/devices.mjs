// What phones need: carbons (XEP-0280), a stream that outlives the client's process (XEP-0198), push (XEP-0357).
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { person, play, xml } from "./person.mjs";

const JULIET = "juliet@localhost";
const COUNT = 40;
const numbered = (number) => `message ${number}`;

/** What another device of the account sends and receives is seen on this one. */
async function carbons() {
  const [romeo, phone, laptop] = [person("romeo"), person("juliet"), person("juliet")];
  await romeo.arrive();
  const address = await phone.arrive();
  await laptop.arrive();
  await laptop.request("set", undefined, xml("enable", "urn:xmpp:carbons:2"));

  const copied = async (kind, body) => {
    const wrapped = (it) =>
      it.getChild(kind, "urn:xmpp:carbons:2")?.getChild("forwarded", "urn:xmpp:forward:0")?.getChild("message");
    const carbon = await laptop.said.until(`${kind} ${body}`, (it) => wrapped(it)?.getChildText("body") === body);
    assert.equal(carbon.attrs.from, JULIET);
    return wrapped(carbon);
  };
  await phone.tell("romeo@localhost", "Wherefore art thou?");
  await romeo.hear("Wherefore art thou?");
  assert.equal((await copied("sent", "Wherefore art thou?")).attrs.from, address.toString());
  await romeo.tell(address.toString(), "Here.");
  const heard = await phone.hear("Here.");
  const copy = await copied("received", "Here.");
  const id = (message) => message.getChild("stanza-id", "urn:xmpp:sid:0").attrs.id;
  assert.equal(id(copy), id(heard));

  // What is private stays where it is (XEP-0280 §8).
  const marks = [xml("private", "urn:xmpp:carbons:2"), xml("no-copy", "urn:xmpp:hints")];
  const to = address.toString();
  await romeo.send(xml("message", { to, type: "chat" }, xml("body", {}, "Psst."), ...marks));
  await phone.hear("Psst.");
  await romeo.tell(address.toString(), "Good night.");
  await copied("received", "Good night.");
  assert.ok(!laptop.said.elements.some((it) => it.toString().includes("Psst.")));
  await Promise.all([romeo, phone, laptop].map((somebody) => somebody.stop()));
}

/** The same device in another process: with its agent, its token, and its stream. */
async function device(notes) {
  const kept = JSON.parse(readFileSync(notes, "utf8"));
  const juliet = person("juliet", {
    resource: "phone",
    userAgent: xml("user-agent", { id: "d4565fa7-4d72-4749-b3d3-740edbf87770" }),
  });
  const stream = juliet.streamManagement;
  juliet.fast.fetchToken = async () => kept.token;
  juliet.fast.saveToken = async (token) => {
    kept.token = token;
  };
  Object.assign(stream, kept.stream);
  juliet.on("stanza", (stanza) => {
    const body = stanza.is("message") && stanza.getChildText("body");
    if (body) kept.heard.push(body);
    const { id, inbound, outbound } = stream;
    kept.stream = { id, inbound, outbound };
    writeFileSync(notes, JSON.stringify(kept));
    // In the middle of what comes, without a word.
    if (kept.heard.length === COUNT / 4 && kept.lives === 1) process.kill(process.pid, "SIGKILL");
    if (kept.heard.length === COUNT) process.send(kept);
  });
  kept.lives += 1;
  if (kept.lives === 1) {
    await juliet.arrive();
    return process.send("arrived");
  }
  const resumed = once(stream, "resumed");
  await juliet.start();
  await resumed;
}

/** A process is killed, and the next one takes its stream up again: nothing is lost, nothing comes twice. */
async function killed(notes) {
  writeFileSync(notes, JSON.stringify({ lives: 0, heard: [] }));
  const live = () => fork(fileURLToPath(import.meta.url), ["device", notes]);
  const romeo = person("romeo");
  await romeo.start();
  const first = live();
  assert.deepEqual(await once(first, "message"), ["arrived", undefined]);
  const death = once(first, "exit");
  for (let number = 0; number < COUNT / 2; number++) await romeo.tell(JULIET, numbered(number));
  assert.deepEqual(await death, [null, "SIGKILL"]);
  for (let number = COUNT / 2; number < COUNT; number++) await romeo.tell(JULIET, numbered(number));
  const second = live();
  const [kept] = await once(second, "message");
  assert.deepEqual(kept.heard, Array.from({ length: COUNT }, (_, number) => numbered(number)));
  second.kill("SIGKILL");
  await romeo.stop();
}

/** Is called by its app server when it is away. What the server was told is looked at there. */
async function push() {
  const juliet = person("juliet");
  await juliet.arrive();
  const info = await juliet.request("get", JULIET, xml("query", "http://jabber.org/protocol/disco#info"));
  assert.ok(info.toString().includes('var="urn:xmpp:push:0"'), info.toString());
  const field = (name, value) => xml("field", { var: name }, xml("value", {}, value));
  const options = "http://jabber.org/protocol/pubsub#publish-options";
  const form = xml("x", { xmlns: "jabber:x:data", type: "submit" }, field("FORM_TYPE", options), field("secret", "s3"));
  const enable = xml("enable", { xmlns: "urn:xmpp:push:0", jid: "echo.localhost", node: "xyz" }, form);
  await juliet.request("set", undefined, enable);
  await juliet.stop();

  const romeo = person("romeo");
  await romeo.start();
  await romeo.tell(JULIET, "Not here?");
  await romeo.ping();
  await romeo.stop();
}

const held = async (notes) => {
  await device(notes);
  // Until it is killed.
  await new Promise((resolve) => setTimeout(resolve, 60_000));
};
play({ carbons, killed, device: held, push });
