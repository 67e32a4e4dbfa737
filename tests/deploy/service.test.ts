/** The systemd unit: what systemd says of it, and its command with its environment. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort, startProcess } from '../proxies/proxy.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** How exposed systemd finds a service at most that has only what it needs: of 10. */
const MOST_EXPOSED = 2;

const unit = (await readFile(join(ROOT, 'deploy/ringleader.service'), 'utf8'))
  .replaceAll('/opt/ringleader', ROOT)
  .replaceAll('/usr/bin/node', process.execPath);

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-service-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test.runIf(existsSync('/usr/bin/systemd-analyze'))('systemd accepts the unit', async () => {
  const path = join(await newFolder(), 'ringleader.service');
  await writeFile(path, unit);
  const { stdout, stderr } = await run('systemd-analyze', ['verify', path]);
  // Other units of the machine may have faults of their own.
  expect((stdout + stderr).split('\n').filter((line) => line.includes('ringleader'))).toEqual([]);
  const security = await run('systemd-analyze', ['security', '--offline=yes', path]);
  const [, exposure = ''] = /exposure level for \S+: ([\d.]+)/.exec(security.stdout) ?? [];
  expect(Number(exposure)).toBeGreaterThan(0);
  expect(Number(exposure)).toBeLessThan(MOST_EXPOSED);
});

test('the command of the unit serves, and keeps its secret in the state directory', async () => {
  const [, command = ''] = /^ExecStart=(.+)$/m.exec(unit) ?? [];
  const [, variables = ''] = /^Environment=(.+)$/m.exec(unit) ?? [];
  const pairs = variables.split(' ').map((pair) => pair.split('='));
  const env = Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
  const folder = await newFolder();
  const port = String(await freePort());
  const { output } = startProcess(command.split(' '), {
    ...env,
    ...{ PORT: port, STATE_DIRECTORY: folder },
  });
  await vi.waitFor(
    () => {
      expect(output()).toContain('listening on');
    },
    { timeout: 10_000 },
  );
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  expect(await readFile(join(folder, 'secret'), 'utf8')).toHaveLength(44);
});
