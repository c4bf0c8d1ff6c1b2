import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A website with a self-signed certificate, which a program trusts by `SSL_CERT_FILE`. */
export class Website {
  private constructor(
    private readonly server: Server,
    private readonly folder: string,
    readonly certificate: string,
  ) {}

  static async start(answer: RequestListener): Promise<Website> {
    const folder = await mkdtemp(join(tmpdir(), 'website-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    await execute('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-keyout', key, '-out', certificate, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
      '-addext', 'basicConstraints=critical,CA:FALSE',
    ]);
    const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Website(server, folder, certificate);
  }

  get host(): string {
    return `localhost:${(this.server.address() as AddressInfo).port}`;
  }

  get address(): string {
    return `https://${this.host}`;
  }

  async stop() {
    this.server.close();
    this.server.closeAllConnections();
    await rm(this.folder, { recursive: true });
  }
}
