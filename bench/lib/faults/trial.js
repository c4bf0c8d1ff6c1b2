// One fault on one database, over some rounds.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BenchError } from '../processes.js';
import { Load } from './load.js';
import { Postgres } from './postgres.js';
import { Book } from './promises.js';
import { random } from './random.js';
import { Site } from './site.js';
import { verify } from './verify.js';

/** Everything works again within this time after the end of a fault, without anybody's hands, in milliseconds. */
const LONGEST_RECOVERY = 60_000;
/** Exchanges before a fault, and after it. */
const CALM = 40;
const FIRST_CREDENTIALS = 10;
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
    for (let round = 0; round < rounds; round++) {
      try {
        await this.#round(seed + round, round);
      } catch (error) {
        const said = error instanceof BenchError ? error.message : error.stack;
        this.#report(seed + round, `the round ended: ${said}`);
        await this.#leaveAll();
      }
    }
    await this.#leaveAll();
  }

  async #leaveAll() {
    await this.#leaveSite();
    await this.postgres?.remove();
    this.postgres = null;
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
    const before = { ...this.figures };
    const notes = [];
    const context = {
      choice: random(`${seed} ${this.name}`),
      note: (text) => notes.push(text),
      database: this.database,
    };
    const isFresh = !this.site || this.fault.isFresh || round % ROUNDS_OF_A_SITE === 0;
    if (isFresh) await this.#makeSite(seed, context);
    await this.#underLoad(seed, { ...context, postgres: this.postgres });
    this.figures.rounds += 1;
    const [exchanged, changed] = ['exchanged', 'changed'].map((name) => this.figures[name] - before[name]);
    const what = notes.length ? ` (${notes.join(', ')})` : '';
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${this.name}, seed ${seed}${what}: ${exchanged} exchanges, ${changed} changes, ${seconds} s`);
  }

  /** Servers on an empty database. */
  async #makeSite(seed, context) {
    await this.#leaveSite();
    if (this.database === 'postgres') {
      this.postgres ??= await Postgres.start({ connections: this.fault.connections });
      await this.postgres.psql('DROP DATABASE IF EXISTS app WITH (FORCE)', 'CREATE DATABASE app OWNER app');
    }
    const choice = random(`${seed} site`);
    this.options = this.fault.prepare?.({ choice }) ?? {};
    const durability = choice.pick(['process', 'power']);
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
    await this.fault.strikeFirst?.({ ...context, site: this.site });
    await this.#furnish();
    await this.options.settle?.(this.site);
  }

  /** Starts them, with an administrator and some credentials. */
  async #furnish() {
    await this.site.start();
    await this.site.run(['admin', 'create', '--email', this.book.email, '--password-stdin'], {
      input: this.book.password,
    });
    for (let number = 0; number < FIRST_CREDENTIALS; number++) {
      const { args, credentialOf } = this.book.request(number % 3 === 0);
      this.book.credentials.push(credentialOf(await this.site.run(args)));
      this.book.generated[0] += 1;
    }
    this.book.probes.push(...this.book.credentials.slice(0, 2));
  }

  async #underLoad(seed, context) {
    const { site, book, options } = this;
    const report = (text) => this.#report(seed, text);
    const load = new Load(site, book, `${seed} ${this.name}`, report);
    if (options.isSkewed) load.begin('clock');
    let recovered;
    try {
      await load.start();
      await load.more(CALM);
      await this.fault.strike?.({ ...context, site, load, book, options });
      recovered = await this.#recovers(load);
      if (recovered) {
        load.endAll();
        await load.more(CALM);
      }
    } finally {
      await load.stop();
    }
    if (!recovered) await this.#helpOut(load);
    await verify({ site, load, book, report, seed });
    this.#count(load);
  }

  /** Where servers did not recover, it takes hands: so that the next round is one of its own. */
  async #helpOut(load) {
    await this.site.kill();
    await this.site.start();
    load.endAll();
    await load.signIn();
    if (!(await this.#recovers(load))) throw new BenchError('A restart does not help either.');
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
}
