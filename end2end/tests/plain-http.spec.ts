import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@playwright/test';
import { createAdministrator, generate, person } from './browser';
import { Countersign } from './countersign';

test('a secret can be copied over plain http, where browsers have no clipboard', { tag: '@scripts' }, async ({ browser }) => {
  const server = await Countersign.start();
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  await createAdministrator(page, server);
  const home = server.url;
  // Over http, Chromium does not say that a form is the server's own, and the server refuses it. This proxy says it.
  const proxy = createServer((request, response) => {
    const headers = { ...request.headers, 'sec-fetch-site': 'same-origin' };
    const { method, url } = request;
    const asked = ask(home + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(asked);
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  server.url = `http://countersign.test:${(proxy.address() as AddressInfo).port}`;
  await page.goto(`${server.url}/login`);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
  const { id, secret } = await generate(page, server, 'over http');
  expect(await page.evaluate(() => navigator.clipboard)).toBeUndefined();

  // Only a page that is secure may read the clipboard.
  const reader = await context.newPage();
  await reader.goto(`${home}/credentials`);
  const clipboard = async () => {
    await reader.bringToFront();
    const text = await reader.evaluate(() => navigator.clipboard.readText());
    await page.bringToFront();
    return text;
  };
  await page.getByRole('button', { name: 'Copy client secret' }).click();
  await expect(page.locator('#announce')).toHaveText('Copied');
  expect(await clipboard()).toBe(secret);
  await page.getByRole('button', { name: 'Copy client ID' }).click();
  await expect.poll(clipboard).toBe(id);
  await page.getByRole('textbox', { name: 'Client secret' }).focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Control+C');
  expect(await clipboard()).toBe(secret);

  // The word "Copied" of one button goes after two seconds, and leaves what another button has said since.
  await page.clock.install();
  await page.getByRole('button', { name: 'Copy client ID' }).click();
  await expect(page.locator('#announce')).toHaveText('Copied');
  await page.evaluate(() => (document.execCommand = () => false));
  await page.getByRole('button', { name: 'Copy client secret' }).click();
  await page.clock.runFor(3_000);
  await expect(page.locator('#announce')).toHaveText('Not copied. Press Ctrl+C');
  await expect(page.getByRole('textbox', { name: 'Client secret' })).toBeFocused();
  await context.close();
  proxy.closeAllConnections();
  proxy.close();
  await server.stop();
  expect(await server.traces()).toEqual([]);
  await server.remove();
});
