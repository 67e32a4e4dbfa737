/** The image: built by the Dockerfile's own steps, and run as another user who cannot write. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../proxies/proxy.ts';
import { buildImage, type Image } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const WAIT = { timeout: 20_000, interval: 50 };
const run = promisify(execFile);

/** The most that the image may have besides Node, in bytes. */
const MOST = 25_000_000;

/** Runs a command as a user who finds everything read-only but the volumes. */
const CONFINED = `
  for volume in $VOLUMES; do mount --bind "$volume" "$volume"; done
  mount -o remount,bind,ro /
  touch "$1/here" 2>/dev/null && exit 9
  shift
  exec setpriv --reuid "\${USER%:*}" --regid "\${USER#*:}" --clear-groups --no-new-privs "$@"`;

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

describe.runIf(isRoot)('the image', () => {
  let folder = '';
  let image: Image;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringleader-image-'));
    await chmod(folder, 0o755);
    image = await buildImage(ROOT, folder);
  }, 240_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Its environment, and what `docker run` would set. */
  function environment(given: Readonly<Record<string, string>>): Record<string, string> {
    const own = [...image.env].map(([name, value]): [string, string] => [
      name,
      value.startsWith('/') ? image.path(value) : value,
    ]);
    return { PATH: process.env['PATH'] ?? '', ...Object.fromEntries(own), ...given };
  }

  function start(given: Readonly<Record<string, string>>) {
    const child = spawn(
      'unshare',
      ['--mount', 'sh', '-c', CONFINED, 'sh', image.path(image.workdir), ...image.command],
      {
        cwd: image.path(image.workdir),
        env: {
          ...environment(given),
          ...{ USER: image.user, VOLUMES: image.volumes.map((each) => image.path(each)).join(' ') },
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    return { child, output: () => output, errors: () => errors };
  }

  const check = (env: Readonly<Record<string, string>>) => {
    const [file = '', ...parameters] = image.healthCheck;
    return run(file, parameters, { env: environment(env) }).then(
      () => 0,
      () => 1,
    );
  };

  test('holds what the server needs, and no more', async () => {
    const packages = await readdir(image.path('/app/node_modules'));
    expect(packages).toContain('socket.io');
    for (const name of ['typescript', 'vite', 'vitest', 'svelte', 'puppeteer-core'])
      expect(packages).not.toContain(name);
    const { stdout } = await run('du', ['-s', '--block-size=1', image.path('/')]);
    const size = Number(stdout.split('\t')[0]);
    console.log(`the image has ${(size / 1e6).toFixed(1)} MB besides Node`);
    expect(size).toBeLessThan(MOST);
  });

  test.each(['/', '/ring/'])('serves the pages at %s', async (path) => {
    const port = String(await freePort());
    const env = { PORT: port, METRICS_PORT: '0', BASE_PATH: path };
    const { child, output, errors } = start(env);
    await vi.waitFor(() => {
      expect(output(), errors()).toContain('listening on');
    }, WAIT);
    const url = `http://127.0.0.1:${port}${path}`;
    expect((await fetch(`${url}readyz`)).status).toBe(200);
    const page = await (await fetch(url)).text();
    expect(page).toContain('<title>Ringleader</title>');
    const [, script = ''] = /<script[^>]* src="\.\/([^"]+)"/.exec(page) ?? [];
    expect((await fetch(url + script)).headers.get('content-type')).toContain('javascript');
    expect((await fetch(`${url}watch`)).status).toBe(200);
    expect(await check(env)).toBe(0);
    // It is not root, and has a secret for its next start.
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe(image.user.split(':')[0]);
    const secret = await stat(image.path('/app/state/secret'));
    expect([secret.uid, secret.mode & 0o777]).toEqual([1000, 0o600]);
    expect(errors()).toBe('');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await check(env)).toBe(1);
  });
});
