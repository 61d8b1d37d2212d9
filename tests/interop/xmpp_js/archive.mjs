// The archive (XEP-0313), page by page (XEP-0059).
import assert from "node:assert/strict";
import { person, play, xml } from "./person.mjs";

const MAM = "urn:xmpp:mam:2";
const RSM = "http://jabber.org/protocol/rsm";
const COUNT = 25;
const bodies = (from, to) => Array.from({ length: to - from }, (_, index) => `line ${from + index} 🌹`);

/** A page: what it holds, and what is said of it. */
async function page(somebody, filters, ...set) {
  somebody.said.clear();
  const field = ([name, value]) => xml("field", { var: name }, xml("value", {}, value));
  const form = xml("x", { xmlns: "jabber:x:data", type: "submit" }, ...Object.entries(filters).map(field));
  const query = xml("query", { xmlns: MAM, queryid: "q" }, form, xml("set", RSM, ...set));
  const reply = await somebody.request("set", undefined, query);
  const results = somebody.said.elements
    .map((it) => it.is("message") && it.getChild("result", MAM))
    .filter((it) => it && it.attrs.queryid === "q");
  const forwarded = results.map((it) => it.getChild("forwarded", "urn:xmpp:forward:0"));
  assert.ok(forwarded.every((it) => it.getChild("delay", "urn:xmpp:delay").attrs.stamp));
  const fin = reply.getChild("fin", MAM);
  return {
    bodies: forwarded.map((it) => it.getChild("message").getChildText("body")),
    ids: results.map((it) => it.attrs.id),
    complete: fin.attrs.complete === "true",
    last: fin.getChild("set", RSM).getChildText("last"),
    first: fin.getChild("set", RSM).getChildText("first"),
  };
}

async function pages() {
  const [romeo, juliet] = [person("romeo"), person("juliet")];
  await romeo.start();
  await juliet.arrive();
  const form = { FORM_TYPE: MAM, with: "romeo@localhost" };
  for (const body of bodies(0, COUNT)) await romeo.tell("juliet@localhost", body);
  const last = await juliet.hear(bodies(0, COUNT).at(-1));
  // Of somebody else, and in no page.
  await juliet.tell("juliet@localhost", "a note");
  await juliet.hear("a note");

  const ten = xml("max", {}, "10");
  let found = await page(juliet, form, ten);
  assert.deepEqual([found.bodies, found.complete], [bodies(0, 10), false]);
  found = await page(juliet, form, ten, xml("after", {}, found.last));
  assert.deepEqual([found.bodies, found.complete], [bodies(10, 20), false]);
  found = await page(juliet, form, ten, xml("after", {}, found.last));
  assert.deepEqual([found.bodies, found.complete], [bodies(20, COUNT), true]);
  // What came live and what is found later have one id (XEP-0359).
  assert.equal(found.ids.at(-1), last.getChild("stanza-id", "urn:xmpp:sid:0").attrs.id);

  found = await page(juliet, form, ten, xml("before"));
  assert.deepEqual([found.bodies, found.complete], [bodies(15, COUNT), false]);
  found = await page(juliet, form, xml("max", {}, "15"), xml("before", {}, found.first));
  assert.deepEqual([found.bodies, found.complete], [bodies(0, 15), true]);

  // The other side has them as well.
  found = await page(romeo, { FORM_TYPE: MAM, with: "juliet@localhost" }, xml("max", {}, "100"));
  assert.deepEqual([found.bodies, found.complete], [bodies(0, COUNT), true]);
  await Promise.all([romeo.stop(), juliet.stop()]);
}

play({ pages });
