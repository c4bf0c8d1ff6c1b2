import { createPrivateKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, type Page } from '@playwright/test';
import { build } from 'esbuild';
import { SignJWT } from 'jose';
import { createAdministrator, examine, openUntil, watch } from './browser';
import { isGuarded } from './copying';
import { Countersign } from './countersign';

/** An administrator creates credentials without a secret, and adds MCP servers. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start('--private-issuers', '127.0.0.1');
  const context = await browser.newContext({ acceptDownloads: true });
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function exchange(fields: Record<string, string>): Promise<Response> {
  const common = { grant_type: 'client_credentials', client_assertion_type: assertionType };
  const body = new URLSearchParams({ ...common, ...fields });
  return fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', body });
}

const assertion = (key: KeyObject, id: string) =>
  new SignJWT({ iss: id, sub: id, aud: server.url, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key);

async function start(method: string, name: string) {
  await page.goto(`${server.url}/credentials/new`);
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await page.getByText('More options').click();
  await page.getByRole('radio', { name: method }).check();
}

/** The program that the page of a credential or server shows in this tab. */
const shown = (tab: string) => page.locator(`#code-${tab}`).textContent();
const written = (file: string) => readFileSync(`../app/snippets/${file}`, 'utf8').trimEnd();

async function expectPrograms(name: string) {
  const endings = { python: '.py', typescript: '.mjs', 'python-v1': '_v1.py', 'typescript-v1': '_v1.mjs' };
  for (const [tab, ending] of Object.entries(endings))
    expect(await shown(tab)).toBe(written(name + ending));
}

async function listening(listener: RequestListener): Promise<[Server, string]> {
  const other = createServer(listener);
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  return [other, `http://127.0.0.1:${(other.address() as AddressInfo).port}`];
}

const clientId = () => /csc_\w{22}/.exec(page.url())![0];
const publicKey = () => page.getByRole('textbox', { name: 'Public key' });
const submit = (name: string) => page.getByRole('button', { name, exact: true }).click();
const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'spki' }) as string;

test('a public key is pasted, used, replaced and removed', async () => {
  const old = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await start('Public key', 'signer');
  await expect(page.getByRole('textbox', { name: 'Issuer', exact: true })).toBeHidden();
  const hidden = old.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  server.secret('private key that was pasted', hidden.split('\n')[1]);
  await publicKey().fill(hidden);
  await submit('Generate credentials');
  await expect(page.getByRole('alert')).toContainText('private key');
  await expect(publicKey()).toHaveValue('');
  await examine(page, 'new-key-mistake');
  await publicKey().fill(pem(old.publicKey));
  await page.getByRole('textbox', { name: 'Key label' }).fill('runner 2026');
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'signer' })).toBeVisible();
  const id = clientId();
  expect((await exchange({ client_assertion: await assertion(old.privateKey, id) })).status).toBe(200);
  await page.goto(`${server.url}/credentials/${id}`);
  await expect(page.getByRole('row', { name: /runner 2026/ })).toContainText('In use');
  await examine(page, 'credential-key');
  await page.goto(`${server.url}/credentials/${id}?view=connect`);
  await expectPrograms('client_key');
  await page.goto(`${server.url}/credentials/${id}?view=secrets`);

  const fresh = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await page.getByRole('link', { name: 'Add a key' }).click();
  await examine(page, 'key-new');
  await publicKey().fill('not a key');
  await submit('Add key');
  await expect(page.getByRole('alert')).toContainText('Paste a public key');
  await publicKey().fill(JSON.stringify(fresh.publicKey.export({ format: 'jwk' })));
  await page.getByRole('textbox', { name: 'Key label' }).fill('runner 2027');
  await submit('Add key');
  await expect(page.getByRole('status').first()).toContainText('Key added.');
  for (const key of [old, fresh])
    expect((await exchange({ client_assertion: await assertion(key.privateKey, id) })).status).toBe(200);

  await page.getByRole('row', { name: /runner 2026/ }).getByText('Remove').first().click();
  await page.getByRole('row', { name: /runner 2026/ }).getByRole('button', { name: /Remove/ }).click();
  await expect(page.getByRole('row', { name: /runner 2026/ })).toContainText('Ended');
  expect((await exchange({ client_assertion: await assertion(old.privateKey, id) })).status).toBe(401);
  expect((await exchange({ client_assertion: await assertion(fresh.privateKey, id) })).status).toBe(200);
});

