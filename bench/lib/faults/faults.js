// The faults. Each one is brought about under load, and taken away again.
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { BenchError, atExit, folder, isInstalled, track } from '../processes.js';

/** A fault must show, and `/readyz` must say so, within this time in milliseconds. */
const LONGEST_NOTICE = 30_000;

const missing = (command) => (isInstalled(command) ? null : `${command} is not installed`);

// ---- Helpers

/** Waits until requests fail and each server says at `/readyz` that it is not ready, and names the database. */
async function noticed({ site, load }) {
  const before = load.count.refused + load.count.lost;
  const fail = () => load.count.refused + load.count.lost > before;
  await load.until(fail, LONGEST_NOTICE, 'requests fail while it lasts');
  await notReady({ site, load }, 'database');
}

/** Waits until each server says that it is not ready, for this reason. */
async function notReady({ site, load }, reason) {
  for (const node of site.nodes) {
    const says = async () => (await node.readiness()).why === reason;
    await load.until(says, LONGEST_NOTICE, `/readyz of server ${node.number} says "${reason}"`);
  }
}

// ---- The servers

/** Kills one server or all of them, maybe with the commands that run, maybe once more while it starts. */
async function killServers({ site, load, choice }) {
  load.begin('fault');
  for (let times = choice.between(1, 3); times > 0; times--) {
    await load.more(choice.between(0, 100));
    const victims = choice.chance(0.5) ? site.nodes : [choice.pick(site.nodes)];
    if (choice.chance(0.5)) site.killCommands();
    await Promise.all(victims.map((node) => node.kill()));
    await pause(choice.between(0, 300));
    for (const node of victims) {
      if (choice.chance(0.3)) {
        node.launch();
        await pause(choice.between(0, 200));
        await node.kill();
      }
      await node.start();
    }
  }
}

/** Kills servers while they make their instance. */
async function killFirstStart({ site, choice }) {
  for (let times = choice.between(1, 3); times > 0; times--) {
    for (const node of site.nodes) node.launch();
    await pause(choice.between(0, 400));
    await site.kill();
  }
}

// ---- PostgreSQL

async function killDatabase({ site, load, choice, postgres, book, note }) {
  load.begin('fault');
  await load.more(choice.between(0, 100));
  const how = choice.pick(['immediate stop', 'fast stop', 'one process killed', 'main process killed']);
  note(how);
  if (how !== 'fast stop') book.crash(performance.now());
  if (how === 'one process killed') {
    postgres.killOne(choice.pick);
  } else {
    if (how === 'main process killed') await postgres.kill();
    else await postgres.stop(how === 'fast stop' ? 'SIGINT' : 'SIGQUIT');
    if (choice.chance(0.7)) await noticed({ site, load });
    if (choice.chance(0.3)) await choice.pick(site.nodes).kill();
    await pause(choice.between(0, 2000));
    await postgres.start();
  }
  await site.start();
}

/** Freezes all processes of PostgreSQL, as on a host that hangs. Afterwards they run again, or they are killed. */
async function freezeDatabase({ site, load, choice, postgres, book, note }) {
  load.begin('fault');
  await load.more(choice.between(0, 50));
  const frozenAt = performance.now();
  postgres.freeze();
  await noticed({ site, load });
  await pause(choice.between(0, 10_000));
  if (choice.chance(0.7)) return postgres.thaw();
  note('then killed');
  // What it had not written when it stopped is lost.
  book.crash(frozenAt);
  await postgres.kill();
  await postgres.start();
}

/** Others take its connections: all, or all but a few. */
async function crowdDatabase({ site, load, choice, postgres, note }) {
  load.begin('fault');
  await load.more(choice.between(0, 50));
  const left = choice.pick([0, 0, 1, 2, 4]);
  note(`${left} left`);
  await postgres.crowd(left);
  if (left === 0) await noticed({ site, load });
  await pause(choice.between(0, 5000));
  postgres.leave();
}

// ---- SQLite

