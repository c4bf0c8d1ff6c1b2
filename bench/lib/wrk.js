import { join } from 'node:path';
import { BenchError, isInstalled, output, setUp } from './processes.js';

const script = join(import.meta.dirname, '../exchange.lua');

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
  return JSON.parse(printed.match(/^RESULT (.*)$/m)[1]);
}
