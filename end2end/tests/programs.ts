import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
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

/** Runs a server, with all programs that it starts, while `use` uses it. It fails when the server ends before. */
export async function serving(command: string, args: string[], options: SpawnOptions, use: () => Promise<void>) {
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (said += text));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}: ${said}`);
  });
  // The whole group: a launcher such as npx may end before the program that it started.
  const kill = () => process.kill(-child.pid!, 'SIGTERM');
  process.once('exit', kill);
  try {
    await Promise.race([ended, use()]);
  } finally {
    process.off('exit', kill);
    ended.catch(() => {});
    if (child.exitCode === null && child.signalCode === null) {
      const left = once(child, 'exit');
      kill();
      await left;
    }
  }
}

/** The command that starts the MCP Inspector: its window or, with `--cli` as the first option, its command line. */
export const inspector = (...options: string[]) => [
  node(),
  resolve('clients/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  ...options,
];
