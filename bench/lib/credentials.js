// Credentials as `countersign import` reads them, with secrets in the form of interface and checksum that it generates.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `length` characters that follow from the seed: the same in every run. */
function characters(seed, length) {
  let text = '';
  for (let block = 0; text.length < length; block++) {
    for (const byte of createHash('sha256').update(`${seed} ${block}`).digest()) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

function checksum(text) {
  let value = crc32(text) >>> 0;
  let digits = '';
  for (let place = 0; place < 6; place++) {
    digits = ALPHABET[value % 62] + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}

export function credential(number) {
  const body = `css_${characters(`secret ${number}`, 43)}`;
  return { client_id: `csc_${characters(`client ${number}`, 22)}`, client_secret: body + checksum(body) };
}

const JOBS = ['nightly-index', 'release-notes', 'invoice-export', 'mail-digest', 'search-refresh', 'backup-check', 'price-feed'];

/** Writes `count` lines. A tenth never ends, some end soon, some are disabled; or all are `alike` and work. */
export async function writeImport(file, count, { alike = false } = {}) {
  const stream = createWriteStream(file);
  const day = 24 * 3600 * 1000;
  const now = Date.now();
  for (let number = 0; number < count; number++) {
    const line = {
      ...credential(number),
      name: `${JOBS[number % JOBS.length]} ${number}`,
      description: 'Made to measure.',
      expires_at: alike || number % 10 === 0 ? null : new Date(now + (1 + (number % 400)) * day).toISOString(),
      disabled: !alike && number % 997 === 1,
    };
    if (!stream.write(JSON.stringify(line) + '\n')) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
}
