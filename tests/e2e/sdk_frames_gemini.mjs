// SPDX-License-Identifier: Apache-2.0
// @google/genai reads what weir's codec wrote for it.
import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";
import { base, run } from "./sdk_frames.mjs";

const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: base } });
const asked = { model: "auto", contents: "hi" };

function found(answers) {
    const parts = answers.flatMap((a) => a.candidates?.filter((c) => (c.index ?? 0) === 0).flatMap((c) => c.content?.parts ?? []) ?? []);
    const usage = answers.findLast((a) => a.usageMetadata)?.usageMetadata;
    const reason = answers.flatMap((a) => a.candidates ?? []).findLast((c) => (c.index ?? 0) === 0 && c.finishReason)?.finishReason;
    return {
        text: parts.filter((p) => p.text !== undefined && !p.thought).map((p) => p.text).join(""),
        calls: parts.filter((p) => p.functionCall).map((p) => ({ name: p.functionCall.name, input: p.functionCall.args ?? {} })),
        input: usage?.promptTokenCount,
        output: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
        finish: reason ?? answers.find((a) => a.promptFeedback)?.promptFeedback.blockReason,
    };
}

async function all(stream) {
    const answers = [];
    for await (const a of stream) answers.push(a);
    return answers;
}

run({
    whole: async () => found([await client.models.generateContent(asked)]),
    streamed: async () => found(await all(await client.models.generateContentStream(asked))),
}, {
    whole: (l) => assert.rejects(client.models.generateContent(asked), (e) => e instanceof ApiError && e.status === l.status),
    streamed: () => assert.rejects(async () => all(await client.models.generateContentStream(asked)), ApiError),
});
