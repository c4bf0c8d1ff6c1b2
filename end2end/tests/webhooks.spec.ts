import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, generate, javaScript, openUntil, press, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';

/** Webhooks tell programs what happens to credentials, and sign what they tell. */
test.describe.configure({ mode: 'serial' });

type Message = { headers: IncomingHttpHeaders; body: string };

let server: Countersign;
let receiver: Server;
let page: Page;
let problems: string[];
let folder: string;
let status = 204;
let secret = '';
const received: Message[] = [];

test.beforeAll(async ({ browser }) => {
  folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
  receiver = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.method === 'POST' && request.url === path) received.push({ headers: request.headers, body });
    response.writeHead(status).end();
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  server = await Countersign.start('--private-webhooks', '127.0.0.1');
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
  receiver.close();
  await rm(folder, { recursive: true });
});

const path = '/hook?key=known-to-the-receiver-alone';
const address = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}`;
const open = (path: string) => page.goto(server.url + path);
const types = () => received.map(({ body }) => JSON.parse(body).type);
const openWebhook = async () => {
  await open('/settings/webhooks');
  await page.getByRole('link', { name: 'On-call' }).click();
  await expect(page.getByRole('heading', { name: 'On-call' })).toBeVisible();
};

/** Whether the program that the page shows accepts a message. */
async function accepts(tab: 'typescript' | 'python', { headers, body }: Message, key = secret): Promise<boolean> {
  const input = JSON.stringify({ headers, body, key });
  try {
    if (tab === 'typescript') {
      const program = `import { verify } from ${JSON.stringify(join(folder, 'webhook.mjs'))};
        const { headers, body, key } = JSON.parse(process.argv[1]);
        verify(key, headers, Buffer.from(body));`;
      execFileSync(process.execPath, ['--input-type=module', '-e', program, input], { stdio: 'pipe' });
    } else {
      const program = `import json, sys\nsys.path.insert(0, sys.argv[2])\nfrom webhook import verify
given = json.loads(sys.argv[1])\nverify(given["key"], given["headers"], given["body"].encode())`;
      execFileSync('python3', ['-B', '-c', program, input, folder], { stdio: 'pipe' });
    }
    return true;
  } catch (error) {
    const said = String((error as { stderr: Buffer }).stderr);
    expect(said).toMatch(/not signed with this secret|sent too long ago/);
    return false;
  }
}

test('a webhook is added, and its signing secret shown once', async () => {
  await open('/settings');
  await press(page, 'Webhooks');
  await expect(page.getByText('No webhooks yet.')).toBeVisible();
  await examine(page, 'webhooks-empty');
  await press(page, 'Add a webhook');
  await examine(page, 'webhook-new');
  await page.getByRole('textbox', { name: 'Name' }).fill('On-call');
  await page.getByRole('textbox', { name: 'Address' }).fill('http://alerts.example.com/hook');
  await press(page, 'Add webhook');
  await expect(page.getByRole('alert')).toContainText('Use https');
  await examine(page, 'webhook-mistake');
  await page.getByRole('textbox', { name: 'Address' }).fill(address());
  await press(page, 'Add webhook');
  await expect(page.getByRole('heading', { name: 'Save your signing secret' })).toBeVisible();
  const field = page.getByRole('textbox', { name: 'Signing secret' });
  secret = await field.inputValue();
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  server.secret('signing secret', secret.slice('whsec_'.length));
  server.secret('address', 'known-to-the-receiver-alone');
  if (javaScript()) {
    const masked = () => field.evaluate((input) => getComputedStyle(input).getPropertyValue('-webkit-text-security'));
    expect(await masked()).toBe('disc');
    await page.getByRole('button', { name: 'Show signing secret' }).click();
    expect(await masked()).toBe('none');
    await page.getByRole('button', { name: 'Hide signing secret' }).click();
  }
  await examine(page, 'webhook-reveal');
  await copyInEachWay(page, 'Copy signing secret', field);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Already done' })).toBeVisible();
  await press(page, 'Open the webhook');
  await expect(page.getByText('Nothing has been sent yet.')).toBeVisible();
  expect(await page.content()).not.toContain(secret);
});

test('a test message arrives, and the programs of the page accept it', async () => {
  await openWebhook();
  for (const [tab, file] of [['typescript', 'webhook.mjs'], ['python', 'webhook.py']]) {
    const text = (await page.locator(`#code-${tab}`).textContent())!;
    expect(text).toBe((await readFile(`../app/snippets/server/${file}`, 'utf8')).trimEnd());
    await writeFile(join(folder, file), text);
  }
  await press(page, 'Send test');
  await expect(page.getByRole('status').first()).toContainText('Test delivered. Receiver returned 204.');
  expect(types()).toEqual(['webhook.test']);
  const [message] = received.splice(0);
  expect(message.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': expect.stringMatching(/^msg_/),
  });
  expect(message.headers['user-agent']).toMatch(/^Countersign\/\d/);
  const other = { 'webhook-timestamp': String(Number(message.headers['webhook-timestamp']) - 301) };
  for (const tab of ['typescript', 'python'] as const) {
    expect(await accepts(tab, message)).toBe(true);
    expect(await accepts(tab, { ...message, body: message.body.replace('test', 'fake') })).toBe(false);
    expect(await accepts(tab, { ...message, headers: { ...message.headers, ...other } })).toBe(false);
    expect(await accepts(tab, message, `whsec_${btoa('x'.repeat(32))}`)).toBe(false);
  }
  await examine(page, 'webhook-tested');
});

