// oauth4webapi as a machine, for a person, and as the MCP server that checks the token (RFC 9068).
import * as oauth from 'oauth4webapi';
import { allow } from '../browser.mjs';
import { callWhoami } from './whoami.mjs';

const { CLIENT_ID, CLIENT_SECRET, RESOURCE, REDIRECT_URI } = process.env;
const person = { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD };
const [way] = process.argv.slice(2);
const issuer = new URL(process.env.ISSUER);
const options = { [oauth.allowInsecureRequests]: true };

const discovered = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' });
const as = await oauth.processDiscoveryResponse(issuer, discovered);
const client = { client_id: CLIENT_ID };

/** The check of an MCP server that uses this library. */
async function check(token) {
  const request = new Request(RESOURCE, { headers: { Authorization: `Bearer ${token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, RESOURCE, options);
  if (claims.client_id !== CLIENT_ID) throw new Error(`a token of ${claims.client_id}`);
}

if (way === 'machine') {
  const proof = oauth.ClientSecretBasic(CLIENT_SECRET);
  const parameters = new URLSearchParams({ resource: RESOURCE });
  const answer = await oauth.clientCredentialsGrantRequest(as, client, proof, parameters, options);
  const { access_token } = await oauth.processClientCredentialsResponse(as, client, answer);
  await check(access_token);
  await callWhoami(access_token);
} else {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const address = new URL(as.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    resource: RESOURCE,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  // It checks `iss` of the answer too (RFC 9207).
  const parameters = oauth.validateAuthResponse(as, client, new URL(await allow(address.href, person)), state);
  const redeemed = await oauth.authorizationCodeGrantRequest(
    as, client, oauth.None(), parameters, REDIRECT_URI, verifier, options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, redeemed);
  await check(tokens.access_token);
  await callWhoami(tokens.access_token);
  const refreshed = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, options);
  await callWhoami((await oauth.processRefreshTokenResponse(as, client, refreshed)).access_token);
}
