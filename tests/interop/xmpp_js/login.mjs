// Logs in by SASL2 with a resource, stream management and a token; loses the connection and comes back with the token,
// in one step, to the stream that it had.
import assert from "node:assert/strict";
import { client, xml } from "@xmpp/client";

const [service, username, password] = process.argv.slice(2);
const juliet = client({ service, domain: "localhost", username, password, resource: "balcony" });

const said = [];
juliet.on("element", (element) => said.push(element));
juliet.on("error", () => {});

async function ping() {
  const payload = xml("ping", "urn:xmpp:ping");
  const reply = await juliet.iqCaller.request(xml("iq", { type: "get", to: "localhost" }, payload));
  assert.equal(reply.attrs.type, "result");
}

function success() {
  return said.filter((element) => element.is("success", "urn:xmpp:sasl:2")).at(-1);
}

const address = await juliet.start();
assert.match(address.toString(), /^juliet@localhost\/balcony\/.+/);
assert.ok(success().getChild("bound", "urn:xmpp:bind:0").getChild("enabled", "urn:xmpp:sm:3"));
assert.ok(success().getChild("token", "urn:xmpp:fast:0").attrs.token);
await ping();

said.length = 0;
const resumed = new Promise((resolve) => juliet.streamManagement.on("resumed", resolve));
juliet.socket.end();
await resumed;
assert.ok(success().getChild("resumed", "urn:xmpp:sm:3"));
assert.ok(success().getChild("additional-data"), "the server has shown that it knows the token");
assert.ok(!said.some((element) => element.is("challenge")), "there was one round trip");
assert.equal(juliet.jid.toString(), address.toString());
await ping();

await juliet.stop();
console.log("all went well");
process.exit(0);
