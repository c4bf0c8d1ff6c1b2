import { createHmac, timingSafeEqual } from 'node:crypto';

// Returns the event, or throws. headers: those of the request; body: its bytes as they arrived, before any parsing.
export function verify(secret, headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures = '' } = headers;
  // What was recorded and is sent again later is refused.
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) throw new Error('sent too long ago');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const matches = (signature) => {
    const [version, value = ''] = signature.split(',');
    const given = Buffer.from(value, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  };
  // While a secret is being replaced there is a signature of each.
  if (!signatures.split(' ').some(matches)) throw new Error('not signed with this secret');
  return JSON.parse(body);
}