test('the receiver learns within seconds what happens to a credential', async () => {
  const job = await generate(page, server, 'nightly-index');
  await server.command(['credential', 'revoke', job.id, '--reason', 'found in a log']);
  await expect.poll(types).toEqual(['credential.generated', 'credential.revoked']);
  for (const message of received) {
    expect(await accepts('typescript', message)).toBe(true);
    expect(message.body).not.toContain(job.secret);
    expect(JSON.parse(message.body).data).toMatchObject({
      client_id: job.id, name: 'nightly-index', url: `${server.url}/credentials/${job.id}`,
    });
  }
  const revoked = JSON.parse(received[1].body).data;
  expect(revoked).toMatchObject({ reason: 'found in a log', actor: { kind: 'command_line' } });
  received.splice(0);
  for (const event of ['credential.generated', 'credential.revoked'])
    await openUntil(openWebhook, page.getByRole('row', { name: event }).getByText('Delivered'));
  await examine(page, 'webhook-deliveries');
});

test('the receiver learns within a minute that a revoked secret was tried', { tag: '@once' }, async () => {
  const job = await server.createCredential('tried too late');
  await server.command(['credential', 'revoke', job.client_id]);
  await expect.poll(types).toEqual(['credential.generated', 'credential.revoked']);
  received.splice(0);
  await server.exchange(job.client_id, job.client_secret);
  // The server looks for such attempts once a minute.
  await expect.poll(types, { timeout: 90_000 }).toEqual(['credential.retired_secret_tried']);
  expect(JSON.parse(received[0].body).data).toMatchObject({ client_id: job.client_id, cause: 'credential_revoked' });
  received.splice(0);
});

test('the page shows that the receiver fails, and sends again', async () => {
  status = 500;
  await server.createCredential('while it fails');
  await expect.poll(() => received.length).toBeGreaterThan(0);
  await openUntil(openWebhook, page.getByText('No message has arrived since'));
  await examine(page, 'webhook-failing');
  await open('/settings/webhooks');
  await expect(page.getByRole('row', { name: 'On-call' }).getByText('Failing')).toBeVisible();
  await examine(page, 'webhooks');
  status = 200;
  const id = received[0].headers['webhook-id'];
  const before = received.length;
  await openWebhook();
  const waits = page.getByRole('row', { name: 'while it fails' });
  await waits.getByRole('button').click();
  await expect.poll(() => received.length).toBeGreaterThan(before);
  expect(received.every(({ headers }) => headers['webhook-id'] === id)).toBe(true);
  await openUntil(openWebhook, waits.getByText('Delivered'));
  await expect(page.getByText('No message has arrived since')).toHaveCount(0);
  received.splice(0);
});

test('the signing secret is replaced without a gap', async () => {
  await openWebhook();
  await press(page, 'Replace signing secret');
  await examine(page, 'webhook-replace');
  await press(page, 'Replace signing secret');
  await expect(page.getByRole('heading', { name: 'Save your new signing secret' })).toBeVisible();
  const old = secret;
  secret = await page.getByRole('textbox', { name: 'Signing secret' }).inputValue();
  server.secret('new signing secret', secret.slice('whsec_'.length));
  await press(page, 'I have stored this secret');
  await press(page, 'Send test');
  await expect(page.getByRole('status').first()).toContainText('Test delivered.');
  const [message] = received.splice(0);
  for (const key of [old, secret]) expect(await accepts('typescript', message, key)).toBe(true);
});

test('a webhook is edited, paused, resumed and removed', async () => {
  await openWebhook();
  await press(page, 'Edit');
  await page.getByRole('checkbox', { name: 'Generated' }).uncheck();
  await examine(page, 'webhook-edit');
  await press(page, 'Save changes');
  await expect(page.getByRole('status').first()).toContainText('Changes saved.');
  await press(page, 'Pause');
  await expect(page.getByText('are never sent')).toBeVisible();
  await examine(page, 'webhook-paused');
  const missed = await server.createCredential('missed');
  await server.command(['credential', 'revoke', missed.client_id]);
  await press(page, 'Resume');
  await expect(page.getByRole('status').first()).toContainText('Resumed.');
  const heard = await server.createCredential('heard');
  await server.command(['credential', 'revoke', heard.client_id]);
  await expect.poll(types).toEqual(['credential.revoked']);
  expect(JSON.parse(received[0].body).data.name).toBe('heard');
  await press(page, 'Remove');
  await examine(page, 'webhook-remove');
  await press(page, 'Remove webhook');
  await expect(page.getByRole('status').first()).toContainText('Webhook removed');
  await expect(page.getByText('No webhooks yet.')).toBeVisible();
  expect(await server.command(['audit', 'verify'])).toContain('intact');
});
