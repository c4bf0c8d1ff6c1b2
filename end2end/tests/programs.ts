import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

/** Some programs need Node 22; the npm package of this platform brings one where the present one is older. */
export function node(): string {
  const packaged = resolve(`node_modules/node-${process.platform}-${process.arch}/bin/node`);
  return existsSync(packaged) ? packaged : process.execPath;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  listener.close();
  await once(listener, 'close');
  return port;
}

/** Stops a program, unless it has ended by itself, and returns its exit code: none where a signal ended it. */
export async function stop(program: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (program.exitCode === null && program.signalCode === null) {
    const ended = once(program, 'exit');
    program.kill(signal);
    await ended;
  }
  return program.exitCode;
}

/** The MCP Inspector, its window or, with `--cli` first, its command line. */
export const inspector = (...options: string[]) => [
  node(),
  resolve('clients/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  ...options,
];
