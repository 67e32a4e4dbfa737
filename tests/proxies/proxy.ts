/** The real server behind a real proxy, as the files in deploy/ have it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { expect, onTestFinished, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** How long a program may take to start, or to say something, in milliseconds. */
const WAIT = { timeout: 10_000, interval: 20 };

/** The host names in the files. */
export const NAMES = ['ring.example.org', 'example.org'];

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-proxy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  // nginx's workers are another user.
  await chmod(folder, 0o755);
  return folder;
}

/** Whether a port can be listened on: not where it is taken, or is the superuser's. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The port, or another where it is not to be had. */
export const portLike = async (port: number) => ((await isFree(port)) ? port : freePort());

const LogLineSchema = v.looseObject({ level: v.number(), msg: v.string() });
export type LogLine = v.InferOutput<typeof LogLineSchema>;

/** Ends a process with the test. */
export function startProcess(
  [file = '', ...parameters]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; readonly output: () => string; readonly log: () => LogLine[] } {
  const child = spawn(file, parameters, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.on('error', (error) => (errors += error.message));
  onTestFinished(async () => {
    if (child.exitCode !== null || child.pid === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  const log = () =>
    errors
      .split('\n')
      .slice(0, -1)
      .map((line) => v.parse(LogLineSchema, JSON.parse(line)));
  return { child, output: () => output + errors, log };
}

export interface ServerProcess {
  readonly port: number;
  readonly log: () => readonly LogLine[];
  /** Those that somebody may have to see to. */
  readonly warnings: () => readonly LogLine[];
}

/** Starts the built server. */
export async function startServerProcess(
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const folder = await newFolder();
  const { output, log } = startProcess(
    [process.execPath, join(ROOT, 'dist/signaling-server/main.js')],
    { LOG_LEVEL: 'info', STATE_DIRECTORY: folder, ...env, PORT: '0' },
  );
  const port = await vi.waitFor(() => {
    const found = /^listening on http:\/\/localhost:(\d+)/m.exec(output());
    expect(found, output()).not.toBeNull();
    return Number(found?.[1]);
  }, WAIT);
  return { port, log, warnings: () => log().filter(({ level }) => level >= 40) };
}

export interface Certificate {
  /** Paths. */
  readonly chain: string;
  readonly key: string;
  /** Both in one file. */
  readonly bundle: string;
  /** For clients that are to trust it. */
  readonly text: string;
}

export async function makeCertificate(): Promise<Certificate> {
  const folder = await newFolder();
  const [chain, key, bundle] = ['chain', 'key', 'bundle'].map((name) =>
    join(folder, `${name}.pem`),
  );
  if (chain === undefined || key === undefined || bundle === undefined) throw new Error('no path');
  const names = NAMES.map((name) => `DNS:${name}`).join();
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', '/CN=ring.example.org', '-addext', `subjectAltName=${names}`],
    ...['-keyout', key, '-out', chain],
  ]);
  const text = await readFile(chain, 'utf8');
  await writeFile(bundle, text + (await readFile(key, 'utf8')));
  for (const path of [key, bundle]) await chmod(path, 0o644);
  return { chain, key, bundle, text };
}

/** What a test puts in the place of what stands in the files. */
export interface Place {
  readonly port: number;
  readonly serverPort: number;
  readonly certificate: Certificate;
}

/** A proxy that these files are for. */
export interface Program {
  readonly name: string;
  /** In deploy/, for `/` and for `/ring/`. */
  readonly files: readonly [string, string];
  /** The file's text, in its place. */
  settle(text: string, place: Place): Promise<string>;
  /** @param path of the settled file */
  command(path: string, folder: string): Promise<readonly string[]>;
}

/** Fails where there is nothing to replace: the test would use something of the machine's. */
function replaced(text: string, pattern: RegExp, by: string): string {
  expect(text).toMatch(pattern);
  return text.replaceAll(pattern, by);
}

const withServer = (text: string, { serverPort }: Place) =>
  replaced(text, /127\.0\.0\.1:3000/g, `127.0.0.1:${serverPort}`);

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ family }) => family === 'IPv6'),
);

