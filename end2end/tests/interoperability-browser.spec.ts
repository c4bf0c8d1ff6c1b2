import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@playwright/test';
import { build } from 'esbuild';
import { row } from '../interoperability';
import { person } from './browser';
import { Countersign } from './countersign';

/** A page with the library, as an application in a browser has it. */
const program = `
import { UserManager } from 'oidc-client-ts';
globalThis.manager = (authority, client_id, resource) =>
  new UserManager({
    authority, client_id, resource, scope: 'mcp:read', loadUserInfo: false, automaticSilentRenew: false,
    redirect_uri: location.origin + '/callback',
  });
globalThis.whoami = async (url, token) => {
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } };
  const headers = {
    Authorization: 'Bearer ' + token, 'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  };
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(call) })).text();
};
`;

const way = 'a person signs in, in a page';
test(`oidc-client-ts: ${way}`, { tag: '@scripts', ...row('oidc-client-ts', way) }, async ({ page }) => {
  const stdin = { contents: program, resolveDir: '.' };
  const bundle = await build({ stdin, bundle: true, format: 'esm', platform: 'browser', write: false });
  const website = createServer((request, response) => {
    const isProgram = request.url === '/program.js';
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html');
    response.end(isProgram ? bundle.outputFiles[0].text : '<title>app</title><script type="module" src="/program.js"></script>');
  }).listen(0, '127.0.0.1');
  await once(website, 'listening');
  const origin = `http://127.0.0.1:${(website.address() as AddressInfo).port}`;
  const server = await Countersign.start('--allowed-origins', origin);
  await server.createAdministrator(person);
  const text = await server.command([
    'client', 'create', '--name', 'Page', '--redirect-uri', `${origin}/callback`, '--format', 'json',
  ]);
  const settings = [server.url, JSON.parse(text).client_id, `${server.url}/mcp`];

  await page.goto(origin);
  const leaves = page.waitForURL(`${server.url}/**`);
  await page.evaluate((settings) => void (globalThis as any).manager(...settings).signinRedirect(), settings);
  await leaves;
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.waitForURL(`${origin}/callback?**`);
  const [first, refresh] = await page.evaluate(async (settings) => {
    const user = await (globalThis as any).manager(...settings).signinRedirectCallback();
    return [user.access_token, user.refresh_token];
  }, settings);
  const next = await page.evaluate(async (settings) => {
    const user = await (globalThis as any).manager(...settings).signinSilent();
    return user.access_token;
  }, settings);
  expect(next).not.toBe(first);
  for (const token of [first, next]) {
    const answer = await page.evaluate((call) => (globalThis as any).whoami(...call), [`${server.url}/mcp`, token]);
    expect(answer).toContain(person.name);
    server.secret(`access token ${token.slice(-8)}`, token.split('.')[2]);
  }
  server.secret('refresh token', refresh);
  await server.stop();
  expect(await server.traces()).toEqual([]);
  await server.remove();
  website.close();
  website.closeAllConnections();
});
