// The mixed load of a sweep. Each answer is held against what was acknowledged before.
import { setTimeout as pause } from 'node:timers/promises';
import { Browser, findForm } from '../browser.js';
import { Credential, Proof, Token } from './promises.js';
import { random } from './random.js';
import { LONGEST_ANSWER } from './site.js';

const EXCHANGERS = 6;
/** So many credentials that nobody ended are kept. */
const FEWEST = 8;
const MOST = 20;
/** No progress for so long is a fault of its own, in milliseconds. */
const LONGEST_STANDSTILL = 90_000;
/** Between two steps of one worker, in milliseconds. */
const LONGEST_THOUGHT = 40;

export class Load {
  count = { exchanged: 0, changed: 0, refused: 0, lost: 0, longest: 0 };
  /** What is wrong on purpose; see `begin`. */
  #wrong = { fault: false, clock: false };
  #rightSince = { fault: 0, clock: 0 };
  #running = true;
  #workers = [];

  /** `book` is what all rounds of the site share; `report` takes what is wrong. */
  constructor(site, book, seed, report) {
    Object.assign(this, { site, book, seed, report });
  }

  async start() {
    await this.signIn();
    const work = (name, step, thought = LONGEST_THOUGHT) => this.#workers.push(this.#work(name, step, thought));
    for (let number = 0; number < EXCHANGERS; number++)
      work(`exchanger ${number}`, (choice) => this.#exchangeAny(choice));
    work('caller', (choice) => this.#call(choice));
    work('reader', (choice) => this.#read(choice));
    work('verifier', (choice) => this.#readKeys(choice), 4 * LONGEST_THOUGHT);
    work('command line', (choice) => this.#change(choice, this.#byCommand), 2 * LONGEST_THOUGHT);
    work('dashboard', (choice) => this.#change(choice, this.#byForm), 2 * LONGEST_THOUGHT);
  }

  /** Ends the load; resolves when each request has its answer. */
  async stop() {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  /**
   * From now on something is wrong. A `fault`: an answer may be missing, or be 500 or 503. The `clock`: what has a time
   * (assertions, tokens, sessions) may be refused.
   */
  begin(what) {
    this.#wrong[what] = true;
  }

  /** From now on everything is right again. What was asked before may still have a wrong answer. */
  end(what) {
    this.#wrong[what] = false;
    this.#rightSince[what] = performance.now();
  }

  endAll() {
    for (const what of Object.keys(this.#wrong)) this.end(what);
  }

  /** Whether something was wrong at this moment, or has been since. */
  #wasWrong(what, moment) {
    return this.#wrong[what] || moment < this.#rightSince[what];
  }

  /** Resolves after so many more exchanges. */
  async more(count) {
    const wanted = this.count.exchanged + count;
    await this.until(() => this.count.exchanged >= wanted, LONGEST_STANDSTILL, `${count} more exchanges`);
  }

  /** Resolves to whether this became so. If it did not, that is reported as `what`. */
  async until(isSo, deadline, what) {
    const end = performance.now() + deadline;
    for (;;) {
      if (await isSo()) return true;
      if (performance.now() > end) break;
      await pause(20);
    }
    if (what) this.report(`${what}: not within ${deadline / 1000} s`);
    return false;
  }

  async #work(name, step, thought) {
    const choice = random(`${this.seed} ${name}`);
    while (this.#running) {
      await step(choice);
      await pause(choice.between(0, thought));
    }
  }

  async #send(choice, method, path, headers, body, node = choice.pick(this.site.nodes)) {
    const from = `10.${choice.between(0, 255)}.${choice.between(0, 255)}.${choice.between(1, 254)}`;
    const answer = await node.send(method, path, { headers: { 'X-Forwarded-For': from, ...headers }, body });
    this.count.longest = Math.max(this.count.longest, answer.took);
    return answer;
  }

  /** Holds an answer that is not what was asked for against what is allowed. */
  #failed(what, { lost, stale, status, headers, text, began }) {
    const isFaulty = this.#wasWrong('fault', began);
    if (lost) {
      this.count.lost += 1;
      if (lost === 'no answer') this.report(`${what}: no answer for ${LONGEST_ANSWER / 1000} s`);
      else if (!isFaulty && !stale) this.report(`${what}: the connection broke (${lost}), and nothing was wrong`);
    } else if (status === 500 || status === 503) {
      this.count.refused += 1;
      if (!isFaulty) this.report(`${what}: ${status}, and nothing was wrong`);
      if (status === 503 && !headers['retry-after']) this.report(`${what}: 503 without Retry-After`);
      if (!what.startsWith('page') && !isJson(text)) this.report(`${what}: ${status} that is not JSON`);
    } else {
      this.report(`${what}: ${status} ${headers.location ?? ''} ${text.slice(0, 120)}`);
    }
  }

  #exchangeAny(choice) {
    // Now and then with what has ended.
    const all = this.book.credentials;
    const live = all.filter((each) => !each.isOver);
    const credential = choice.pick(choice.chance(0.85) ? live : all);
    const working = credential.proofs.filter((proof) => !proof.isOver);
    return this.exchange(
      choice,
      credential,
      choice.pick(working.length && choice.chance(0.9) ? working : credential.proofs),
    );
  }

  /** Asks for a token, and notes it. */
  async #ask(choice, credential, proof, node) {
    const { headers, body, assertion } = credential.request(proof, choice.chance, this.site.origin);
    const answer = await this.#send(choice, 'POST', '/mcp/oauth/token', headers, body, node);
    if (answer.status === 200) {
      this.count.exchanged += 1;
      const isSkewed = this.#wasWrong('clock', answer.began);
      credential.tokens.push(new Token(JSON.parse(answer.text).access_token, { proof, isSkewed }));
      if (assertion) credential.used.push({ headers, body, at: performance.now() });
    } else if (answer.status !== 401 && !answer.unsent) {
      credential.maybe += 1;
    }
    return answer;
  }

  /** One exchange; resolves to the answer. */
  async exchange(choice, credential, proof) {
    const answer = await this.#ask(choice, credential, proof);
    if (answer.status === 200) {
      if (credential.isOverAt(answer.began) || proof.isOverAt(answer.began))
        this.report(`${credential.id}: an exchange after its acknowledged end succeeded`);
      if (proof.wasRefusedBefore(answer.began))
        this.report(`${credential.id}: an exchange succeeded after one that was refused because of an end`);
    } else if (answer.status === 401) {
      const isSkewed = credential.hasKey && this.#wasWrong('clock', answer.began);
      if (credential.mayBeOver || proof.mayBeOver) proof.noteRefusal(isSkewed);
      else if (!isSkewed) this.report(`${credential.id}: 401 for a right ${proof.key ? 'assertion' : 'secret'}`);
    } else {
      this.#failed('exchange', answer);
    }
    return answer;
  }

  /** Those who verify tokens themselves get the keys, also while the database is away. */
  async #readKeys(choice) {
    const answer = await this.#send(choice, 'GET', '/mcp/oauth/jwks');
    if (answer.status === 503) this.report('the keys for those who verify tokens: 503');
    else if (answer.status !== 200) this.#failed('keys', answer);
  }

  /** A call of the built-in MCP server with a token that was handed out lately. Now and then the token is revoked. */
  async #call(choice) {
    const live = this.book.credentials.filter((each) => !each.mayBeOver);
    const credential = choice.pick(live);
    const lately = credential.tokens.slice(-20).filter((each) => !each.mayBeOver);
    if (!lately.length) return;
    const token = choice.pick(lately);
    if (choice.chance(0.1)) return this.#revoke(choice, credential, token);
    const answer = await this.call(choice, token);
    if (answer.status === 200) return;
    const ends = token.claims.exp * 1000 < Date.now() + LONGEST_ANSWER;
    const hasEnded = credential.mayBeOver || token.proof.mayBeOver || ends || this.book.mayBeLost(token);
    const isSkewed = token.isSkewed || this.#wasWrong('clock', answer.began);
    if (answer.status !== 401 || !(hasEnded || isSkewed)) this.#failed('call of /mcp', answer);
  }

  /** A client ends one of its tokens (RFC 7009). */
  async #revoke(choice, credential, token) {
    const { headers, body } = credential.request(token.proof, choice.chance, this.site.origin);
    token.askEnd();
    const answer = await this.#send(choice, 'POST', '/mcp/oauth/revoke', headers, `${body}&token=${token.text}`);
    if (answer.status === 200) {
      token.endsNow();
      this.count.changed += 1;
      return;
    }
    const isSkewed = credential.hasKey && this.#wasWrong('clock', answer.began);
    const isRight = credential.mayBeOver || token.proof.mayBeOver || isSkewed;
    if (answer.status !== 401 || !isRight) this.#failed('revocation of a token', answer);
  }

