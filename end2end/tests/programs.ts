import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

/** Node 22 or later, which some programs need: an npm package brings it for the platforms that it knows. */
export function node(): string {
  const packaged = resolve(`node_modules/node-${process.platform}-${process.arch}/bin/node`);
  return existsSync(packaged) ? packaged : process.execPath;
}

/** A port that no program listens on. */
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

/** The command that starts the MCP Inspector: its window or, with `--cli` as the first option, its command line. */
export const inspector = (...options: string[]) => [
  node(),
  resolve('clients/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  ...options,
];
