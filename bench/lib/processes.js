// Everything the benchmarks start lives in one temporary folder and dies with them.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
const running = new Set();
const undone = [];

process.on('exit', () => {
  for (const undo of undone.reverse()) undo();
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

/** Lets a process die with the benchmark. */
export function track(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Has this done at the end, before the processes die and the folder goes. It cannot wait for anything. */
export const atExit = (undo) => void undone.push(undo);

/** A mistake of the reader's or of a server under test: shown without a stack trace. */
export class BenchError extends Error {}

export async function main(run) {
  process.once('beforeExit', () => {
    console.error('Nothing is left to wait for, and the end was not reached.');
    process.exit(1);
  });
  try {
    process.exit((await run()) ?? 0);
  } catch (error) {
    const expected = error instanceof BenchError || error.code?.startsWith('ERR_PARSE_ARGS');
    console.error(expected ? error.message : error);
    process.exit(1);
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Starts a server and resolves once it prints a line that begins with `readyLine`, which `onReady` gets, or once the
 * promise of `readyWhen` does.
 */
export async function startServer(name, command, args, { readyLine, onReady, readyWhen, ...options }) {
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const startedAt = performance.now();
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', log], ...options });
  closeSync(log);
  running.add(child);
  const exited = new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  }).finally(() => running.delete(child));

  const ready = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!readyLine || !line.startsWith(readyLine)) return;
      onReady?.(line);
      resolve(performance.now() - startedAt);
    });
    readyWhen?.().then(() => resolve(performance.now() - startedAt));
  });
  const readyAfter = await Promise.race([ready, exited.then((why) => {
    throw new BenchError(`${name} did not start (${why}):\n${lastLines(logFile)}`);
  })]);

  return {
    name,
    readyAfter,
    memory: (field) => memory(child.pid, field),
    cpuSeconds: () => cpuSeconds(child.pid),
    lastLog: () => lastLines(logFile),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** `VmRSS` is resident memory now, `VmHWM` its peak, in bytes; null where /proc does not exist. */
function memory(pid, field) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))[1]) * 1024;
  } catch {
    return null;
  }
}

/** Time of all cores that the process has used. */
function cpuSeconds(pid) {
  try {
    // After the name in brackets, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100; // in clock ticks, of which Linux shows a hundred a second
  } catch {
    return Number.NaN;
  }
}

const lastLines = (file) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-20).join('\n');

/** Runs a command to its end and resolves to its standard output. */
export function output(command, args, { input = '', ...options } = {}) {
  const child = spawn(command, args, { cwd: folder, ...options });
  running.add(child);
  child.stdin.on('error', () => {}); // the command may end without reading
  child.stdin.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      if (code === 0) resolve(stdout);
      else reject(new BenchError(`${command} ${args.join(' ')} failed (${code}):\n${stderr || stdout}`));
    });
  });
}

/** Runs a set-up command in view of the reader. */
export function setUp(command, args, options = {}) {
  console.error(`Running: ${command} ${args.join(' ')}`);
  // Standard output is for figures alone.
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2], ...options });
  if (status !== 0) throw new BenchError(`${command} ${args.join(' ')} failed.`);
}

export const isInstalled = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
