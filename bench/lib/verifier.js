import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, jwtVerify } from 'jose';

/** A server that verifies tokens itself: the signature, then the bit in the status list, fetched when it is stale. */
export function verifier(issuer, audience) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/mcp/oauth/jwks`));
  let list = { freshUntil: 0 };
  let fetching;

  async function refresh(uri) {
    const { payload } = await jwtVerify(await (await fetch(uri)).text(), keys, { subject: uri, typ: 'statuslist+jwt' });
    verify.ttl = payload.ttl;
    const bits = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'));
    list = { bits, freshUntil: performance.now() + payload.ttl * 1000 };
    fetching = undefined;
  }

  /** Whether the token is accepted. */
  async function verify(token) {
    const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' });
    const { idx, uri } = payload.status.status_list;
    if (performance.now() >= list.freshUntil) await (fetching ??= refresh(uri));
    return !((list.bits[idx >> 3] >> (idx & 7)) & 1);
  }
  return verify;
}