test('a pair is made in the browser, and its private half stays there', { tag: '@scripts' }, async () => {
  await start('Public key', 'made in the browser');
  await submit('Generate key pair');
  await expect(page.locator('#key-status')).toContainText('Key pair generated.');
  expect(await isGuarded(page), 'the private key is nowhere else').toBe(true);
  const waiting = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download private key' }).click();
  const text = await readFile(await (await waiting).path(), 'utf8');
  expect(text).toContain('BEGIN PRIVATE KEY');
  expect(await isGuarded(page)).toBe(false);
  server.secret('private key', text.split('\n')[1]);
  await expect(publicKey()).toHaveValue(/BEGIN PUBLIC KEY/);
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'made in the browser' })).toBeVisible();
  const answer = await exchange({ client_assertion: await assertion(createPrivateKey(text), clientId()) });
  expect(answer.status).toBe(200);
});

test('a public key is read from a file, and a private one refused', { tag: '@scripts' }, async () => {
  const { publicKey: open, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await start('Public key', 'from a file');
  const choose = (name: string, text: string) =>
    page
      .getByLabel('Or read it from a file')
      .setInputFiles({ name, mimeType: 'application/x-pem-file', buffer: Buffer.from(text) });
  await choose('private.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
  await expect(page.locator('#key-status')).toContainText('holds a private key');
  await expect(publicKey()).toHaveValue('');
  await choose('private.jwk', JSON.stringify(privateKey.export({ format: 'jwk' })));
  await expect(page.locator('#key-status')).toContainText('holds a private key');
  await expect(publicKey()).toHaveValue('');
  await choose('public.pem', pem(open));
  await expect(publicKey()).toHaveValue(pem(open));
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'from a file' })).toBeVisible();
  expect((await exchange({ client_assertion: await assertion(privateKey, clientId()) })).status).toBe(200);
});

