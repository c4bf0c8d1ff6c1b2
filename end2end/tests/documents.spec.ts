import { expect, test } from '@playwright/test';
import { Countersign } from './countersign';
import { changed, file, program } from './documents';
import { freePort } from './programs';

/** The commands of the documents, in the order in which somebody would give them. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let metricsPort: number;
/** The variables of the guide's first credential. */
let nightly: Record<string, string>;

test.beforeAll(async () => {
  metricsPort = await freePort();
  server = await Countersign.start('--metrics-listen', `127.0.0.1:${metricsPort}`);
});

test.afterAll(async () => {
  // What the commands were told to write with a secret in it.
  await server.shell('rm -f *.env clients.jsonl build.log password.txt');
  expect(await server.traces()).toEqual([]);
  await server.remove();
});

/** The variables that a command wrote to a file. */
async function variables(name: string): Promise<Record<string, string>> {
  const lines = (await server.shell(`cat ${name}`)).trim().split('\n');
  const found = Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)));
  server.secret(name, found.MCP_CLIENT_SECRET);
  return found;
}

const here = (name: string) => changed(program(name), 'https://auth.example.com', server.url);
const secretIn = (text: string) => /css_[0-9A-Za-z]{49}/.exec(text)![0];

async function status(id: string, secret: string): Promise<number> {
  return (await server.exchange(id, secret)).status;
}

test('the first credential is exchanged', async () => {
  await server.shell(program('create'));
  nightly = await variables('nightly-index.env');
  const line = changed(program('exchange'), 'http://localhost:8080', server.url);
  const answer = JSON.parse(await server.shell(line, nightly));
  expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 600, scope: 'mcp:read' });
  const called = await server.callMcp(answer.access_token, 'tools/call', { name: 'whoami' });
  expect(await called.text()).toContain('nightly-index');
});

test('an MCP server of one’s own has its tokens checked', async () => {
  await server.shell(program('own-server'));
  const reader = await variables('docs-reader.env');
  expect(reader.MCP_SERVER_URL).toBe('https://docs.example.com/mcp');
  await server.shell(program('checker'));
  const checker = await variables('docs-checker.env');
  const token = await server.accessToken(reader.MCP_CLIENT_ID, reader.MCP_CLIENT_SECRET);
  const ask = async (TOKEN: string) => JSON.parse(await server.shell(program('introspect'), { ...checker, TOKEN }));
  expect(await ask(token)).toMatchObject({ active: true, aud: 'https://docs.example.com/mcp', scope: 'docs:read' });
  const other = await server.accessToken(nightly.MCP_CLIENT_ID, nightly.MCP_CLIENT_SECRET);
  expect(await ask(other)).toEqual({ active: false });
});

test('apps, teams and administrators', async () => {
  const client = await server.shell(program('client'));
  server.secret('secret of the app', secretIn(client));
  const made = await server.shell(program('team'));
  server.secret('secret of the team', secretIn(made));
  const id = /csc_\w{22}/.exec(made)![0];
  expect(await server.command(['credential', 'show', id])).toMatch(/team: +Default/);
  const password = 'quiet otter paints doors';
  server.secret('password', password);
  await server.shell(`echo '${password}' > password.txt`);
  expect(await server.shell(program('administrator'))).toContain('Created administrator ada@example.com');
});

test('a secret is rotated', async () => {
  const { MCP_CLIENT_ID, MCP_CLIENT_SECRET: old } = nightly;
  const rotate = async () => {
    const secret = secretIn(await server.shell(program('rotate'), { MCP_CLIENT_ID }));
    server.secret(`secret ${secret.slice(-4)}`, secret);
    return secret;
  };
  const second = await rotate();
  expect([await status(MCP_CLIENT_ID, old), await status(MCP_CLIENT_ID, second)]).toEqual([200, 200]);
  await server.shell(program('finish'), { MCP_CLIENT_ID });
  expect([await status(MCP_CLIENT_ID, old), await status(MCP_CLIENT_ID, second)]).toEqual([401, 200]);
  const third = await rotate();
  await server.shell(program('extend'), { MCP_CLIENT_ID });
  expect([await status(MCP_CLIENT_ID, second), await status(MCP_CLIENT_ID, third)]).toEqual([200, 401]);
});

