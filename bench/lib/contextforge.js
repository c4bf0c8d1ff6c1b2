import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { BenchError, folder, freePort, output, startServer } from './processes.js';

/**
 * The gateway of the PyPI package mcp-contextforge-gateway, installed in `environment`, in front of the MCP server at
 * `upstream`: one process, SQLite, tokens checked, and without its plug-ins and its pages, which take time.
 */
export async function startContextForge(environment, upstream) {
  const port = await freePort();
  const secret = randomBytes(32).toString('hex');
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: `sqlite:///${join(folder, 'contextforge.db')}`,
    CACHE_TYPE: 'memory',
    JWT_SECRET_KEY: secret,
    AUTH_ENCRYPTION_SECRET: secret,
    PLATFORM_ADMIN_EMAIL: 'admin@example.com',
    PLATFORM_ADMIN_PASSWORD: randomBytes(16).toString('base64url'),
    SSRF_ALLOW_LOCALHOST: 'true',
    SSRF_ALLOW_PRIVATE_NETWORKS: 'true',
    PLUGINS_ENABLED: 'false',
    MCPGATEWAY_UI_ENABLED: 'false',
    LOG_LEVEL: 'ERROR',
  };
  const name = 'mcp-contextforge-gateway';
  const program = join(environment, 'bin/mcpgateway');
  const origin = `http://127.0.0.1:${port}`;
  // It says nothing on standard output when it is ready.
  const server = await startServer(name, program, ['--host', '127.0.0.1', '--port', `${port}`], {
    env, readyWhen: async () => {
      while (!(await fetch(`${origin}/health`).then(({ ok }) => ok, () => false))) await wait(200);
    },
  });
  const made = await output(
    join(environment, 'bin/python'),
    ['-m', 'mcpgateway.utils.create_jwt_token', '--username', env.PLATFORM_ADMIN_EMAIL, '--admin', '--exp', '600', '--secret', secret],
    { env },
  );
  const headers = { Authorization: `Bearer ${made.trim().split('\n').pop()}` };
  const ask = async (path, body) => {
    const answer = await fetch(`${origin}${path}`, {
      method: body ? 'POST' : 'GET', headers: { ...headers, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new BenchError(`${name}: ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await ask('/gateways', { name: 'trivial', url: upstream, transport: 'STREAMABLEHTTP' });
  const [tool] = await ask('/tools');
  const { id } = await ask('/servers', { server: { name: 'trivial', associated_tools: [tool.id] } });
  return { name: 'through ContextForge', server, url: `${origin}/servers/${id}/mcp/`, headers, tool: tool.name, isPeer: true };
}
