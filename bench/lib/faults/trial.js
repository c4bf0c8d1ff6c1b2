// One fault on one database, over some rounds.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Load } from './load.js';
import { Postgres } from './postgres.js';
import { Book } from './promises.js';
import { random } from './random.js';
import { Site } from './site.js';
import { verify } from './verify.js';

/** Everything works again within this time after the end of a fault, without anybody's hands, in milliseconds. */
const LONGEST_RECOVERY = 30_000;
/** Exchanges before a fault, and after it. */
const CALM = 40;
/** Rounds of one instance. The next one may have another setting. */
const ROUNDS_OF_A_SITE = 5;

export class Trial {
  figures = { rounds: 0, exchanged: 0, changed: 0, refused: 0, lost: 0, longestAnswer: 0, longestRecovery: 0 };
  /** What was not as it must be: round and text. */
  wrong = [];
  #seen = new Map();

  constructor(fault, database) {
    Object.assign(this, { fault, database, name: `${fault.name} on ${database}` });
  }

  /** `logs`: a folder that gets the logs of the servers if something is wrong. */
  async run(rounds, seed, logs) {
    this.logs = logs;
    try {
      if (this.database === 'postgres') this.postgres = await Postgres.start({ connections: this.fault.connections });
      for (let round = 0; round < rounds; round++) await this.#round(seed + round, round);
    } catch (error) {
      this.#report(seed, `the trial ended: ${error.stack}`);
    }
    await this.#leaveSite();
    this.postgres?.remove();
  }

  async #leaveSite() {
    if (!this.site) return;
    await this.site.kill();
    if (this.logs && this.wrong.length) {
      mkdirSync(this.logs, { recursive: true });
      for (const { log } of this.site.nodes)
        copyFileSync(log, join(this.logs, `${basename(this.site.folder)}-${basename(log)}`));
    }
    rmSync(this.site.folder, { recursive: true, force: true });
    this.options.dispose?.();
    this.site = null;
  }

  /** Notes what is wrong; the same thing only three times a round. */
  #report(seed, text) {
    const kind = `${seed} ${text.replace(/csc_\w+|tok_\w+|\d+/g, '…')}`;
    const count = (this.#seen.get(kind) ?? 0) + 1;
    this.#seen.set(kind, count);
    if (count > 3) return;
    const line = `${this.name}, seed ${seed}: ${text.trimEnd()}`;
    this.wrong.push(line);
    console.log(`WRONG: ${line}`);
  }

  async #round(seed, round) {
    const began = performance.now();
    const notes = [];
    const before = { ...this.figures };
    const isFresh = this.fault.isFirstStart || round % ROUNDS_OF_A_SITE === 0;
    if (isFresh) await this.#makeSite(seed, round);
    const report = (text) => this.#report(seed, text);
    const choice = random(`${seed} ${this.name}`);
    const context = { choice, report, seed, isFresh, note: (text) => notes.push(text) };
    await (this.fault.isFirstStart ? this.#firstStart(context) : this.#underLoad(context));
    this.figures.rounds += 1;
    const [exchanged, changed] = ['exchanged', 'changed'].map((name) => this.figures[name] - before[name]);
    const what = notes.length ? ` (${notes.join(', ')})` : '';
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${this.name}, seed ${seed}${what}: ${exchanged} exchanges, ${changed} changes, ${seconds} s`);
  }

  /** Servers, not started yet, on an empty database. */
  async #makeSite(seed, round) {
    await this.#leaveSite();
    if (this.postgres && round > 0)
      await this.postgres.psql('DROP DATABASE app WITH (FORCE)', 'CREATE DATABASE app OWNER app');
    this.options = this.fault.prepare?.() ?? {};
    const durability = random(`${seed} durability`).pick(['process', 'power']);
    const { dataDir, env, wrap } = this.options;
    this.site = await Site.make(`${this.name.replaceAll(' ', '-')}-${seed}`, {
      dataDir,
      env,
      wrap,
      durability,
      databaseUrl: this.postgres?.url,
      nodes: this.postgres ? 2 : 1,
    });
    this.book = new Book({ isLossy: this.postgres && durability === 'process', folder: this.site.folder });
  }

  /** Starts it, with an administrator, the credentials that probe it, and some more. */
  async #furnish() {
    await this.site.start();
    await this.site.run(['admin', 'create', '--email', this.book.email, '--password-stdin'], {
      input: this.book.password,
    });
    for (const hasKey of [false, true]) {
      const { args, credentialOf } = this.book.request(hasKey);
      this.book.probes.push(credentialOf(await this.site.run(args)));
    }
    for (let number = 0; number < 8; number++) {
      const { args, credentialOf } = this.book.request(number % 3 === 0);
      this.book.credentials.push(credentialOf(await this.site.run(args)));
      this.book.generated[0] += 1;
    }
  }

  async #underLoad({ choice, report, seed, isFresh, note }) {
    if (isFresh) await this.#furnish();
    const { site, book, postgres, database, options } = this;
    const load = new Load(site, book, `${seed} ${this.name}`, report);
    await load.start();
    await load.more(CALM);
    await this.fault.strike({ site, load, choice, postgres, book, note, database, options });
    if (await this.#recovers(load)) {
      load.end('fault');
      load.end('clock');
      await load.more(CALM);
      await load.stop();
    } else {
      // Now it needs hands, so that the next round is one of its own.
      await load.stop();
      await site.kill();
      await site.start();
      load.end('fault');
      load.end('clock');
      await load.signIn();
    }
    await verify({ site, load, book, report, seed });
    this.#count(load);
  }

  /** Whether all servers work again soon, by themselves. */
  async #recovers(load) {
    const began = performance.now();
    for (const node of this.site.nodes) {
      const isWhole = () => load.isWhole(node, this.fault.isRight);
      if (!(await load.until(isWhole, LONGEST_RECOVERY, `server ${node.number} works again`))) return false;
    }
    this.figures.longestRecovery = Math.max(this.figures.longestRecovery, performance.now() - began);
    return true;
  }

  #count({ count }) {
    for (const name of ['exchanged', 'changed', 'refused', 'lost']) this.figures[name] += count[name];
    this.figures.longestAnswer = Math.max(this.figures.longestAnswer, count.longest);
  }

  /** A server that is killed while it makes its instance can be started again. */
  async #firstStart({ choice, report, seed }) {
    const { site, book } = this;
    for (let times = choice.between(1, 3); times > 0; times--) {
      for (const node of site.nodes) node.launch();
      await pause(choice.between(0, 400));
      for (const node of site.nodes) await node.kill();
    }
    await this.#furnish();
    const load = new Load(site, book, `${seed} ${this.name}`, report);
    await load.start();
    await load.more(CALM);
    await load.stop();
    await verify({ site, load, book, report, seed });
    this.#count(load);
  }
}
