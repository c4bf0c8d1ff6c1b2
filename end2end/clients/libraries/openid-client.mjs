// openid-client as a machine (secret, key) and for a person: discovery in both places, grants, introspection,
// revocation.
import { readFileSync } from 'node:fs';
import * as client from 'openid-client';
import { allow } from '../browser.mjs';
import { callWhoami } from './whoami.mjs';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, KEY_FILE, ALGORITHM, RESOURCE, REDIRECT_URI } = process.env;
const person = { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD };
const [way, algorithm = 'oidc'] = process.argv.slice(2);

const key = async () => {
  const pem = readFileSync(KEY_FILE, 'utf8').replace(/-----[^-]+-----|\s/g, '');
  const kind = { ES256: { name: 'ECDSA', namedCurve: 'P-256' }, RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } }[ALGORITHM];
  return crypto.subtle.importKey('pkcs8', Buffer.from(pem, 'base64'), kind, false, ['sign']);
};
const methods = {
  post: () => client.ClientSecretPost(CLIENT_SECRET),
  basic: () => client.ClientSecretBasic(CLIENT_SECRET),
  key: async () => client.PrivateKeyJwt(await key()),
  person: async () => (KEY_FILE ? client.PrivateKeyJwt(await key()) : client.None()),
};
const options = { execute: [client.allowInsecureRequests], algorithm };
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, await methods[way](), options);

if (way !== 'person') {
  const tokens = await client.clientCredentialsGrant(config, { resource: RESOURCE });
  await callWhoami(tokens.access_token);
  const state = await client.tokenIntrospection(config, tokens.access_token);
  if (!state.active) throw new Error('the token is not active');
  await client.tokenRevocation(config, tokens.access_token);
  if ((await client.tokenIntrospection(config, tokens.access_token)).active) throw new Error('the token still is active');
} else {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    resource: RESOURCE,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const back = new URL(await allow(address.href, person));
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const tokens = await client.authorizationCodeGrant(config, back, checks, { resource: RESOURCE });
  await callWhoami(tokens.access_token);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, { resource: RESOURCE });
  await callWhoami(next.access_token);
}
