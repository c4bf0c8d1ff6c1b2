import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from '@playwright/test';
import { SignJWT } from 'jose';
import { allow } from '../clients/browser.mjs';
import { row } from '../interoperability';
import { person } from './browser';
import { Countersign } from './countersign';
import { Website } from './website';

/**
 * Programs that run at their maker's only. The requests and documents here have the shape of theirs: the same members,
 * methods and kinds of addresses. Their documents lie at a host of the test, because this test reaches no other.
 */
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
let website: Website;
let host: string;
let server: Countersign;

const CODE = ['authorization_code', 'refresh_token'];
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The documents, by path. Each says first that it is its own address. */
const documents: Record<string, () => object> = {
  '/oauth/mcp-oauth-client-metadata': () => ({
    client_name: 'Claude',
    client_uri: host,
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: [...CODE, JWT_BEARER],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
  }),
  '/oauth/claude-code-client-metadata': () => ({
    client_name: 'Claude Code',
    redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    grant_types: CODE,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  }),
  '/oauth/0123abcd/client.json': () => ({
    client_name: 'ChatGPT',
    redirect_uris: ['https://chatgpt.com/connector/oauth/0123abcd'],
    grant_types: CODE,
    response_types: ['code'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'RS256',
    jwks_uri: `${host}/oauth/jwks.json`,
  }),
  '/oauth/client-metadata.json': () => ({
    client_name: 'Visual Studio Code',
    redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
    grant_types: CODE,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }),
};

test.beforeAll(async () => {
  website = await Website.start((request, response) => {
    const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' };
    const document = documents[request.url!];
    const content = document ? { client_id: host + request.url, ...document() } : { keys: [jwk] };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(content));
  });
  host = website.address;
  server = await Countersign.startIn(
    { SSL_CERT_FILE: website.certificate }, '--private-clients', website.host, '--dynamic-registration', 'on',
  );
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  await website.stop();
});

type Proof = () => Promise<Record<string, string>>;

/** A person signs in, the client redeems the code and refreshes, and both tokens call a tool for the person. */
async function complete(client_id: string, redirect_uri: string, parameters: Record<string, string>, prove: Proof) {
  const metadata = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).json();
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code', client_id, redirect_uri, state: randomUUID(), ...parameters,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  const back = new URL(await allow(`${metadata.authorization_endpoint}?${query}`, person));
  expect(back.href.startsWith(redirect_uri), back.href).toBe(true);
  expect(back.searchParams.get('iss')).toBe(metadata.issuer);
  expect(back.searchParams.get('state')).toBe(query.get('state'));
  const code = back.searchParams.get('code')!;
  server.secret(`code of ${client_id}`, code);
  const redeem = async (fields: Record<string, string>) => {
    const body = new URLSearchParams({ ...fields, ...(parameters.resource && { resource: parameters.resource }) });
    const proof = await prove();
    const { Authorization, ...inBody } = proof;
    for (const [name, value] of Object.entries(inBody)) body.set(name, value);
    const headers = Authorization ? { Authorization } : undefined;
    const answer = await fetch(metadata.token_endpoint, { method: 'POST', body, headers });
    const tokens = await answer.json();
    expect(answer.status, JSON.stringify(tokens)).toBe(200);
    server.secret(`access token ${tokens.access_token.slice(-8)}`, tokens.access_token.split('.')[2]);
    server.secret(`refresh token of ${client_id}`, tokens.refresh_token);
    return tokens;
  };
  const first = await redeem({ grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier });
  const next = await redeem({ grant_type: 'refresh_token', refresh_token: first.refresh_token });
  for (const { access_token } of [first, next]) {
    const answer = await server.callMcp(access_token, 'tools/call', { name: 'whoami', arguments: {} });
    expect(await answer.text()).toContain(person.name);
  }
}

const resource = () => ({ resource: `${server.url}/mcp` });
const named = (client_id: string): Proof => async () => ({ client_id });

