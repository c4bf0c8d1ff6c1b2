import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { createAdministrator, examine, javaScript, person, press, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';
import { changed, program } from './documents';

const execute = promisify(execFile);

test('a token for a program that signs nobody in', async ({ page, context }) => {
  const server = await Countersign.start();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  await page.goto(`${server.url}/account/tokens`);
  await examine(page, 'personal-tokens-empty');

  await test.step('offers the scopes of people alone, and refuses a blank name', async () => {
    await expect(page.getByRole('checkbox', { name: /^mcp:read/ })).toBeVisible();
    await expect(page.getByRole('checkbox', { name: /^tokens:introspect/ })).toHaveCount(0);
    await page.getByRole('textbox', { name: 'Name' }).fill('   ');
    await page.getByRole('button', { name: 'Generate token' }).click();
    await expect(page.getByRole('alert')).toContainText('Enter a name');
    await examine(page, 'personal-tokens-refused');
  });

  const token = await test.step('shows it once', async () => {
    await page.getByRole('textbox', { name: 'Name' }).fill('laptop');
    await page.getByRole('combobox', { name: 'Expires after' }).selectOption('7 days');
    await page.getByRole('button', { name: 'Generate token' }).click();
    await expect(page.getByRole('heading', { name: 'Save your token' })).toBeVisible();
    const field = page.getByRole('textbox', { name: 'Token', exact: true });
    await expect(field).toHaveAttribute('readonly', '');
    const token = await field.inputValue();
    expect(token).toMatch(/^csp_[0-9A-Za-z]{49}$/);
    server.secret('personal token', token);
    await examine(page, 'personal-token');
    await copyInEachWay(page, 'Copy token', field);
    return token;
  });

  await test.step('works as the page shows it', async () => {
    const curl = (await page.locator('pre').first().textContent())!;
    const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', curl], { env: { PATH: process.env.PATH } });
    expect(stdout).toContain('whoami');
    const documented = changed(program('personal-token'), 'http://localhost:8080', server.url);
    expect(await server.shell(documented, { MCP_TOKEN: token })).toContain('whoami');
    const called = await server.callMcp(token, 'tools/call', { name: 'whoami' });
    const text = await called.text();
    for (const words of [person.name, 'laptop']) expect(text).toContain(words);
  });

  await test.step('is never shown again', async () => {
    if (javaScript()) page.on('dialog', (dialog) => dialog.accept());
    await press(page, 'I have stored this token');
    await expect(page.getByRole('rowheader', { name: /laptop/ })).toBeVisible();
    await expect(page.getByRole('row', { name: /laptop/ })).toContainText('from 127.0.0.1');
    await examine(page, 'personal-tokens');
    expect(await page.content()).not.toContain(token);
  });

  await test.step('is recognised in what leaked, and ends', async () => {
    await page.goto(`${server.url}/leaks`);
    await page.getByRole('textbox', { name: 'Leaked text' }).fill(`export MCP_TOKEN=${token}`);
    await page.getByRole('button', { name: 'Find credential' }).click();
    await expect(page.getByText('Found 1 working token.')).toBeVisible();
    await examine(page, 'leak-of-token');
    await page.getByRole('button', { name: 'Revoke token' }).click();
    await expect(page.getByText('Token revoked.')).toBeVisible();
    expect((await server.callMcp(token, 'tools/list')).status).toBe(401);
  });

  expect(problems).toEqual([]);
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});
