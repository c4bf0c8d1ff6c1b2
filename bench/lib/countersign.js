import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { BenchError, folder, freePort, output, startServer } from './processes.js';

const binary = resolve(process.env.COUNTERSIGN_BIN ?? join(import.meta.dirname, '../../target/release/countersign'));

/** One Countersign with default settings on a database of its own. */
export async function countersign({ databaseUrl, durability = 'process', trustedProxies, privateUpstreams } = {}) {
  try {
    accessSync(binary, constants.X_OK);
  } catch {
    throw new BenchError(`${binary} is missing. Build it with: cargo build --release`);
  }
  const port = await freePort();
  const dataDir = join(folder, `data-${port}`);
  // Settings of the caller's shell must not reach the server that is measured.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_'));
  const env = {
    ...Object.fromEntries(own),
    COUNTERSIGN_LISTEN: `127.0.0.1:${port}`,
    COUNTERSIGN_DATA_DIR: dataDir,
    COUNTERSIGN_LEDGER_DURABILITY: durability,
    ...(databaseUrl ? { COUNTERSIGN_DATABASE_URL: databaseUrl } : {}),
    ...(privateUpstreams ? { COUNTERSIGN_PRIVATE_UPSTREAMS: privateUpstreams } : {}),
    ...(trustedProxies ? { COUNTERSIGN_TRUSTED_PROXIES: trustedProxies } : {}),
  };
  const run = (args, options) => output(binary, args, { env, ...options });

  return {
    origin: `http://localhost:${port}`,
    database: join(dataDir, 'countersign.db'),
    run,
    /** Begins the instance: most commands do not. */
    begin: () => run(['credential', 'create', '--name', 'first']),
    start: () => startServer('Countersign', binary, ['serve'], { env, readyLine: 'Countersign is ready' }),
    async createCredentials(count) {
      const created = [];
      let next = 0;
      const worker = async () => {
        while (next < count) {
          const name = `bench-${String(next++).padStart(6, '0')}`;
          created.push(JSON.parse(await run(['credential', 'create', '--name', name, '--format', 'json'])));
        }
      };
      await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
      return created;
    },
  };
}
