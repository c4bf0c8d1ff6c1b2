import { readdirSync, readFileSync } from 'node:fs';

const paths = ['../README.md', ...readdirSync('../docs', { recursive: true, encoding: 'utf8' }).map((name) => `../docs/${name}`)];
const text = paths.filter((path) => path.endsWith('.md')).map((path) => readFileSync(path, 'utf8')).join('\n');

function after(comment: string): string {
  const found = new RegExp(`<!-- ${comment.replaceAll('.', '\\.')} -->\\n+\`\`\`\\w*\\n([^]*?)\n\`\`\``).exec(text);
  if (!found) throw new Error(`no document has “${comment}”`);
  return found[1];
}

/** The program of the documents under the comment `<!-- runs: NAME -->`. */
export const program = (name: string) => after(`runs: ${name}`);

/** The file of the documents under the comment `<!-- file: NAME -->`. */
export const file = (name: string) => after(`file: ${name}`);

/** This line, which must be in a document, also between back quotes. */
export function line(code: string): string {
  if (!text.includes(code)) throw new Error(`no document has “${code}”`);
  return code;
}

/** The same text with one thing changed; the thing must be there. */
export function changed(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`“${from}” is not in:\n${text}`);
  return text.replace(from, () => to);
}
