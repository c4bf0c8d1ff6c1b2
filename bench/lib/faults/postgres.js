// A PostgreSQL server of a fault's own, which may be frozen, killed and crowded.
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BenchError, atExit, freePort, isInstalled, output, track } from '../processes.js';

const LONGEST_START = 60_000; // milliseconds

/** The folder of PostgreSQL's programs, with a slash at its end, or nothing where they are in the path. */
function programs() {
  if (isInstalled('initdb')) return '';
  const root = '/usr/lib/postgresql';
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return join(root, versions[0], 'bin/');
}

/** Why there can be no PostgreSQL on this machine; nothing if there can be one. */
export function whyNoPostgres() {
  try {
    return isInstalled(`${programs()}initdb`) ? null : 'PostgreSQL is not installed';
  } catch {
    return 'PostgreSQL is not installed';
  }
}

export class Postgres {
  #bin = programs();
  #as = [];
  #child;
  #ended;
  #others = [];

  /** A new one that runs, with a role `app` that owns nothing yet, and a role for `crowd`. */
  static async start({ connections = 100 } = {}) {
    const postgres = new Postgres();
    await postgres.#make(connections);
    await postgres.start();
    await postgres.psql('CREATE ROLE app LOGIN', 'CREATE ROLE other LOGIN');
    return postgres;
  }

  async #make(connections) {
    this.folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'));
    // PostgreSQL refuses to run as root.
    if (process.getuid() === 0) {
      if (spawnSync('id', ['postgres']).status !== 0)
        spawnSync('useradd', ['--system', '--no-create-home', 'postgres']);
      chmodSync(this.folder, 0o755);
      await output('chown', ['postgres', this.folder]);
      this.#as = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
    }
    this.data = join(this.folder, 'data');
    atExit(() => this.#removeAtExit());
    const [command, ...args] = [
      ...this.#as,
      `${this.#bin}initdb`,
      `--pgdata=${this.data}`,
      '--username=countersign',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ];
    await output(command, args, { cwd: this.folder });
    this.port = await freePort();
    this.connections = connections;
    // No power is cut here, so nothing needs to reach the disk.
    appendFileSync(
      join(this.data, 'postgresql.conf'),
      [
        "listen_addresses = '127.0.0.1'",
        "unix_socket_directories = ''",
        `port = ${this.port}`,
        `max_connections = ${connections}`,
        'superuser_reserved_connections = 3',
        'fsync = off',
        'shared_buffers = 32MB',
        '',
      ].join('\n'),
    );
    this.url = `postgres://app@127.0.0.1:${this.port}/app`;
  }

  /** Ends it, also if it is frozen, and removes its folder. */
  async remove() {
    this.thaw();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same without waiting, for the end of this program. */
  #removeAtExit() {
    const all = this.pids();
    this.thaw();
    this.#child?.kill('SIGQUIT');
    if (all.length) spawnSync('sleep', ['0.3']);
    for (const pid of all) signal(pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts it; resolves when it takes statements. */
  async start() {
    const until = performance.now() + LONGEST_START;
    for (;;) {
      const log = openSync(join(this.folder, 'log'), 'a');
      const [command, ...args] = [...this.#as, `${this.#bin}postgres`, '-D', this.data];
      this.#child = track(spawn(command, args, { cwd: this.folder, stdio: ['ignore', log, log] }));
      closeSync(log);
      let isOver = false;
      this.#ended = new Promise((resolve) => this.#child.once('exit', resolve)).then(() => (isOver = true));
      while (!isOver) {
        if (performance.now() > until) throw new BenchError(`PostgreSQL did not start:\n${this.lastLog()}`);
        if (
          await this.psql('SELECT 1').then(
            () => true,
            () => false,
          )
        )
          return;
        await pause(50);
      }
      // Processes of the one before it may hold its memory a moment longer.
      if (performance.now() > until) throw new BenchError(`PostgreSQL did not start:\n${this.lastLog()}`);
      await pause(100);
    }
  }

  /** Runs statements as the one who may do everything, each by itself. */
  psql(...statements) {
    const url = `postgres://countersign@127.0.0.1:${this.port}/postgres?connect_timeout=5`;
    return output(`${this.#bin}psql`, [
      '-qAt',
      '-v',
      'ON_ERROR_STOP=1',
      ...statements.flatMap((each) => ['-c', each]),
      url,
    ]);
  }

  /** Ends it as a crash does (SIGQUIT), or in order (SIGINT). */
  async stop(how = 'SIGQUIT') {
    this.#child.kill(how);
    await this.#ended;
  }

  /** Kills one of the processes that serve Countersign. PostgreSQL then ends all others, and recovers by itself. */
  killOne(choose) {
    const backends = children(this.#child.pid).filter((pid) => title(pid).includes('postgres: app app'));
    if (backends.length === 0) throw new BenchError('No process of PostgreSQL serves Countersign.');
    signal(choose(backends), 'SIGKILL');
  }

  /** Kills the main process. */
  async kill() {
    const all = this.pids();
    this.#child.kill('SIGKILL');
    await this.#ended;
    // The others would go by themselves in a moment.
    for (const pid of all) signal(pid, 'SIGKILL');
  }

  freeze() {
    // The main process first, so that it starts no others.
    for (const pid of this.pids()) signal(pid, 'SIGSTOP');
  }

  thaw() {
    for (const pid of this.pids().reverse()) signal(pid, 'SIGCONT');
  }

  /** The main process of PostgreSQL and its child processes. */
  pids() {
    const isRunning = this.#child?.pid && this.#child.exitCode === null && this.#child.signalCode === null;
    return isRunning ? [this.#child.pid, ...children(this.#child.pid)] : [];
  }

  /** Others take all connections except `left`: those of the role `app` are ended until the others have theirs. */
  async crowd(left) {
    const wanted = this.connections - 3 - left;
    for (const until = performance.now() + LONGEST_START; this.#others.length < wanted;) {
      if (performance.now() > until) throw new BenchError('Others could not take the connections of PostgreSQL.');
      await this.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
      const asked = Array.from({ length: wanted - this.#others.length }, () => session(this.port));
      this.#others.push(...(await Promise.all(asked)).filter(Boolean));
    }
  }

  /** The others leave. */
  leave() {
    for (const socket of this.#others.splice(0)) socket.destroy();
  }

  lastLog() {
    return readFileSync(join(this.folder, 'log'), 'utf8').trimEnd().split('\n').slice(-20).join('\n');
  }
}

/** A session of the role `other` that asks for nothing; nothing if there is no connection left. */
function session(port) {
  const words = Buffer.from('user\0other\0database\0postgres\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + words.length);
  head.writeInt32BE(3 << 16, 4); // version 3.0 of the protocol
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([head, words])));
    const leave = () => {
      socket.destroy();
      resolve(null);
    };
    socket.once('error', leave).once('close', leave);
    let said = Buffer.alloc(0);
    socket.on('data', (piece) => {
      // One letter, then the length of the rest. Z: it takes statements. E: an error.
      for (said = Buffer.concat([said, piece]); said.length >= 5; said = said.subarray(1 + said.readUInt32BE(1))) {
        if (said[0] === 'Z'.charCodeAt()) resolve(socket);
        if (said[0] === 'E'.charCodeAt()) leave();
      }
    });
  });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const title = (pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');

const children = (parent) => read(`/proc/${parent}/task/${parent}/children`).split(' ').filter(Boolean).map(Number);
