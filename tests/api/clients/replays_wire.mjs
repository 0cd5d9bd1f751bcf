// The wire tests that Cohere's JavaScript client, 8.1.0, carries, asked of North in place of their mock server: each call is made as it stands
// there, and the answer must have every field of the answer that is recorded there. Run by test_wire.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as Cohere from "cohere-ai";

const { NORTH, KEY } = process.env, TESTS = new URL("node_modules/cohere-ai/tests/wire/", import.meta.url);
const REFUSED = [ // what North does not do, by its path or what is sent: the status, and a word of the reason
  ["/v1/generate", 404, "Use POST /v2/chat"], ["/v1/summarize", 404, "Use POST /v2/chat"], ["/v1/classify", 404, "North serves"],
  ["/v2/parse", 404, "North serves"], ["/v1/models ", 400, "page_size must be a whole number"], // the example's is 1.1
  ["image_url", 400, "reads no images"], ["data:image", 400, "images cannot be embedded"],
];
const LEFT_OUT = new Set([ // what is told of Cohere's own service, or by some models alone; a title where `content` was sent
  "contextLength", "title",
  "isExperimental", "warnings", "tokenizerUrl", "samplingDefaults", "features",
]);
const found = [];
let token = KEY, now = {};

class Client extends Cohere.CohereClient {
  constructor(options) { super({ ...options, token, environment: NORTH }); }
}
// The mock server's builder, which only notes what was to come.
const noting = new Proxy({}, { get: (_, name) => (given) => {
  if (["get", "post"].includes(name)) now.path = given;
  if (name === "jsonBody" && !now.status) now.asked = given;
  if (name === "statusCode") now.status = given;
  return noting;
} });
const mockServerPool = { createServer: () => ({ baseUrl: NORTH, mockEndpoint: () => noting }) };

function lacks(expected, actual, place = "answer") {
  if (expected === null || expected === undefined) return [];
  if (expected[0]?.type === "thinking") return []; // which not every model does
  if (typeof expected !== typeof actual || Array.isArray(expected) !== Array.isArray(actual)) return [`${place}: ${JSON.stringify(actual)}`];
  if (Array.isArray(expected)) {
    if (!expected.length) return [];
    return actual.length ? lacks(expected[0], actual[0], `${place}[0]`) : [`${place} is empty`];
  }
  if (typeof expected !== "object") return [];
  return Object.keys(expected).filter((key) => !LEFT_OUT.has(key)).flatMap((key) => lacks(expected[key], actual[key], `${place}.${key}`));
}

// Of a stream: one event of each type, in the order in which the types come first.
const firsts = (events) => Object.fromEntries(events.filter(({ type }) => type !== "tool-plan-delta").map((event) => [event.type, event]).reverse());
const isStream = (some) => Array.isArray(some) && some[0]?.type === "message-start";
const expect = (actual) => ({
  toEqual(expected) {
    found.push([now.name, ...(isStream(expected) ? lacks(firsts(expected), firsts(actual)) : lacks(expected, actual))]);
  },
  rejects: { toThrow: (kind) => assert.rejects(actual, kind, now.name) },
});

const tests = [];
for (const file of ["v2", "main", "models"]) {
  const code = readFileSync(new URL(`${file}.test.ts`, TESTS), "utf8").replace(/^import .*$/gm, "").replaceAll("const events: unknown[]", "const events");
  new Function("Cohere", "CohereClient", "mockServerPool", "describe", "test", "expect", code)(
    Cohere.Cohere, Client, mockServerPool, (_, body) => body(), (name, body) => tests.push([`${file} ${name}`, body]), expect);
}
let refused = 0, strangers = 0;
for (const [name, body] of tests) {
  const status = Number(/statusCode\((\d+)\)/.exec(body)[1]);
  if (status === 401 && !/parse|generate|classify|summarize/.test(name)) {
    [token, now] = ["north_wrong", { name }];
    await body();
    strangers++;
  } else if (status === 200) {
    [token, now] = [KEY, { name }];
    const error = await body().then(() => null, (error) => error);
    const [, code, words] = REFUSED.find(([sign]) => `${now.path} ${JSON.stringify(now.asked ?? "")}`.includes(sign)) ?? [];
    if (!code && error) throw error;
    if (code) {
      assert.deepEqual([error?.statusCode, error?.body.message.includes(words)], [code, true], `${name}: ${error}`);
      refused++;
    }
  }
}
const wrong = found.filter(([, ...gaps]) => gaps.length);
assert.deepEqual(wrong, []);
assert.ok(found.length >= 14 && refused >= 7 && strangers >= 11, `${found.length} answers, ${refused} refused, ${strangers} strangers`);
console.log("all well");