test('a leak is answered, here and from outside', async () => {
  const leaked = await server.createCredential('leaked');
  await server.shell(`echo 'export MCP_CLIENT_SECRET=${leaked.client_secret}' > build.log`);
  expect(await server.shell(program('leak'))).toContain('Revoked: 1');
  expect(await status(leaked.client_id, leaked.client_secret)).toBe(401);

  const reported = await server.createCredential('reported');
  expect(await status(reported.client_id, reported.client_secret)).toBe(200);
  await server.shell(here('report'), { LEAKED: reported.client_secret });
  expect(await status(reported.client_id, reported.client_secret)).toBe(401);
});

test('a credential is stopped, and ended', async () => {
  const { client_id: MCP_CLIENT_ID, client_secret } = await server.createCredential('to stop');
  const said = await server.shell(program('disable'), { MCP_CLIENT_ID });
  expect(said).toMatch(/Disabled .*\nEnabled /);
  expect(await status(MCP_CLIENT_ID, client_secret)).toBe(200);
  await server.shell(program('revoke'), { MCP_CLIENT_ID });
  expect(await status(MCP_CLIENT_ID, client_secret)).toBe(401);
  expect(await server.command(['credential', 'show', MCP_CLIENT_ID])).toContain('found in a log');
});

test('a signing key is replaced', async () => {
  const { client_id, client_secret } = await server.createCredential('signed');
  const token = await server.accessToken(client_id, client_secret);
  expect((await server.callMcp(token, 'tools/list')).status).toBe(200);
  await server.shell(program('signing-key'));
  await expect.poll(async () => (await server.callMcp(token, 'tools/list')).status).toBe(401);
});

test('the server is watched', async () => {
  const { port } = new URL(server.url);
  const said = await server.shell(program('monitor'), { COUNTERSIGN_LISTEN: `127.0.0.1:${port}` });
  expect(said).toMatch(/^ready\nThe audit log is intact/);
  expect(await server.shell('cat audit.csv')).toContain('credential.revoked');
  const metrics = await server.shell(changed(program('metrics'), '127.0.0.1:9464', `127.0.0.1:${metricsPort}`));
  expect(metrics).toMatch(/^countersign_exchanges_total [1-9]/m);
});

test('credentials of another system are taken over', async () => {
  const lines = file('clients.jsonl');
  await server.shell(`cat > clients.jsonl <<'END'\n${lines}\nEND`);
  const said = await server.shell(program('import'));
  expect(said).toMatch(/2 credentials would be imported\.\nImported 2 credentials/);
  for (const [id, secret] of [['nightly', 'secret-of-nightly'], ['0oa1b2c3', 'secret-of-release-notes']])
    expect((await server.exchange(id, secret, 'post')).status).toBe(200);
});

test('a policy is observed and enforced', async () => {
  const said = await server.shell(program('policy'));
  expect(said).toContain('Set secret_lifetime observe  90 days');
  expect(said).toMatch(/Does not comply: \d+/);
  expect(said).toContain('Set secret_lifetime enforce  90 days');
});

test('a backup is restored without what was revoked since, and the master key is replaced', async () => {
  const kept = await server.createCredential('kept');
  const revoked = await server.createCredential('revoked since');
  expect(await server.shell(program('backup'))).toContain('the file is whole');
  await server.command(['credential', 'revoke', revoked.client_id]);
  await server.stop();
  await expect(server.shell(program('restore'))).rejects.toThrow(revoked.client_id);
  expect(await server.shell(program('restore-ended'))).toContain('ended again');
  expect(await server.shell(program('master-key'))).toContain('under a new master key');
  expect(await server.command(['credential', 'show', kept.client_id])).toContain('kept');
  expect(await server.command(['credential', 'show', revoked.client_id])).toMatch(/status: +revoked/);
});
