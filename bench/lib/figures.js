import { BenchError } from './processes.js';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const megabytes = (bytes) => (bytes === null ? 'n/a' : (bytes / 1e6).toFixed(1));

export function integerOption(name, text) {
  if (!/^[1-9]\d*$/.test(text)) throw new BenchError(`--${name} takes a whole number above 0, not "${text}".`);
  return Number(text);
}

/** Aligns rows of text: the first column to the left, the others to the right. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join('   '))
    .join('\n');
}