const LOCK = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('PRAGMA busy_timeout = 30000')
connection.execute(sys.argv[2])
print('locked', flush=True)
sys.stdin.readline()
connection.execute('ROLLBACK')
`;

/** Another process holds the lock for changes: for a moment, or for longer than anybody waits. */
async function lockDatabase({ site, load, choice, note }) {
  load.begin('fault');
  await load.more(choice.between(0, 50));
  const statement = choice.pick(['BEGIN IMMEDIATE', 'BEGIN EXCLUSIVE']);
  const file = join(site.dataDir, 'countersign.db');
  const other = track(spawn('python3', ['-c', LOCK, file, statement], { stdio: ['pipe', 'pipe', 'inherit'] }));
  const ended = new Promise((resolve) => other.once('exit', resolve));
  const locked = new Promise((resolve) => createInterface({ input: other.stdout }).once('line', resolve));
  if ((await Promise.race([locked, ended])) !== 'locked') throw new BenchError('Nobody could lock the database.');
  if (choice.chance(0.5)) {
    note('for a moment');
    await pause(choice.between(0, 3000));
  } else {
    note('for long');
    await noticed({ site, load });
    await pause(choice.between(0, 5000));
  }
  if (choice.chance(0.5)) other.stdin.end('release\n');
  else other.kill('SIGKILL');
  await ended;
}

/** The size of the disk that is filled. */
const DISK = 32; // megabytes

function whyNoMount() {
  if (process.getuid() !== 0) return 'only root may mount a small disk';
  const at = join(folder, 'trial');
  mkdirSync(at, { recursive: true });
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at]).status === 0;
  if (isMounted) spawnSync('umount', [at]);
  return isMounted ? null : 'this root may not mount a small disk';
}

function mountDisk() {
  const disk = mkdtempSync(join(folder, 'disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}m,mode=0700`, 'tmpfs', disk]).status !== 0)
    throw new BenchError('The small disk could not be mounted.');
  const dispose = () => spawnSync('umount', ['--lazy', disk]);
  atExit(dispose);
  return { dataDir: join(disk, 'data'), disk, dispose };
}

