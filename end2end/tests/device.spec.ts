import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from '@playwright/test';
import { createAdministrator, examine, person, press, watch } from './browser';
import { row } from '../interoperability';
import { Countersign } from './countersign';

/** A program without a browser, unmodified: it registers itself, shows an address, and waits. */
class McpRemote {
  private readonly answers: AsyncIterator<string>;
  private constructor(
    private readonly child: ReturnType<typeof spawn>,
    readonly address: string,
  ) {
    this.answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(server: Countersign, folder: string): Promise<McpRemote> {
    const child = spawn(process.execPath, ['node_modules/mcp-remote/dist/proxy.js', `${server.url}/mcp`, '--device-code', '--allow-http'], {
      env: { PATH: process.env.PATH, HOME: folder, MCP_REMOTE_CONFIG_DIR: folder },
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const remote = (address: string) => new McpRemote(child, address);
    // It asks for access as soon as its host speaks.
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: hello })}\n`);
    for await (const line of createInterface({ input: child.stderr })) {
      const address = /http\S+\/device\?user_code=\S+/.exec(line)?.[0];
      if (address) return remote(address);
    }
    throw new Error('mcp-remote shows no address');
  }

  /** The answer to a call of a tool. */
  async call(name: string): Promise<any> {
    const { child } = this;
    await this.answer(1);
    child.stdin!.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
    child.stdin!.write(`${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: {} } })}\n`);
    return (await this.answer(2)).result.structuredContent;
  }

  private async answer(id: number): Promise<any> {
    for (;;) {
      const { value, done } = await this.answers.next();
      if (done) throw new Error('mcp-remote has ended');
      const message = JSON.parse(value);
      if (message.id === id) return message;
    }
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    this.child.kill();
    await once(this.child, 'exit');
  }
}

const way = 'without a browser, by the code that it shows';
test(`mcp-remote: ${way}`, row('mcp-remote', way), async ({ page, context }) => {
  const server = await Countersign.start();
  const problems = watch(context, server);
  const folder = await mkdtemp(join(tmpdir(), 'device-'));
  await createAdministrator(page, server);
  await context.clearCookies();

  const remote = await McpRemote.start(server, folder);
  const code = new URL(remote.address).searchParams.get('user_code')!;
  await page.goto(remote.address);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await press(page, 'Sign in');
  await expect(page.getByLabel('Code')).toHaveValue(code);
  await examine(page, 'device');
  // With the keyboard alone.
  await page.getByLabel('Code').press('Enter');
  await expect(page.getByText('Allow this only if you started it yourself')).toBeVisible();
  await expect(page.getByText('A device that asked from 127.0.0.1')).toBeVisible();
  await examine(page, 'device-question');
  await page.getByRole('button', { name: 'Allow', exact: true }).press('Enter');
  await expect(page.getByRole('heading', { name: 'Access allowed' })).toBeVisible();
  await examine(page, 'device-allowed');
  expect((await remote.call('whoami')).person.name).toBe(person.name);
  const stored = (await readdir(folder, { recursive: true })).find((name) => name.endsWith('_tokens.json'));
  const tokens = JSON.parse(await readFile(join(folder, stored!), 'utf8'));
  server.secret('refresh token', tokens.refresh_token);
  server.secret('access token', tokens.access_token.split('.')[2]);

  await press(page, 'Open connected apps');
  await expect(page.getByText('signed in on a device')).toBeVisible();
  await press(page, 'Enter a device’s code');
  await page.getByLabel('Code').fill('BCDF-GHJK');
  await press(page, 'Continue');
  await expect(page.getByText('No device waits with this code.').first()).toBeVisible();
  await examine(page, 'device-mistake');
  await remote.stop();
  expect(problems).toEqual([]);
  await server.stop();
  expect(await server.traces()).toEqual([]);
  await server.remove();
  await rm(folder, { recursive: true });
});
