import { Agent, get } from 'node:http';
import { BenchError } from './processes.js';

/** Opens `count` event streams, and resolves when each of them has begun. */
export async function openStreams(url, headers, count) {
  const agent = new Agent({ maxSockets: Infinity });
  const open = [];
  const begin = () =>
    new Promise((begun, failed) => {
      const request = get(url, { agent, headers: { ...headers, Accept: 'text/event-stream' } }, (answer) => {
        if (answer.statusCode !== 200) return failed(new BenchError(`a stream was answered with ${answer.statusCode}`));
        answer.on('error', () => {}).once('data', begun);
      });
      request.on('error', failed);
      open.push(request);
    });
  // Not all at once: a queue of connections has an end.
  for (let started = 0; started < count; started += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - started) }, begin));
  }
  return {
    close() {
      for (const request of open) request.on('error', () => {}).destroy();
    },
  };
}