test('the token of a workload’s issuer stands for a secret', async () => {
  const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await start('Federated identity', 'deploy from CI');
  await page.getByRole('link', { name: 'GitHub Actions' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('deploy from CI');
  await expect(page.getByRole('textbox', { name: 'Issuer', exact: true })).toHaveValue(
    'https://token.actions.githubusercontent.com',
  );
  await examine(page, 'new-federated');
  await page.getByRole('textbox', { name: 'Subject' }).fill('repo:acme/app:ref:refs/heads/main');
  await page.getByRole('textbox', { name: 'Further conditions' }).fill('repository_owner=acme');
  const jwks = JSON.stringify({ keys: [issuer.publicKey.export({ format: 'jwk' })] });
  await page.getByRole('textbox', { name: 'Issuer’s keys' }).fill(jwks);
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'deploy from CI' })).toBeVisible();
  const id = clientId();

  const token = (claims: Record<string, string>) =>
    new SignJWT({ repository_owner: 'acme', ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer('https://token.actions.githubusercontent.com')
      .setSubject('repo:acme/app:ref:refs/heads/main')
      .setAudience(server.url)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(issuer.privateKey);
  expect((await exchange({ client_id: id, client_assertion: await token({}) })).status).toBe(200);
  expect((await exchange({ client_assertion: await token({}) })).status).toBe(200);
  const refused = await exchange({ client_id: id, client_assertion: await token({ repository_owner: 'evil' }) });
  expect(refused.status).toBe(401);
  const reason = page.getByText('repository_owner must be acme');
  await openUntil(() => page.goto(`${server.url}/credentials/${id}?view=usage`), reason);
  await page.goto(`${server.url}/credentials/${id}?view=connect`);
  await expectPrograms('client_federated');
  await examine(page, 'credential-federated');
});

/** For each kind of issuer: the words that replace the capital ones of its example, and the claims of its tokens. */
const workloads = {
  'GitHub Actions': {
    words: { OWNER: 'acme', REPOSITORY: 'site' },
    claims: {
      jti: randomUUID(), sub: 'repo:acme/site:ref:refs/heads/main', ref: 'refs/heads/main', sha: 'f'.repeat(40),
      repository: 'acme/site', repository_owner: 'acme', repository_owner_id: '65', run_id: '25', run_attempt: '2',
      actor: 'ada', workflow: 'deploy', event_name: 'push', ref_type: 'branch', runner_environment: 'github-hosted',
      job_workflow_ref: 'acme/site/.github/workflows/deploy.yml@refs/heads/main',
      iss: 'https://token.actions.githubusercontent.com',
    },
    wrong: { repository_owner: 'evil' },
  },
  'GitHub with owner and repository IDs': {
    words: { 'OWNER-ID': '65', 'REPOSITORY-ID': '74', OWNER: 'acme', REPOSITORY: 'site' },
    claims: {
      jti: randomUUID(), sub: 'repo:acme@65/site@74:ref:refs/heads/main', ref: 'refs/heads/main',
      repository: 'acme/site', repository_id: '74', repository_owner: 'acme', repository_owner_id: '65', run_id: '25',
      iss: 'https://token.actions.githubusercontent.com',
    },
    wrong: { repository_owner: 'evil' },
  },
  'GitLab CI': {
    words: { GROUP: 'acme', PROJECT: 'app' },
    claims: {
      namespace_id: '72', namespace_path: 'acme', project_id: '20', project_path: 'acme/app',
      user_id: '1', user_login: 'ada', pipeline_id: '574', pipeline_source: 'push', job_id: '302',
      ref: 'main', ref_type: 'branch',
      ref_path: 'refs/heads/main', ref_protected: 'true', runner_environment: 'gitlab-hosted',
      sub: 'project_path:acme/app:ref_type:branch:ref:main', iss: 'https://gitlab.com', jti: randomUUID(),
    },
    wrong: { ref_protected: 'false' },
  },
  Kubernetes: {
    words: { NAMESPACE: 'jobs', 'SERVICE-ACCOUNT': 'deploy' },
    claims: {
      sub: 'system:serviceaccount:jobs:deploy', jti: randomUUID(),
      'kubernetes.io': {
        namespace: 'jobs', node: { name: 'node-1', uid: randomUUID() }, pod: { name: 'deploy-7', uid: randomUUID() },
        serviceaccount: { name: 'deploy', uid: randomUUID() },
      },
    },
    wrong: { sub: 'system:serviceaccount:jobs:default' },
  },
  'Google Cloud': {
    words: { 'UNIQUE-ID-OF-THE-SERVICE-ACCOUNT': '107517467455664443765', NAME: 'deploy', PROJECT: 'acme' },
    claims: {
      azp: '107517467455664443765', sub: '107517467455664443765', email: 'deploy@acme.iam.gserviceaccount.com',
      email_verified: true, iss: 'https://accounts.google.com',
    },
    wrong: { email_verified: false },
  },
};

for (const [preset, { words, claims, wrong }] of Object.entries(workloads))
  test(`the example for ${preset} fits the tokens of its issuer`, async () => {
    const { publicKey: open, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = { ...open.export({ format: 'jwk' }), kid: 'key-1', alg: 'RS256', use: 'sig' };
    const jwks = JSON.stringify({ keys: [jwk] });
    const [host, address] = await listening((request, response) => {
      const discovery = JSON.stringify({ issuer: address, jwks_uri: `${address}/openid/v1/jwks` });
      response.setHeader('content-type', 'application/json');
      response.end(request.url === '/openid/v1/jwks' ? jwks : discovery);
    });
    await start('Federated identity', preset);
    await page.getByRole('link', { name: preset }).click();
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(preset);
    for (const name of ['Subject', 'Further conditions']) {
      const field = page.getByRole('textbox', { name });
      let value = await field.inputValue();
      for (const [word, replacement] of Object.entries(words)) value = value.replaceAll(word, replacement);
      expect(value).not.toMatch(/[A-Z]{3}/);
      await field.fill(value);
    }
    const issuer = page.getByRole('textbox', { name: 'Issuer', exact: true });
    // The keys of a cluster are fetched from its address. The other issuers are on the internet: their keys are pasted.
    if (preset === 'Kubernetes') await issuer.fill(address);
    else await page.getByRole('textbox', { name: 'Issuer’s keys' }).fill(jwks);
    const iss = await issuer.inputValue();
    await submit('Generate credentials');
    await expect(page.getByRole('heading', { name: preset })).toBeVisible();
    const id = clientId();

    const token = (changed: Record<string, unknown> = {}) =>
      new SignJWT({ iss, ...claims, aud: preset === 'Kubernetes' ? [server.url] : server.url, ...changed })
        .setProtectedHeader({ alg: 'RS256', kid: 'key-1', typ: 'JWT' })
        .setIssuedAt()
        .setExpirationTime(preset === 'GitHub Actions' ? '5m' : '1h')
        .sign(privateKey);
    const allowed = await token();
    expect((await exchange({ client_assertion: allowed })).status).toBe(200);
    expect((await exchange({ client_id: id, client_assertion: allowed })).status).toBe(200);
    const [[claim, value]] = Object.entries(wrong);
    expect((await exchange({ client_id: id, client_assertion: await token({ [claim]: value }) })).status).toBe(401);
    await openUntil(() => page.goto(`${server.url}/credentials/${id}?view=usage`), page.getByText(`${claim} must be`));
    host.close();
  });

test('a further MCP server gets tokens of its own', async () => {
  await page.getByRole('link', { name: 'MCP servers' }).click();
  await expect(page.getByRole('heading', { name: 'MCP servers' })).toBeVisible();
  await page.getByRole('link', { name: 'Add an MCP server' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Documents');
  await page.getByRole('textbox', { name: 'Resource' }).fill('docs.example.com');
  await page.getByRole('textbox', { name: 'Scopes' }).fill('docs:read Read the documents.\ndocs:write Change them.');
  await submit('Add MCP server');
  await expect(page.getByRole('alert')).toContainText('URL');
  await examine(page, 'server-new-mistake');
  await page.getByRole('textbox', { name: 'Resource' }).fill('https://docs.example.com/mcp');
  await submit('Add MCP server');
  await expect(page.getByRole('heading', { name: 'Documents' })).toBeVisible();
  await examine(page, 'server');
  await page.goto(`${server.url}/servers`);
  await expect(page.getByRole('rowheader', { name: 'Documents' })).toBeVisible();
  await examine(page, 'servers');

  const credential = await server.createCredential(
    'reader', '--mcp-server', 'https://docs.example.com/mcp', '--mcp-server', `${server.url}/mcp`,
    '--scope', 'docs:read', '--scope', 'mcp:read',
  );
  const granted = async (resource?: string) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...(resource && { resource }) });
    const headers = { Authorization: `Basic ${btoa(`${credential.client_id}:${credential.client_secret}`)}` };
    server.secret('basic header', headers.Authorization.slice(6));
    const answer = await fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', headers, body });
    const { access_token, scope, error } = await answer.json();
    return error ?? [JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString()).aud, scope];
  };
  expect(await granted()).toEqual(['https://docs.example.com/mcp', 'docs:read']);
  expect(await granted(`${server.url}/mcp`)).toEqual([`${server.url}/mcp`, 'mcp:read']);
  expect(await granted('https://other.example/mcp')).toBe('invalid_target');
});

