import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { createAdministrator, examine, generate, javaScript, press, watch } from './browser';
import { binary, Countersign } from './countersign';

const execute = promisify(execFile);

test('a credential is tested, its tokens are looked up and revoked', async ({ page, context }) => {
  const server = await Countersign.start();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  const credential = await generate(page, server, 'nightly-index');

  await test.step('tests the secret where it is shown, and keeps it', async () => {
    await press(page, 'Test now');
    await expect(page.getByRole('heading', { name: 'Test result' })).toBeVisible();
    await expect(page.getByText('It works', { exact: true })).toBeVisible();
    await expect(page.getByText('The MCP server offers 1 tool')).toBeVisible();
    await expect(page.getByRole('row', { name: /^Audience/ })).toContainText(`${server.url}/mcp`);
    await expect(page.getByRole('textbox', { name: 'Client secret' })).toHaveValue(credential.secret);
    await examine(page, 'reveal-tested');
  });

  await test.step('the first text calls a tool as it stands', async () => {
    const curl = (await page.locator('#code-curl').textContent())!;
    const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', curl], { env: { PATH: process.env.PATH } });
    expect(stdout).toContain(credential.id);
  });

  await test.step('the rarer texts stand behind More', async () => {
    const label = page.locator('label', { hasText: 'VS Code' });
    await expect(label).toHaveCSS('position', 'absolute');
    await page.locator('summary', { hasText: 'More' }).click();
    await label.click();
    await expect(page.locator('#code-vscode')).toContainText('"servers"');
    await examine(page, 'reveal-more');
    // A desktop client starts what the text says, and speaks to it.
    const settings = JSON.parse((await page.locator('#code-claude').textContent())!).mcpServers;
    const [start] = Object.values(settings) as { command: string; args: string[]; env: Record<string, string> }[];
    expect(start.command).toBe('countersign');
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'desktop', version: '1' } };
    const messages = [
      { id: 1, method: 'initialize', params: hello },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } },
    ];
    const said = execute(binary, start.args, { env: start.env });
    said.child.stdin!.end(messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join(''));
    expect((await said).stdout).toContain(credential.id);
  });

  await test.step('says what failed', async () => {
    if (javaScript()) page.once('dialog', (dialog) => dialog.accept());
    await page.goto(`${server.url}/credentials/${credential.id}`);
    await press(page, 'Test now');
    await page.getByLabel('Client secret').fill('css_wrong');
    await press(page, 'Test now');
    await expect(page.getByText('No token was issued.')).toBeVisible();
    await examine(page, 'test-failed');
  });

  const body = new URLSearchParams({ grant_type: 'client_credentials', client_secret: credential.secret });
  const answer = await fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', body });
  const { access_token: token } = await answer.json();
  server.secret('access token', token);
  const lookUp = async () => {
    await page.goto(`${server.url}/tokens`);
    await page.getByRole('textbox', { name: 'Token' }).fill(token);
    await press(page, 'Look up');
  };

  await test.step('looks up a token', async () => {
    await lookUp();
    await expect(page.getByText('Accepted', { exact: true })).toBeVisible();
    await expect(page.getByRole('link', { name: 'nightly-index' })).toBeVisible();
    expect(await page.content()).not.toContain(token);
    await examine(page, 'token-live');
  });

  await test.step('revokes one token alone', async () => {
    await page.goto(`${server.url}/credentials/${credential.id}?view=tokens`);
    await expect(page.getByRole('heading', { name: 'Live tokens' })).toBeVisible();
    await page.locator('summary', { hasText: 'Revoke' }).first().click();
    await examine(page, 'credential-tokens');
    await page.getByRole('button', { name: /^Revoke now/ }).first().click();
    await expect(page.getByRole('status').first()).toContainText('Token revoked.');
    expect((await server.callMcp(token, 'tools/list')).status).toBe(401);
    await lookUp();
    await expect(page.getByText('The token was revoked.')).toBeVisible();
    await examine(page, 'token-revoked');
  });

  expect(problems).toEqual([]);
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});
