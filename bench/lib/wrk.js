import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError, folder, isInstalled, output, setUp } from './processes.js';

const script = join(import.meta.dirname, '../exchange.lua');
const callScript = join(import.meta.dirname, 'call.lua');

/** Installs wrk, the load generator, where that is possible. */
export function installWrk() {
  if (isInstalled('wrk')) return;
  if (process.getuid() !== 0 || !isInstalled('apt-get')) {
    throw new BenchError('wrk, the load generator, is missing. On Debian: sudo apt-get install wrk; on macOS: brew install wrk');
  }
  setUp('apt-get', ['update']);
  setUp('apt-get', ['install', '--yes', '--no-install-recommends', 'wrk']);
}

/** A line of the file of requests. */
export const requestLine = ({ authorization, body }) => `${authorization}\t${body}\n`;

/**
 * Sends the requests in `file` to `url`: `requests`, `seconds`, `p50` and `p99` in milliseconds, `failures`. In the
 * mode "check" every answer other than 2xx is a failure, in "measure" only errors are. In the order "once" each
 * request is sent once, and `exhausted` says that there were not enough.
 */
export async function wrk(url, file, { connections, seconds, seed = 0, mode = 'measure', order = 'any' }) {
  const printed = await output('wrk', [
    '--threads', '1', '--connections', `${connections}`, '--duration', `${seconds}s`, '--latency', '--script', script, url,
    '--', file, `${seed}`, mode, order,
  ]);
  return result(printed);
}

const result = (printed) => JSON.parse(printed.match(/^RESULT (.*)$/m)[1]);

/** The message that calls this tool. */
export const callOf = (tool) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: { message: 'hello' } } });

/** Sends the same request again and again. The result is as above. */
export async function call(url, headers, { connections, seconds, mode, body }) {
  const all = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers };
  const file = join(folder, 'call');
  // A file, because every process of the machine can read arguments.
  writeFileSync(file, `${Object.entries(all).map(([name, value]) => `${name}: ${value}\n`).join('')}\n${body}\n`, { mode: 0o600 });
  return result(await output('wrk', [
    '--threads', '1', '--connections', `${connections}`, '--duration', `${seconds}s`, '--latency', '--script', callScript, url,
    '--', file, mode,
  ]));
}