const browserProgram = `
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

globalThis.connect = async (url, clientId, clientSecret, expectedIssuer) => {
  const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer });
  const client = new Client({ name: 'page', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }));
  const { tools } = await client.listTools();
  const { content } = await client.callTool({ name: 'whoami' });
  await client.close();
  return [tools.map((tool) => tool.name), content[0].text];
};
`;

test('the SDK in a page of an allowed origin calls the MCP server', { tag: '@scripts' }, async ({ browser }) => {
  const bundle = await build({
    stdin: { contents: browserProgram, resolveDir: '.' },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  const html = '<title>app</title><script type="module" src="program.js"></script>';
  const [pages, origin] = await listening((request, response) => {
    const isProgram = request.url === '/program.js';
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html');
    response.end(isProgram ? bundle.outputFiles[0].text : html);
  });
  const open = await Countersign.start('--allowed-origins', origin);
  const { client_id, client_secret } = await open.createCredential('browser app');
  const connect = (app: Page) =>
    app.evaluate(
      ([url, ...rest]) => (globalThis as any).connect(`${url}/mcp`, ...rest, url).catch(String),
      [open.url, client_id, client_secret],
    );
  const app = await browser.newPage();
  await app.goto(origin);
  const [tools, who] = await connect(app);
  expect(tools).toContain('whoami');
  expect(who).toContain(client_id);
  // The page may read the header in which the SDK finds the metadata.
  const challenge = await app.evaluate(
    async (url) => (await fetch(`${url}/mcp`, { method: 'POST' })).headers.get('www-authenticate'),
    open.url,
  );
  expect(challenge).toContain('resource_metadata=');

  const other = await browser.newPage();
  await other.goto(origin.replace('127.0.0.1', 'localhost'));
  expect(await connect(other)).toContain('TypeError');
  await app.close();
  await other.close();
  pages.close();
  await open.stop();
  await open.remove();
});
