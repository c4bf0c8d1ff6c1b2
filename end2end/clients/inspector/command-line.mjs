// Prints the tools of a server and who it is, with the command line of the MCP Inspector: with a token if it has one, or else for
// a person, who signs in each time. The arguments are how it is started.
import { execFileSync } from 'node:child_process';

const { MCP_SERVER_URL, MCP_ACCESS_TOKEN } = process.env;
const [command, ...options] = process.argv.slice(2);
options.push('--server-url', MCP_SERVER_URL, '--transport', 'http');
if (MCP_ACCESS_TOKEN) options.push('--header', `Authorization: Bearer ${MCP_ACCESS_TOKEN}`);
for (const method of [['tools/list'], ['tools/call', '--tool-name', 'whoami']])
  execFileSync(command, [...options, '--method', ...method], {
    stdio: 'inherit',
    // It would wait for a person who cannot sign in, and keep its port.
    timeout: 50_000,
    env: { ...process.env, MCP_INSPECTOR_SECRET_STORE: 'memory' },
  });
