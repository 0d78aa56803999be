// SPDX-License-Identifier: Apache-2.0
// The official @anthropic-ai/sdk reads what weir's codec wrote for it: each
// line of the file named by FRAMES is served once as a stream and once whole,
// and must give the text, calls and usage that the line says.
import http from "node:http";
import fs from "node:fs";
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";

const lines = fs.readFileSync(process.env.FRAMES, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l));
let line; // what is served now

const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
        const stream = JSON.parse(body).stream;
        if (stream) {
            response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
            for (let i = 0; i < line.frames.length; i += 1021) response.write(line.frames.slice(i, i + 1021));
            response.end();
        } else {
            response.writeHead(line.status || 200, { "content-type": "application/json" });
            response.end(line.whole);
        }
    });
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
test.after(() => server.close());
const client = new Anthropic({ apiKey: "k", baseURL: `http://127.0.0.1:${server.address().port}`, maxRetries: 0 });
const asked = { model: "auto", max_tokens: 1000, messages: [{ role: "user", content: "hi" }] };

function check(message, l) {
    assert.equal(message.type, "message");
    assert.equal(message.role, "assistant");
    const text = message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
    assert.equal(text, l.text);
    const calls = message.content.filter((b) => b.type === "tool_use").map((b) => ({ name: b.name, input: b.input }));
    assert.deepEqual(calls, l.calls);
    for (const b of message.content) {
        if (b.type === "text") assert.notEqual(b.text, "");
        if (b.type === "tool_use") assert.match(b.id, /^[a-zA-Z0-9_-]+$/);
    }
    const u = message.usage;
    assert.ok(u.input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens > 0);
    assert.ok(u.output_tokens > 0);
    if (l.input > 0) assert.equal(u.input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens, l.input);
    if (l.output > 0) assert.equal(u.output_tokens, l.output);
    assert.ok(message.stop_reason);
}

// The order that clients rely on, from the events as they come.
async function checkEvents(l) {
    let open = -1, next = 0, state = "new";
    for await (const event of await client.messages.create({ ...asked, stream: true })) {
        if (event.type === "message_start") { assert.equal(state, "new"); state = "body"; assert.ok(event.message.usage.input_tokens + event.message.usage.cache_read_input_tokens + event.message.usage.cache_creation_input_tokens > 0); continue; }
        if (event.type === "content_block_start") { assert.equal(state, "body"); assert.equal(open, -1); assert.equal(event.index, next++); open = event.index; }
        if (event.type === "content_block_delta") assert.equal(event.index, open);
        if (event.type === "content_block_stop") { assert.equal(event.index, open); open = -1; }
        if (event.type === "message_delta") { assert.equal(state, "body"); assert.equal(open, -1); state = "delta"; }
        if (event.type === "message_stop") { assert.equal(state, "delta"); state = "stop"; }
    }
    assert.equal(state, "stop");
}

test(`the SDK reads ${lines.length} answers`, async () => {
    const seen = {};
    for (line of lines) {
        try {
            if (line.status) {
                await assert.rejects(client.messages.create(asked), (e) => e instanceof Anthropic.APIError && e.status === line.status && e.error.type === "error");
                await assert.rejects(client.messages.stream(asked).finalMessage(), Anthropic.APIError);
            } else {
                check(await client.messages.create(asked), line);
                check(await client.messages.stream(asked).finalMessage(), line);
                await checkEvents(line);
            }
        } catch (e) {
            e.message = `${line.dialect} ${line.case}: ${e.message}`;
            throw e;
        }
        seen[line.dialect] = (seen[line.dialect] ?? 0) + 1;
    }
    console.log(seen);
});
