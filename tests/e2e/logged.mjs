// SPDX-License-Identifier: Apache-2.0
// Reads one logged request with the sqlite3 program, waiting a moment for
// the writer; the rows are written in batches.
import { execFileSync } from 'node:child_process';

export async function loggedRow(path, id) {
  if (!/^req_[0-9a-z]+$/.test(id ?? '')) throw new Error(`no request id: ${id}`);
  for (let i = 0; i < 100; i++) {
    const out = execFileSync('sqlite3', ['-json', '-readonly', path, `SELECT * FROM requests WHERE id='${id}'`], { encoding: 'utf8' });
    if (out.trim()) return JSON.parse(out)[0];
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`request ${id} is not in the log`);
}
