// SPDX-License-Identifier: Apache-2.0
// Serves what weir's codecs wrote: each line of the file named by FRAMES once
// as a stream and once whole, to one official SDK, which must find the text,
// calls and usage that the line says.
import http from "node:http";
import fs from "node:fs";
import assert from "node:assert/strict";
import test from "node:test";

const lines = fs.readFileSync(process.env.FRAMES, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l));
let line; // what is served now

const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
        if (JSON.parse(body || "{}").stream || request.url.includes("stream")) {
            response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
            const bytes = Buffer.from(line.frames);
            for (let i = 0; i < bytes.length; i += 1021) response.write(bytes.subarray(i, i + 1021));
            response.end();
        } else {
            response.writeHead(line.status || 200, { "content-type": "application/json" });
            response.end(line.whole);
        }
    });
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
test.after(() => server.close());

export const base = `http://127.0.0.1:${server.address().port}`;

// What an SDK found -> {text, calls: [{name, input}], input, output, finish}.
export function same(found, l) {
    assert.equal(found.text, l.text);
    assert.deepEqual(found.calls, l.calls);
    if (l.input > 0) assert.equal(found.input, l.input);
    if (l.output > 0) assert.equal(found.output, l.output);
    assert.ok(found.finish, "no finish");
}

// read: {whole(), streamed(), check?(line)} give what was found;
// fails: {whole(line), streamed(line)} must see the error.
export function run(read, fails) {
    test(`the SDK reads ${lines.length} answers`, async () => {
        const seen = {};
        assert.ok(lines.length > 0, "no answers");
        for (line of lines) {
            try {
                if (line.status) {
                    await fails.whole(line);
                    await fails.streamed(line);
                } else {
                    same(await read.whole(), line);
                    same(await read.streamed(), line);
                    if (read.check) await read.check(line);
                }
            } catch (e) {
                e.message = `${line.dialect} ${line.case}: ${e.message}`;
                throw e;
            }
            seen[line.dialect] = (seen[line.dialect] ?? 0) + 1;
        }
        console.log(seen);
    });
}