  call(choice, { text }, node) {
    return this.#send(
      choice,
      'POST',
      '/mcp',
      {
        Authorization: `Bearer ${text}`,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': '2025-11-25',
      },
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}',
      node,
    );
  }

  /** Sends an assertion a second time. */
  replay(choice, { headers, body }) {
    return this.#send(choice, 'POST', '/mcp/oauth/token', headers, body);
  }

  /** Whether a server says that it is ready and does everything: an exchange, a call with its token, a page. */
  async isWhole(node, isRight = () => true) {
    if (!(await node.readiness()).isReady) return false;
    const choice = random('whole');
    for (const credential of this.book.probes) {
      const answer = await this.#ask(choice, credential, credential.proofs[0], node);
      if (answer.status !== 200) return false;
      const token = credential.tokens.at(-1);
      if (!isRight(token.claims) || (await this.call(choice, token, node)).status !== 200) return false;
    }
    return (await this.browser.get('/')).status === 200;
  }

  // ---- The dashboard

  async signIn() {
    const began = performance.now();
    const choice = random(`${this.seed} browser`);
    this.browser = new Browser(this.site.origin, (...request) => this.#send(choice, ...request));
    const answer = await this.browser.get('/login');
    if (answer.status !== 200) return this.#failed('page /login', answer);
    const form = findForm(answer.text, 'password');
    const fields = form.fill({
      [form.nameOf('email')]: this.book.email,
      [form.nameOf('password')]: this.book.password,
    });
    const signed = await this.browser.post('/login', fields);
    // A form that was made at another time is not taken.
    if (signed.status !== 303 && !this.#wasWrong('clock', began)) this.#failed('page /login', signed);
  }

  /** Whether the page came. If the session has ended because of the clock, there is a new one. */
  async #page(path, answer) {
    if (answer.status === 200) return true;
    if (answer.status === 303 && answer.headers.location.startsWith('/login') && this.#wasWrong('clock', answer.began))
      await this.signIn();
    else this.#failed(`page ${path.replace(/csc_\w+/, 'ID')}`, answer);
    return false;
  }

  async #read(choice) {
    const path = choice.pick([
      '/',
      '/credentials',
      '/activity',
      `/credentials/${choice.pick(this.book.credentials).id}`,
    ]);
    await this.#page(path, await this.browser.get(path));
  }

  // ---- Changes

  async #change(choice, by) {
    const { credentials, probes } = this.book;
    const free = credentials.filter((each) => !each.mayBeOver && !each.isChanging && !probes.includes(each));
    const kind =
      free.length < FEWEST
        ? 'generate'
        : free.length > MOST
          ? 'revoke'
          : choice.pick(['generate', 'revoke', 'revoke', 'rotate', 'overlap', 'finish']);
    const able = {
      rotate: (each) => !each.hasKey && !each.isMuddled && !each.isRotating,
      overlap: (each) => !each.hasKey && !each.isMuddled && !each.isRotating,
      finish: (each) => each.isRotating && !each.isMuddled,
    }[kind];
    const candidates = able ? free.filter(able) : free;
    if (kind === 'generate') return by.call(this, kind, choice);
    if (!candidates.length) return;
    const credential = choice.pick(candidates);
    credential.isChanging = true;
    await by.call(this, kind, choice, credential);
    credential.isChanging = false;
  }

  /** Notes how a change went: acknowledged, or nobody knows. */
  #note(credential, kind, isAcknowledged) {
    credential.changes[kind][isAcknowledged ? 0 : 1] += 1;
    if (isAcknowledged) this.count.changed += 1;
  }

  #generated(credential) {
    this.book.generated[0] += 1;
    this.count.changed += 1;
    this.book.credentials.push(credential);
  }

  async #command(args) {
    const began = performance.now();
    const { code, signal, stdout, stderr, took } = await this.site.command(args);
    if (took > 2 * LONGEST_ANSWER) this.report(`countersign ${args[0]} ${args[1]} took ${Math.round(took / 1000)} s`);
    const isDone = code === 0;
    if (!isDone && !this.#wasWrong('fault', began))
      this.report(`countersign ${args[0]} ${args[1]} failed (${signal ?? code}), and nothing was wrong: ${stderr}`);
    if (code === 1 && !stderr.trim()) this.report(`countersign ${args[0]} ${args[1]} failed and did not say why`);
    return { isDone, stdout };
  }

  async #byCommand(kind, choice, credential) {
    if (kind === 'generate') return this.#generateByCommand(choice);
    if (kind === 'revoke') {
      credential.askEnd();
      const { isDone } = await this.#command(['credential', 'revoke', credential.id]);
      if (isDone) credential.endsNow();
      return this.#note(credential, 'revoke', isDone);
    }
    if (kind === 'finish') return this.#finish(credential);
    return this.#rotate(credential, kind === 'overlap');
  }

  async #generateByCommand(choice) {
    const { args, credentialOf } = this.book.request(choice.chance(0.4));
    const { isDone, stdout } = await this.#command(args);
    if (!isDone) return void (this.book.generated[1] += 1);
    this.#generated(credentialOf(stdout));
  }

  async #rotate(credential, overlaps) {
    const old = credential.proofs.filter((proof) => !proof.isOver);
    if (!overlaps) for (const proof of old) proof.askEnd();
    const { isDone, stdout } = await this.#command([
      'credential',
      'rotate',
      credential.id,
      '--overlap',
      overlaps ? '24h' : '0s',
      '--format',
      'json',
    ]);
    this.#note(credential, 'rotate', isDone);
    if (!isDone) return void (credential.isMuddled = true);
    if (!overlaps) for (const proof of old) proof.endsNow();
    credential.isRotating = overlaps;
    credential.proofs.push(new Proof({ secret: JSON.parse(stdout).client_secret }));
  }

  async #finish(credential) {
    const old = credential.proofs.slice(0, -1).filter((proof) => !proof.isOver);
    for (const proof of old) proof.askEnd();
    const { isDone } = await this.#command(['credential', 'finish-rotation', credential.id]);
    this.#note(credential, 'finish', isDone);
    if (!isDone) return void (credential.isMuddled = true);
    for (const proof of old) proof.endsNow();
    credential.isRotating = false;
  }

  async #byForm(kind, choice, credential) {
    if (kind === 'generate') return this.#generateByForm();
    if (kind === 'revoke') return this.#revokeByForm(credential);
  }

  async #form(path, action) {
    const answer = await this.browser.get(path);
    if (!(await this.#page(path, answer))) return null;
    if (/type="password"/.test(answer.text)) return void (await this.signIn());
    return findForm(answer.text, 'text', action);
  }

  async #generateByForm() {
    const path = '/credentials/new';
    const form = await this.#form(path, path);
    if (!form) return;
    const answer = await this.browser.post(path, form.fill({ name: `form ${this.book.credentials.length}` }));
    const [id] = answer.text?.match(/csc_\w{22}/) ?? [];
    const [secret] = answer.text?.match(/css_\w{49}/) ?? [];
    if (answer.status === 200 && id && secret) return this.#generated(new Credential(id, new Proof({ secret })));
    if (answer.text?.includes('type="password"')) return this.signIn();
    if (!answer.unsent) this.book.generated[1] += 1;
    await this.#page(path, answer.status === 200 ? { ...answer, status: 'a page without a secret' } : answer);
  }

  async #revokeByForm(credential) {
    const form = await this.#form(`/credentials/${credential.id}/revoke`, '/fn/revoke_credentials');
    if (!form) return;
    credential.askEnd();
    const answer = await this.browser.post('/fn/revoke_credentials', form.fill({ reason: 'sweep' }));
    const isDone = answer.status === 303 && answer.headers.location.includes('done=');
    if (isDone) credential.endsNow();
    this.#note(credential, 'revoke', isDone);
    if (!isDone) await this.#page('/fn/revoke_credentials', answer);
  }
}

function isJson(text) {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
