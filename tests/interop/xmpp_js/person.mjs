// A person with xmpp.js as the client, who waits for what must come. The server's address and where the library is
// installed come from the environment; whom Node.js trusts, too (NODE_EXTRA_CA_CERTS).
import assert from "node:assert/strict";

const { client, xml } = await import(process.env.TEST_XMPP_JS);
export { xml };

/** How long anything may take, in milliseconds. */
const PATIENCE = 30_000;

/** What the server has said to somebody, in order. */
class Said {
  elements = [];
  #waiting = [];

  push(element) {
    this.elements.push(element);
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => !matches(element) || resolve(element));
  }

  /** The first element that matches, of those that came and those to come. */
  until(what, matches) {
    const found = this.elements.find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ matches, resolve });
      setTimeout(() => reject(new Error(`no ${what}`)), PATIENCE).unref();
    });
  }

  clear() {
    this.elements = [];
  }
}

/** Somebody who is not connected yet. */
export function person(username, options = {}) {
  const somebody = client({
    service: process.env.TEST_SERVICE,
    domain: "localhost",
    username,
    password: process.env.TEST_PASSWORD,
    ...options,
  });
  const said = new Said();
  somebody.on("element", (element) => said.push(element));
  somebody.on("error", () => {});

  /** The message with this body. */
  const hear = (body) => said.until(body, (it) => it.is("message") && it.getChildText("body") === body);
  const tell = (to, body) => somebody.send(xml("message", { to, type: "chat" }, xml("body", {}, body)));
  const request = (type, to, payload) => somebody.iqCaller.request(xml("iq", { type, to }, payload));
  /** Logs in and is available. */
  const arrive = async () => {
    const address = await somebody.start();
    await somebody.send(xml("presence"));
    await said.until("own presence", (it) => it.is("presence") && it.attrs.from === address.toString());
    return address;
  };
  const ping = async () => {
    const reply = await request("get", "localhost", xml("ping", "urn:xmpp:ping"));
    assert.equal(reply.attrs.type, "result");
  };
  return Object.assign(somebody, { said, hear, tell, request, arrive, ping });
}

/** Plays a scene to its end, and ends the process with what came of it. */
export async function play(scenes) {
  const [name, ...rest] = process.argv.slice(2);
  try {
    await scenes[name](...rest);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  console.log("all went well");
  process.exit(0);
}
