// What programs do with Cohere's JavaScript client, 8.1.0; run by test_clients.py.
import assert from "node:assert/strict";
import { CohereClient, CohereClientV2, CohereError } from "cohere-ai";

const environment = process.env.NORTH, token = process.env.KEY;
const v2 = new CohereClientV2({ environment, token }), v1 = new CohereClient({ environment, token });
const ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall.";
const model = "command-a", messages = [{ role: "user", content: "Where do they live?" }];
const documents = [{ id: "home", data: { title: "Penguin habitats", snippet: "Emperor penguins only live in Antarctica." } }];
const parameters = { type: "object", properties: { day: { type: "string" } }, required: ["day"] };
const tools = [{ type: "function", function: { name: "sales", description: "d", parameters } }];
const all = async (stream) => { const found = []; for await (const event of stream) found.push(event); return found; };

const embedded = await v2.embed({ model: "embed-v4.0", inputType: "search_document", texts: ["hello"], embeddingTypes: ["float", "int8"] });
assert.equal(embedded.embeddings.float[0].length, 384);
assert.equal((await v1.embed({ texts: ["a"], model: "embed", inputType: "search_query" })).responseType, "embeddings_floats");
const ranked = await v2.rerank({ model: "rerank-v3.5", query: "leave", documents: ["noon", "leave"], topN: 1 });
assert.equal(ranked.results.length, 1);
assert.ok((await v1.rerank({ model: "rerank", query: "x", documents: [{ text: "a" }], returnDocuments: true })).results[0].document.text);
assert.equal((await v1.tokenize({ text: "tokenize me! :D", model: "embed" })).tokenStrings.join(""), "tokenize me! :D");
assert.ok((await v1.models.list()).models.length >= 4);
assert.equal((await v1.models.get("embed-v4.0")).endpoints[0], "embed");
assert.equal((await v1.checkApiKey()).valid, true);

const whole = await v2.chat({ model, messages, documents });
assert.equal(whole.message.content[0].text, ANSWER);
const { start, end, text, sources } = whole.message.citations[0];
assert.equal(ANSWER.slice(start, end), text);
assert.equal(sources[0].id, "home");
const events = await all(await v2.chatStream({ model, messages, documents }));
const order = events.map((event) => event.type).filter((type) => type !== "content-delta");
assert.deepEqual(order, ["message-start", "content-start", "citation-start", "citation-end", "content-end", "message-end"]);
assert.equal(events.filter((one) => one.type === "content-delta").map((one) => one.delta.message.content.text).join(""), ANSWER);
const called = await v2.chat({ model, messages, tools });
assert.deepEqual(JSON.parse(called.message.toolCalls[0].function.arguments), { day: "Friday" });
const result = { role: "tool", toolCallId: called.message.toolCalls[0].id, content: [{ type: "document", document: { data: { sold: 120 } } }] };
const told = await v2.chat({ model, messages: [...messages, called.message, result], tools });
assert.equal(told.message.content[0].text, "On Friday 120 were sold.");
const odd = await all(await v2.chatStream({ model, messages: [{ role: "user", content: "Say the odd words." }] }));
assert.equal(odd.at(-1).type, "message-end");
assert.equal(odd.filter((one) => one.type === "content-delta").map((one) => one.delta.message.content.text).join(""), "[DONE] data: x\u2028y ü");

const first = await v1.chat({ message: "Where do they live?", documents: [{ text: "Emperor penguins only live in Antarctica." }] });
assert.deepEqual(first.citations[0].documentIds, ["doc_0"]);
const lines = await all(await v1.chatStream({ message: "Say the odd words. \u2028", model }));
assert.equal(lines.at(-1).eventType, "stream-end");
assert.equal(lines.at(-1).response.text, "[DONE] data: x\u2028y ü");

const refused = async (status, call) => assert.rejects(call, (error) => error instanceof CohereError && error.statusCode === status && !!error.body.message);
await refused(401, () => new CohereClientV2({ environment, token: "north_wrong" }).chat({ model, messages }));
await refused(404, () => v2.chat({ model: "nobody", messages }));
await refused(400, () => v2.chat({ model, messages: [] }));
await refused(429, () => v2.chat({ model, messages: [{ role: "user", content: "Be busy." }] }, { maxRetries: 0 }));
await refused(404, () => v1.datasets.list());
console.log("all well");
