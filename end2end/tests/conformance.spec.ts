import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { allow } from '../clients/browser.mjs';
import { person } from './browser';
import { Countersign } from './countersign';
import { freePort, node } from './programs';

/** The conformance suite of the protocol. The suite sends no token, so a proxy adds one. */
let server: Countersign;
let proxy: Server;
let url: string;

test.beforeAll(async () => {
  let token = '';
  proxy = createServer((incoming, outgoing) => {
    const options = {
      host: '127.0.0.1',
      port: new URL(server.url).port,
      path: incoming.url,
      method: incoming.method,
      headers: { ...incoming.headers, authorization: `Bearer ${token}` },
    };
    incoming.pipe(
      request(options, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  url = `http://localhost:${(proxy.address() as AddressInfo).port}`;
  server = await Countersign.start('--allowed-origins', url);
  const { client_id, client_secret } = await server.createCredential('conformance');
  token = await server.accessToken(client_id, client_secret);
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  proxy.close();
  await server.stop();
  await server.remove();
});

/** Runs the suite and returns its output. Where it asks a person to open an address, `visit` gets the address. */
async function conformance(args: string[], visit?: (address: string) => Promise<void>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const program = resolve('node_modules/@modelcontextprotocol/conformance/dist/index.js');
  const output = await new Promise<string>((done, failed) => {
    const suite = execFile(node(), [program, ...args, '-o', folder], { cwd: folder }, (_, output, errors) =>
      done(output + errors),
    );
    let said = '';
    suite.stdout!.on('data', (text) => {
      said += text;
      const address = /http\S+\/mcp\/oauth\/authorize\?\S+(?=\s)/.exec(said);
      if (!visit || !address || !said.includes('Callback server started')) return;
      visit(address[0]).catch(failed);
      visit = undefined;
    });
  });
  await rm(folder, { recursive: true });
  return output;
}

test('the metadata of the authorization server', async () => {
  const scenario = 'authorization-server-metadata-endpoint';
  const output = await conformance(['authorization', '--url', server.url, '--scenario', scenario]);
  expect(output).toMatch(/Passed: (\d+)\/\1, 0 failed/);
});

test('a person allows the client, and the client redeems the code', async () => {
  const port = await freePort();
  const redirect = `http://127.0.0.1:${port}/callback`;
  const created = await server.command([
    'client', 'create', '--name', 'suite', '--redirect-uri', redirect, '--format', 'json',
  ]);
  const { client_id } = JSON.parse(created);
  const args = [
    'authorization', '--url', server.url, '--resource', `${server.url}/mcp`,
    '--client-id', client_id, '--port', `${port}`,
  ];
  const output = await conformance(args, async (address) => void (await fetch(await allow(address, person))));
  expect(output).toMatch(/Total: 3 passed, 0 failed/);
});

for (const [version, scenarios] of [
  ['2025-11-25', ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection']],
  ['2026-07-28', ['tools-list', 'caching', 'http-header-validation', 'dns-rebinding-protection']],
] as const)
  for (const scenario of scenarios)
    test(`the MCP server in ${version}: ${scenario}`, async () => {
      const args = ['server', '--url', `${url}/mcp`, '--scenario', scenario, '--spec-version', version];
      const output = await conformance(args);
      expect(output).toMatch(/Passed: (\d+)\/\1, 0 failed/);
    });
