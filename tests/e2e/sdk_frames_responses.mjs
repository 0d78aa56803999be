// SPDX-License-Identifier: Apache-2.0
// openai's Responses API reads what weir's codec wrote for it.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { base, run } from "./sdk_frames.mjs";

const client = new OpenAI({ apiKey: "k", baseURL: `${base}/v1`, maxRetries: 0 });
const asked = { model: "auto", input: "hi" };

function found(response) {
    assert.equal(response.object, "response");
    const texts = response.output.filter((i) => i.type === "message").flatMap((i) => i.content);
    const calls = response.output.filter((i) => i.type === "function_call");
    for (const i of response.output) assert.ok(i.type);
    for (const c of calls) assert.ok(c.call_id);
    return {
        text: texts.filter((c) => c.type === "output_text").map((c) => c.text).join(""),
        calls: calls.map((c) => ({ name: c.name, input: JSON.parse(c.arguments) })),
        input: response.usage?.input_tokens,
        output: response.usage?.output_tokens,
        finish: response.status,
    };
}

// Numbers that rise by one; an item's events between its added and done.
async function checkEvents() {
    let number = -1, ended = 0;
    const open = new Set();
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
        assert.equal(event.sequence_number, ++number);
        if (number === 0) assert.equal(event.type, "response.created");
        if (event.type === "response.output_item.added") open.add(event.output_index);
        else if (event.output_index !== undefined) assert.ok(open.has(event.output_index), event.type);
        if (event.type === "response.output_item.done") open.delete(event.output_index);
        if (/^response\.(completed|incomplete)$/.test(event.type)) { ended++; assert.equal(open.size, 0); }
    }
    assert.equal(ended, 1);
}

run({
    whole: async () => found(await client.responses.create(asked)),
    streamed: async () => found(await client.responses.stream(asked).finalResponse()),
    check: checkEvents,
}, {
    whole: (l) => assert.rejects(client.responses.create(asked), (e) => e instanceof OpenAI.APIError && e.status === l.status && Boolean(e.error.message)),
    streamed: async () => {
        let failed = false;
        try {
            for await (const event of await client.responses.create({ ...asked, stream: true }))
                failed ||= event.type === "error" || event.type === "response.failed";
        } catch (e) {
            failed = e instanceof OpenAI.APIError;
        }
        assert.ok(failed, "the error is not seen");
    },
});