export const NGINX: Program = {
  name: 'nginx',
  files: ['nginx.conf', 'nginx-ring.conf'],
  async settle(given, place) {
    const { certificate, port } = place;
    let text = withServer(given, place);
    text = replaced(text, /\/\S+\/fullchain\.pem/g, certificate.chain);
    text = replaced(text, /\/\S+\/privkey\.pem/g, certificate.key);
    text = replaced(text, /(listen (?:\[::\]:)?)443\b/g, `$1${port}`);
    text = text.replaceAll(/(listen (?:\[::\]:)?)80\b/g, `$1${await freePort()}`);
    return hasIpv6 ? text : text.replaceAll(/^ *listen \[::\].*$/gm, '');
  },
  async command(path, folder) {
    const main = join(folder, 'main.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    await writeFile(
      main,
      `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
       events { worker_connections 512; }
       http {
         access_log off;
         ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
         include ${path};
       }`,
    );
    return ['nginx', '-e', 'stderr', '-p', folder, '-c', main];
  },
};

export const CADDY: Program = {
  name: 'Caddy',
  files: ['Caddyfile', 'Caddyfile-ring'],
  settle(given, place) {
    const { certificate, port } = place;
    const own = `\ttls ${certificate.chain} ${certificate.key}\n`;
    const text = replaced(
      withServer(given, place),
      /^(\S*example\.org) \{\n/gm,
      `$1:${port} {\n${own}`,
    );
    return Promise.resolve(`{\n\tadmin off\n\tauto_https disable_redirects\n}\n${text}`);
  },
  command: (path) => Promise.resolve(['caddy', 'run', '--adapter', 'caddyfile', '--config', path]),
};

export const HAPROXY: Program = {
  name: 'HAProxy',
  files: ['haproxy.cfg', 'haproxy-ring.cfg'],
  settle(given, place) {
    let text = withServer(given, place);
    text = replaced(text, /\/etc\/haproxy\/certs\/\S+/g, place.certificate.bundle);
    return Promise.resolve(replaced(text, /bind :443\b/g, `bind :${place.port}`));
  },
  command: (path) => Promise.resolve(['haproxy', '-db', '-f', path]),
};

export const readExample = (file: string) => readFile(join(ROOT, 'deploy', file), 'utf8');

/** What a file says that the server needs for it. */
export function environmentIn(text: string): Record<string, string> {
  const [, list = ''] = /^# The server: (.+)$/m.exec(text) ?? [];
  const pairs = list.split(' ').map((pair) => pair.split('='));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
}

/** Starts a proxy by the text of its file; resolves once it accepts connections. */
export async function startProxy(program: Program, text: string, place: Place): Promise<void> {
  const folder = await newFolder();
  const path = join(folder, 'proxy.conf');
  await writeFile(path, await program.settle(text, place));
  const { child, output } = startProcess(await program.command(path, folder), {
    // Caddy keeps things there.
    HOME: folder,
  });
  await vi.waitFor(async () => {
    expect(child.exitCode, output()).toBe(null);
    expect(await isFree(place.port)).toBe(false);
  }, WAIT);
}

export interface Answer {
  readonly status: number;
  readonly location: string;
  readonly text: string;
}

/**
 * Asks by HTTP/1.1, trusting the certificate.
 * @param headers to send besides
 * @param localAddress of loopback, from which it comes
 */
export function ask(
  url: URL,
  certificate: Certificate,
  headers: Readonly<Record<string, string>> = {},
  localAddress = '127.0.0.1',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: url.port,
        path: url.pathname + url.search,
        servername: url.hostname,
        ca: certificate.text,
        headers: { host: url.host, ...headers },
        localAddress,
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => {
          const { statusCode: status = 0, headers: answered } = response;
          resolve({ status, location: answered.location ?? '', text });
        });
      },
    );
    request.on('upgrade', ({ statusCode: status = 0 }, socket) => {
      socket.destroy();
      resolve({ status, location: '', text: '' });
    });
    request.on('error', reject);
    request.end();
  });
}