async function register(metadata: object): Promise<any> {
  const { registration_endpoint } = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).json();
  const answer = await fetch(registration_endpoint, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(metadata),
  });
  const client = await answer.json();
  expect(answer.status, JSON.stringify(client)).toBe(201);
  if (client.registration_access_token) server.secret(`registration of ${client.client_id}`, client.registration_access_token);
  if (client.client_secret) server.secret(`secret of ${client.client_id}`, client.client_secret);
  return client;
}

const product = (name: string, way: string, body: () => Promise<void>) => test(`${name}: ${way}`, row(name, way), body);

product('Claude', 'its document', async () => {
  const id = `${host}/oauth/mcp-oauth-client-metadata`;
  await complete(id, 'https://claude.ai/api/mcp/auth_callback', resource(), named(id));
});

product('Claude', 'registers itself with a grant that is not for it', async () => {
  const client = await register({
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: [...CODE, JWT_BEARER],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    scope: 'mcp:read',
    dpop_bound_access_tokens: false,
  });
  expect(client.grant_types).toEqual(CODE);
  await complete(client.client_id, client.redirect_uris[0], resource(), named(client.client_id));
});

product('Claude Code', 'its document, on a port of its own', async () => {
  const id = `${host}/oauth/claude-code-client-metadata`;
  await complete(id, 'http://localhost:54212/callback', { ...resource(), scope: 'mcp:read offline_access' }, named(id));
});

product('ChatGPT and Codex', 'its document, with keys', async () => {
  const id = `${host}/oauth/0123abcd/client.json`;
  const proof: Proof = async () => ({
    client_id: id,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(id).setSubject(id).setAudience(`${server.url}/mcp/oauth/token`)
      .setIssuedAt().setExpirationTime('5m').sign(keys.privateKey),
  });
  await complete(id, 'https://chatgpt.com/connector/oauth/0123abcd', resource(), proof);
});

product('Codex', 'registers itself, and names no resource', async () => {
  const client = await register({
    client_name: 'Codex', redirect_uris: ['http://127.0.0.1:1455/auth/callback'], grant_types: CODE,
    response_types: ['code'], token_endpoint_auth_method: 'none',
  });
  await complete(client.client_id, client.redirect_uris[0], { scope: 'mcp:read' }, named(client.client_id));
});

product('Cursor', 'registers itself with an address of its own scheme', async () => {
  const client = await register({
    client_name: 'Cursor', redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'], grant_types: CODE,
    response_types: ['code'], token_endpoint_auth_method: 'none',
  });
  await complete(client.client_id, client.redirect_uris[0], resource(), named(client.client_id));
});

product('VS Code', 'its document', async () => {
  const id = `${host}/oauth/client-metadata.json`;
  await complete(id, 'http://127.0.0.1:33418/', resource(), named(id));
});

product('Bedrock AgentCore', 'for a person: discovery by OpenID, a client that an administrator added', async () => {
  const discovered = await fetch(`${server.url}/.well-known/openid-configuration`);
  expect((await discovered.json()).subject_types_supported).toEqual(['public']);
  const redirect = 'https://bedrock-agentcore.us-east-1.amazonaws.com/identities/oauth2/callback/0123';
  const text = await server.command([
    'client', 'create', '--name', 'AgentCore', '--redirect-uri', redirect, '--confidential', '--format', 'json',
  ]);
  const { client_id, client_secret } = JSON.parse(text);
  server.secret('secret of AgentCore', client_secret);
  const Authorization = `Basic ${btoa(`${client_id}:${client_secret}`)}`;
  server.secret('header of AgentCore', btoa(`${client_id}:${client_secret}`));
  await complete(client_id, redirect, resource(), async () => ({ Authorization }));
});

product('Bedrock AgentCore', 'for itself', async () => {
  const { token_endpoint } = await (await fetch(`${server.url}/.well-known/openid-configuration`)).json();
  const { client_id, client_secret } = await server.createCredential('AgentCore');
  const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'mcp:read', client_id, client_secret });
  const answer = await fetch(token_endpoint, { method: 'POST', body });
  const { access_token } = await answer.json();
  expect(answer.status).toBe(200);
  server.secret('token of AgentCore', access_token.split('.')[2]);
  const called = await server.callMcp(access_token, 'tools/call', { name: 'whoami', arguments: {} });
  expect(await called.text()).toContain(client_id);
});