/** Fills the disk, up to a rest, and keeps it full. */
async function fillDisk({ site, load, choice, options }) {
  load.begin('fault');
  await load.more(choice.between(0, 50));
  const file = join(options.disk, 'ballast');
  const ballast = openSync(file, 'w');
  const fill = (piece) => {
    try {
      for (;;) writeSync(ballast, piece);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
  };
  // What is left until the first pages are written.
  const rest = join(options.disk, 'rest');
  writeFileSync(rest, Buffer.alloc(choice.between(0, 64) * 4096));
  fill(Buffer.alloc(1 << 20));
  fill(Buffer.alloc(4096));
  rmSync(rest);
  await pause(choice.between(0, 500));
  const filling = setInterval(() => fill(Buffer.alloc(4096)), 50);
  await noticed({ site, load });
  await pause(choice.between(0, 3000));
  clearInterval(filling);
  closeSync(ballast);
  rmSync(file);
}

/** The signal that tells of the limit would end the process, so the servers start with it ignored. */
const ignoreSignal = () => ({ wrap: ['sh', '-c', `trap '' XFSZ; exec "$@"`, 'sh'] });

/** No file of a server may grow over a limit. */
async function limitFiles({ site, load, choice }) {
  load.begin('fault');
  await load.more(choice.between(0, 50));
  const sizes = readdirSync(site.dataDir).map((name) => statSync(join(site.dataDir, name)).size);
  const limit = choice.between(0, Math.max(...sizes));
  const set = (soft) => {
    for (const node of site.nodes)
      if (spawnSync('prlimit', [`--pid=${node.pid}`, `--fsize=${soft}:`]).status !== 0)
        throw new BenchError('prlimit failed.');
  };
  set(limit);
  await noticed({ site, load });
  await pause(choice.between(0, 3000));
  set('unlimited');
}

// ---- The clock

const FAKETIME = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/local/lib']
  .map((path) => join(path, 'faketime/libfaketimeMT.so.1'))
  .find(existsSync);

const whyNoClock = () => (FAKETIME ? null : 'libfaketime is not installed');

/** Seconds by which the clock is set. */
const JUMPS = [-12 * 3600, -3600, -600, -45, 45, 600, 3600, 12 * 3600];
/** The instance is older than the clock is ever set back. */
const AGE = 13 * 3600;
/** A process that runs keeps the clock that it read for up to so many milliseconds. */
const CLOCK_IS_KEPT = 2000;

/** A clock for the servers and commands alone, which begins `begin` seconds off. */
function fakeClock(begin) {
  const file = join(mkdtempSync(join(folder, 'clock-')), 'offset');
  const env = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    NO_FAKE_STAT: '1',
    // The clock that only counts on stays right, as it does when somebody sets the real one.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const set = (seconds) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}`);
  set(begin);
  return { env, set };
}

/** An instance that is some hours old, with a clock that is right. */
function agedInstance() {
  const clock = fakeClock(-AGE);
  // The servers start again: a server that runs would read the new clock at a moment that nobody sees.
  const settle = async (site) => {
    clock.set(0);
    await site.kill();
    await site.start();
  };
  return { ...clock, settle };
}

/** An instance that was made while the clock was ahead. */
function futureInstance({ choice }) {
  const jump = choice.pick(JUMPS.filter((each) => each > 0));
  return { ...fakeClock(jump), jump, isSkewed: true };
}

/** The clock was ahead when the instance was made, and is set right. */
async function rightClock({ load, options, choice, note }) {
  note(`${options.jump} s`);
  await load.more(choice.between(0, 50));
  options.set(0);
}

/** Sets the clock of the servers and commands some times, and then right. Secrets are served meanwhile. */
async function setClock({ site, load, choice, options, note, database }) {
  await load.more(choice.between(0, 50));
  load.begin('clock');
  for (let times = choice.between(1, 2); times > 0; times--) {
    const jump = choice.pick(JUMPS);
    note(`${jump} s`);
    options.set(jump);
    await pause(choice.between(CLOCK_IS_KEPT, 4500));
    // With a database on another clock a server can know, and says so.
    if (database === 'postgres') await notReady({ site, load }, 'clock');
    if (choice.chance(0.3)) await restartWithClock({ site, load, choice, note });
    else await load.more(choice.between(10, 60));
  }
  options.set(0);
}

/** A server that starts while its clock is wrong serves, or says that it is not ready: its key may lie ahead. */
async function restartWithClock({ site, load, choice, note }) {
  note('restart');
  load.begin('fault');
  const node = choice.pick(site.nodes);
  await node.kill();
  await site.start();
  if (!(await node.readiness()).isReady) return;
  load.end('fault');
  await load.more(choice.between(10, 60));
}

function isTimely({ iat }) {
  return Math.abs(Date.now() / 1000 - iat) < 5;
}

// ---- All of them

const both = ['sqlite', 'postgres'];

/**
 * `whyNot`: why it cannot be tried on this machine. `prepare`: settings of the servers, and what `strike` needs.
 * `strike`: brings the fault about and takes it away; `strikeFirst`: before the instance is made. `isFresh`: each round
 * has an instance of its own. `isRight`: what the claims of a token must be afterwards.
 */
export const FAULTS = [
  { name: 'server-killed', databases: both, strike: killServers },
  { name: 'first-start-killed', databases: both, isFresh: true, strikeFirst: killFirstStart },
  { name: 'database-killed', databases: ['postgres'], strike: killDatabase },
  { name: 'database-frozen', databases: ['postgres'], strike: freezeDatabase },
  { name: 'database-crowded', databases: ['postgres'], connections: 70, strike: crowdDatabase },
  { name: 'database-locked', databases: ['sqlite'], whyNot: () => missing('python3'), strike: lockDatabase },
  { name: 'disk-full', databases: ['sqlite'], whyNot: whyNoMount, prepare: mountDisk, strike: fillDisk },
  {
    name: 'file-limit',
    databases: ['sqlite'],
    whyNot: () => missing('prlimit'),
    prepare: ignoreSignal,
    strike: limitFiles,
  },
  {
    name: 'clock-set',
    databases: both,
    whyNot: whyNoClock,
    prepare: agedInstance,
    strike: setClock,
    isRight: isTimely,
  },
  {
    name: 'clock-ahead-at-first',
    databases: both,
    isFresh: true,
    whyNot: whyNoClock,
    prepare: futureInstance,
    strike: rightClock,
    isRight: isTimely,
  },
];
