import { readFileSync, writeFileSync } from 'node:fs';
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** The page that has a row for each test that is one. */
const PAGE = '../docs/interoperability.md';
const [BEGIN, END] = ['<!-- rows -->', '<!-- end of rows -->'];
const KIND = 'interoperability';

/** Marks a test as a row: the client by the name of its package, and the way in which it is used. */
export const row = (client: string, way: string) => ({
  annotation: { type: KIND, description: JSON.stringify([client, way]) },
});

const npm = (folder: string, name: string) =>
  JSON.parse(readFileSync(`${folder}package-lock.json`, 'utf8')).packages[`node_modules/${name}`]?.version;
const pip = (folder: string, name: string) =>
  readFileSync(`clients/${folder}/requirements.txt`, 'utf8')
    .split('\n')
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}==`))
    ?.split('==')[1];
const crate = (name: string) =>
  new RegExp(`name = "${name}"\nversion = "([^"]+)"`).exec(readFileSync('clients/rust/Cargo.lock', 'utf8'))?.[1];

/** The packages of the clients that have another name in the tests. */
const packages: [RegExp, () => string | undefined][] = [
  [/^Python mcp 1|^Python SDK, version 1/, () => pip('python1', 'mcp')],
  [/^Python mcp 2|^Python SDK/, () => pip('python', 'mcp')],
  [/^TypeScript sdk 1|^TypeScript SDK, version 1/, () => npm('', '@modelcontextprotocol/sdk')],
  [/^TypeScript (client 2|SDK)/, () => npm('', '@modelcontextprotocol/client')],
  [/^Rust rmcp/, () => crate('rmcp')],
  [/^mcp-use for Python/, () => pip('mcp-use', 'mcp-use')],
  [/^mcp-use/, () => npm('clients/mcp-use-typescript/', 'mcp-use')],
  [/^MCP Inspector/, () => npm('clients/inspector/', '@modelcontextprotocol/inspector')],
  [/^(Claude|ChatGPT|Codex|Cursor|VS Code|Bedrock)/, () => 'its requests'],
];

/** The version of a client, as the lock files have it. */
function version(name: string): string {
  const known = packages.find(([pattern]) => pattern.test(name));
  const found = known ? known[1]() : (npm('', name) ?? pip('python', name) ?? pip('python1', name));
  if (!found) throw new Error(`${name} is in no lock file`);
  return found;
}

/**
 * Writes the rows of a run into the page. Without UPDATE=1 it only compares, and a difference fails the run. A run of a
 * part of the tests says nothing about the page.
 */
export default class Interoperability implements Reporter {
  private readonly rows = new Map<string, string>();

  private line(test: TestCase, works: boolean): string | undefined {
    const annotation = test.annotations.find(({ type }) => type === KIND);
    if (!annotation) return;
    const [client, way] = JSON.parse(annotation.description!);
    const file = test.location.file.split('/').at(-1)!.replace('.spec.ts', '');
    const command = `npx playwright test ${file} -g '${client}: ${way}'`;
    return `| ${client} | ${version(client)} | ${way} | ${works ? 'works' : 'fails'} | \`${command}\` |`;
  }

  onTestEnd(test: TestCase, result: TestResult) {
    const line = this.line(test, result.status === 'passed');
    if (line) this.rows.set(test.title, line);
  }

  onEnd(_: FullResult): { status?: FullResult['status'] } | undefined {
    const rows = [...this.rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, line]) => line);
    const page = readFileSync(PAGE, 'utf8');
    const [before, rest] = page.split(BEGIN);
    const [present, after] = rest.split(END);
    const known = present.split('\n').filter((line) => line.startsWith('| ')).slice(1);
    if (rows.length === 0 || (rows.length < known.length && !process.env.UPDATE)) return;
    const head = '| client or library | version | way | result | command, in `end2end` |\n|---|---|---|---|---|';
    const written = `${before}${BEGIN}\n\n${head}\n${rows.join('\n')}\n\n${END}${after}`;
    if (written === page) return;
    if (process.env.UPDATE) return void writeFileSync(PAGE, written);
    console.error(`${PAGE} differs from this run. Write it: UPDATE=1 npx playwright test interoperability`);
    return { status: 'failed' };
  }
}
