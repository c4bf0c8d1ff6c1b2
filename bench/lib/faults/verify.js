// After a fault: what was acknowledged is there, and nothing else is.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { random } from './random.js';

/** Tokens of earlier rounds that are tried once more. */
const EARLIER_TOKENS = 50;
const AT_ONCE = 8;
const EVENTS = {
  revoke: 'credential.revoked',
  rotate: 'credential.rotation_started',
  finish: 'credential.rotation_finished',
};

export async function verify({ site, load, book, report, seed }) {
  const choice = random(`${seed} verify`);
  const count = await learn({ site, book, report });
  await tryProofs({ load, book, report, choice });
  await tryTokens({ load, book, report, choice });
  await replay({ load, book, report, choice });
  await compareCounts({ load, book, report });
  await readAudit({ site, book, report, count });
  await backUp({ site, report });
  for (const panic of site.panics.splice(0)) report(`a panic: ${panic}`);
}

/** Compares the state of each credential, and learns what became of lost answers; resolves to how many there are. */
async function learn({ site, book, report }) {
  const listed = JSON.parse(await site.run(['credential', 'list', '--format', 'json']));
  const states = new Map(listed.map(({ client_id, status }) => [client_id, status]));
  const [known, unknown] = book.generated;
  const count = listed.length;
  if (count < known || count > known + unknown)
    report(`there are ${count} credentials; ${known} generations were acknowledged and ${unknown} had no answer`);
  for (const credential of book.credentials) {
    const status = states.get(credential.id);
    if (!status) {
      report(`${credential.id}: its generation was acknowledged, and it is not there`);
      continue;
    }
    const isRevoked = status === 'revoked';
    if (credential.isOver && !isRevoked)
      report(`${credential.id}: its revocation was acknowledged, and it is ${status}`);
    if (!credential.mayBeOver && isRevoked) report(`${credential.id}: it is revoked, and nobody asked for that`);
    if (credential.isUnknown && !isRevoked) credential.endedNot();
    if (isRevoked) credential.endsNow();
    if (credential.isMuddled && !isRevoked) await look(site, credential);
  }
  return count;
}

/** Learns which secrets of a credential have ended. */
async function look(site, credential) {
  const { secrets } = JSON.parse(await site.run(['credential', 'show', credential.id, '--format', 'json']));
  for (const proof of credential.proofs) {
    const found = secrets.find(({ hint }) => proof.secret.endsWith(hint.slice(-4)));
    const hasEnded = !found || found.revoked_at !== null || Date.parse(found.expires_at) <= Date.now();
    if (!proof.isUnknown) continue;
    if (hasEnded) proof.endsNow();
    else proof.endedNot();
  }
  credential.isRotating = secrets.filter(({ revoked_at: end }) => end === null).length > 1;
  credential.isMuddled = secrets.length > credential.proofs.length;
  credential.rotations = secrets.length - 1;
}

async function tryProofs({ load, book, report, choice }) {
  const all = book.credentials.flatMap((credential) => credential.proofs.map((proof) => ({ credential, proof })));
  await inParallel(all, async ({ credential, proof }) => {
    const shouldWork = !credential.isOver && !proof.isOver;
    const answer = await answered(() => load.exchange(choice, credential, proof));
    if (shouldWork && answer.status !== 200)
      report(`${credential.id}: its ${proof.key ? 'key' : 'secret'} should work: ${answer.status}`);
    if (!shouldWork && answer.status !== 401)
      report(`${credential.id}: what has ended should be refused: ${answer.status}`);
  });
}

async function tryTokens({ load, book, report, choice }) {
  const all = book.credentials.flatMap((credential) => credential.tokens.map((token) => ({ credential, token })));
  const earlier = all.filter(({ token }) => token.isTried);
  const again = Array.from({ length: Math.min(EARLIER_TOKENS, earlier.length) }, () => choice.pick(earlier));
  await inParallel([...all.filter(({ token }) => !token.isTried), ...again], async ({ credential, token }) => {
    token.isTried = true;
    const { status } = await answered(() => load.call(choice, token));
    const isOver = credential.isOver || token.proof.isOver || token.isOver;
    const isTimely = !token.isSkewed && token.claims.exp * 1000 > Date.now();
    const shouldWork = isTimely && !isOver && !token.mayBeOver && !book.mayBeLost(token);
    const { jti } = token.claims;
    if (isOver && status !== 401) report(`${credential.id}: its token ${jti} has ended and is not refused: ${status}`);
    if (shouldWork && status !== 200)
      report(`${credential.id}: an exchange that was acknowledged is lost: its token ${jti} gets ${status}`);
  });
}

