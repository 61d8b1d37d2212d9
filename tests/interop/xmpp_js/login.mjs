// SASL2 (XEP-0388) with Bind 2 (XEP-0386), stream management and a token (XEP-0484) in one step.
import assert from "node:assert/strict";
import { person, play } from "./person.mjs";

function success(somebody) {
  return somebody.said.elements.filter((it) => it.is("success", "urn:xmpp:sasl:2")).at(-1);
}

/** Loses its connection, and comes back with the token, in one round trip, to the stream that it had. */
async function in_one_step() {
  const juliet = person("juliet", { resource: "balcony" });
  const address = await juliet.start();
  assert.match(address.toString(), /^juliet@localhost\/balcony\/.+/);
  assert.ok(success(juliet).getChild("bound", "urn:xmpp:bind:0").getChild("enabled", "urn:xmpp:sm:3"));
  assert.ok(success(juliet).getChild("token", "urn:xmpp:fast:0").attrs.token);
  await juliet.ping();

  juliet.said.clear();
  const resumed = new Promise((resolve) => juliet.streamManagement.on("resumed", resolve));
  juliet.socket.end();
  await resumed;
  assert.ok(success(juliet).getChild("resumed", "urn:xmpp:sm:3"));
  assert.ok(success(juliet).getChild("additional-data"), "the server has shown that it knows the token");
  assert.ok(!juliet.said.elements.some((it) => it.is("challenge")), "there was one round trip");
  assert.equal(juliet.jid.toString(), address.toString());
  await juliet.ping();
  await juliet.stop();
}

play({ in_one_step });
