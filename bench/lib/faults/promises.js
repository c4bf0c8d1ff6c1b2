// What the servers of a sweep acknowledged, and so must keep: credentials, their ends, exchanges.
import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PostgreSQL writes its log after at most three times `wal_writer_delay` (200 ms). The rest is for slow machines. */
const LAST_MOMENTS = 2000; // milliseconds

const now = () => performance.now();

/** Something that works until somebody ends it: a credential, or one of its secrets. */
class Ending {
  /** When somebody asked for the end; when it was acknowledged. */
  #asked;
  #acknowledged;

  askEnd() {
    this.#asked ??= now();
  }

  endsNow() {
    this.askEnd();
    this.#acknowledged ??= now();
  }

  /** After a look at what the server has: an end whose answer was lost did not come about. */
  endedNot() {
    this.#asked = undefined;
  }

  /** Whether a refusal is right. */
  get mayBeOver() {
    return this.#asked !== undefined;
  }

  /** Whether the end was acknowledged before that moment, so that everything else than a refusal is wrong. */
  isOverAt(moment) {
    return this.#acknowledged !== undefined && this.#acknowledged < moment;
  }

  get isOver() {
    return this.#acknowledged !== undefined;
  }

  /** Whether an end was asked for, and the answer was lost. */
  get isUnknown() {
    return this.mayBeOver && !this.isOver;
  }
}

/** A secret, or a private key. */
export class Proof extends Ending {
  /** When it was refused because it, or its credential, had ended. What was seen once stays, also without an answer. */
  #refused;

  constructor({ secret, key }) {
    super();
    Object.assign(this, { secret, key });
  }

  /** The clock may be another cause. */
  noteRefusal(hasOtherCause) {
    if (!hasOtherCause) this.#refused ??= now();
  }

  wasRefusedBefore(moment) {
    return this.#refused !== undefined && this.#refused < moment;
  }
}

/** A token that was handed out: by which proof, when, and whether the clock was wrong. */
export class Token extends Ending {
  constructor(text, { proof, isSkewed }) {
    super();
    const claims = JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));
    Object.assign(this, { text, claims, proof, isSkewed, at: now() });
  }
}

export class Credential extends Ending {
  /** Of each kind of change: how many were acknowledged, and how many answers were lost. */
  changes = { revoke: [0, 0], rotate: [0, 0], finish: [0, 0] };
  /** Tokens that were handed out, and how many more there may be because answers were lost. */
  tokens = [];
  maybe = 0;
  /** Assertions that a token was handed out for. */
  used = [];
  isChanging = false;
  isRotating = false;
  /** Whether there may be a secret that nobody was told. */
  isMuddled = false;

  constructor(id, proof) {
    super();
    this.id = id;
    this.proofs = [proof];
  }

  get hasKey() {
    return this.proofs[0].key !== undefined;
  }

  /** A request for a token, with the proof in one of the ways that the server knows. */
  request(proof, chance, issuer) {
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    let assertion;
    if (proof.key) {
      assertion = assertionOf(this.id, proof.key, issuer);
      body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      body.set('client_assertion', assertion);
    } else if (chance(0.5)) {
      headers.Authorization = `Basic ${Buffer.from(`${this.id}:${proof.secret}`).toString('base64')}`;
    } else {
      body.set('client_id', this.id);
      body.set('client_secret', proof.secret);
    }
    return { headers, body: `${body}`, assertion };
  }
}

/** What one site acknowledged, over all rounds. */
export class Book {
  credentials = [];
  /** How many credentials were generated, and how many more there may be because answers were lost. */
  generated = [0, 0];
  /** Those among them that nobody changes: one with a secret, one with a key. */
  probes = [];
  email = 'sweep@example.com';
  password = randomBytes(18).toString('base64url');
  /** Moments at which what was not on the disk was lost, if that is so documented. */
  #crashes = [];

  /** `isLossy`: a crash of the database takes the last exchanges with it. `folder`: for files of keys. */
  constructor({ isLossy, folder }) {
    Object.assign(this, { isLossy, folder });
  }

  /** The database crashed at this moment. */
  crash(moment) {
    if (this.isLossy) this.#crashes.push(moment);
  }

  /** Whether an exchange may be lost that was acknowledged at this moment. */
  mayBeLost({ at }) {
    return this.#crashes.some((crash) => crash - LAST_MOMENTS < at && at < crash + LAST_MOMENTS);
  }

  /** The command that generates a credential, and what makes a credential of its output. */
  request(hasKey) {
    const args = ['credential', 'create', '--name', `job ${this.credentials.length}`, '--format', 'json'];
    let key;
    if (hasKey) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const file = join(this.folder, 'key.jwk');
      writeFileSync(file, JSON.stringify(publicKey.export({ format: 'jwk' })));
      args.push('--public-key', file);
      key = privateKey;
    }
    const credentialOf = (stdout) => {
      const { client_id: id, client_secret: secret } = JSON.parse(stdout);
      return new Credential(id, new Proof({ secret, key }));
    };
    return { args, credentialOf };
  }
}

/** An assertion (RFC 7523) that works for eight minutes: longer than a slow round. */
function assertionOf(clientId, key, issuer) {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: seconds, exp: seconds + 500 };
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const text = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
