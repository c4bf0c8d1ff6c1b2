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

/** The version of a package, as the lock files have it. */
function version(name: string): string {
  const npm = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages[`node_modules/${name}`]?.version;
  const pinned = ['python', 'python1'].map((folder) => readFileSync(`clients/${folder}/requirements.txt`, 'utf8'));
  const line = pinned.join('\n').split('\n').find((text) => text.toLowerCase().startsWith(`${name.toLowerCase()}==`));
  return npm ?? line?.split('==')[1] ?? 'not installed';
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
    return `| \`${client}\` | ${version(client)} | ${way} | ${works ? 'works' : 'fails'} | \`${command}\` |`;
  }

  onTestEnd(test: TestCase, result: TestResult) {
    const line = this.line(test, result.status === 'passed');
    if (line) this.rows.set(test.title, line);
  }

  onEnd(_: FullResult): { status?: FullResult['status'] } | undefined {
    const rows = [...this.rows].sort(([one], [other]) => one.localeCompare(other)).map(([, line]) => line);
    const page = readFileSync(PAGE, 'utf8');
    const [before, rest] = page.split(BEGIN);
    const [present, after] = rest.split(END);
    const known = present.split('\n').filter((line) => line.startsWith('| `'));
    if (rows.length === 0 || (rows.length < known.length && !process.env.UPDATE)) return;
    const head = '| package | version | way | result | command, in `end2end` |\n|---|---|---|---|---|';
    const written = `${before}${BEGIN}\n\n${head}\n${rows.join('\n')}\n\n${END}${after}`;
    if (written === page) return;
    if (process.env.UPDATE) return void writeFileSync(PAGE, written);
    console.error(`${PAGE} differs from this run. Write it: UPDATE=1 npx playwright test interoperability`);
    return { status: 'failed' };
  }
}