/** An assertion that was used is refused. */
async function replay({ load, book, report, choice }) {
  const used = book.credentials.flatMap((credential) => credential.used.splice(0).map((one) => ({ credential, one })));
  await inParallel(used, async ({ credential, one }) => {
    const { status } = await answered(() => load.replay(choice, one));
    if (status === 200 && book.mayBeLost(one)) credential.maybe += 1;
    else if (status !== 401) report(`${credential.id}: an assertion that was used is not refused: ${status}`);
  });
}

/** The page of a credential counts each exchange once. Ended ones do not change any more, once they were compared. */
async function compareCounts({ load, book, report }) {
  await inParallel(
    book.credentials.filter((credential) => !credential.isCompared),
    async (credential) => {
      credential.isCompared = credential.isOver;
      if (credential.tokens.some(({ isSkewed }) => isSkewed)) return;
      const { status, text } = await answered(() => load.browser.get(`/credentials/${credential.id}`));
      const [, counted] = text?.match(/<span>([\d,.\s]+) exchanges?</) ?? [];
      if (counted === undefined) return report(`${credential.id}: its page counts no exchanges (${status})`);
      const count = Number(counted.replace(/\D/g, ''));
      const least = credential.tokens.filter((token) => !book.mayBeLost(token)).length;
      const most = credential.tokens.length + credential.maybe;
      if (count < least || count > most)
        report(`${credential.id}: its page counts ${count} exchanges; ${least} to ${most} are right`);
    },
  );
}

/** The chain is intact, and has exactly the entries of what happened. */
async function readAudit({ site, book, report, count }) {
  const { code, stdout, stderr } = await site.command(['audit', 'verify']);
  if (code !== 0) report(`countersign audit verify: ${stdout}${stderr}`);
  const counts = new Map();
  let generated = 0;
  for (const line of (await site.run(['audit', 'export'])).trim().split('\n')) {
    const { action, target } = JSON.parse(line);
    const key = `${action} ${target?.id}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (action === 'credential.generated') generated += 1;
  }
  if (generated !== count) report(`there are ${count} credentials, and ${generated} entries of generations`);
  for (const credential of book.credentials) {
    const found = (action) => counts.get(`${action} ${credential.id}`) ?? 0;
    if (found('credential.generated') !== 1) report(`${credential.id}: no entry of its generation`);
    if (found(EVENTS.revoke) !== (credential.isOver ? 1 : 0))
      report(`${credential.id}: ${found(EVENTS.revoke)} entries of a revocation; revoked: ${credential.isOver}`);
    const { rotations } = credential;
    delete credential.rotations;
    if (rotations !== undefined && found(EVENTS.rotate) !== rotations)
      report(`${credential.id}: ${rotations} rotations, and ${found(EVENTS.rotate)} entries of them`);
    for (const kind of ['rotate', 'finish']) {
      const [known, unknown] = credential.changes[kind];
      const entries = found(EVENTS[kind]);
      if (entries < known || entries > known + unknown)
        report(`${credential.id}: ${entries} entries of ${EVENTS[kind]}; ${known} to ${known + unknown} are right`);
    }
  }
}

/** A backup proves that the database is whole. */
async function backUp({ site, report }) {
  const file = join(site.folder, 'backup');
  const { code, stderr } = await site.command(['backup', file]);
  if (code !== 0) report(`countersign backup: ${stderr}`);
  rmSync(file, { force: true });
}

/** The answer to a request; once more if it came on a connection that the server had closed. */
async function answered(request) {
  const answer = await request();
  return answer.stale ? request() : answer;
}

async function inParallel(list, work) {
  let next = 0;
  const worker = async () => {
    while (next < list.length) await work(list[next++]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
