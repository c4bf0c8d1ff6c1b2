// Prints the tools of a server and what its tool `whoami` answers, with the command line of the MCP Inspector.
// Without a token a person signs in for each command. The arguments are the command that starts the Inspector.
import { execFileSync } from 'node:child_process';

const { MCP_SERVER_URL, MCP_ACCESS_TOKEN } = process.env;
const [command, ...options] = process.argv.slice(2);
options.push('--server-url', MCP_SERVER_URL, '--transport', 'http');
if (MCP_ACCESS_TOKEN) options.push('--header', `Authorization: Bearer ${MCP_ACCESS_TOKEN}`);
for (const method of [['tools/list'], ['tools/call', '--tool-name', 'whoami']])
  execFileSync(command, [...options, '--method', ...method], {
    stdio: 'inherit',
    // Where the sign-in fails, the Inspector would wait for the person and keep its port.
    timeout: 50_000,
    env: { ...process.env, MCP_INSPECTOR_SECRET_STORE: 'memory' },
  });
