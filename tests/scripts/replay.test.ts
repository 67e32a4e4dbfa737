/** A simulation that fails leaves a file, and the command that it prints plays it again. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { defined } from '../support.ts';

const ROOT = dirname(dirname(import.meta.dirname));

interface Ended {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const file = join(ROOT, 'scripts', script);
    execFile(process.execPath, [file, ...args], { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

let failed: Ended;
let recorded = '';

beforeAll(async () => {
  failed = await run('simulate.mjs', '--seeds', '1', '--peers', '3', '--within', '0');
  recorded = defined(/npm run replay -- (\S+)/.exec(failed.stdout)?.[1]);
}, 60_000);

/** The recordings in another file, with this in the place of that. */
async function changed(from: string, to: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replay-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const text = await readFile(join(ROOT, recorded), 'utf8');
  expect(text).toContain(from);
  await writeFile(join(folder, 'changed.jsonl'), text.replace(from, to));
  return join(folder, 'changed.jsonl');
}

test('a ring that agrees too late fails, and each peer is recorded', async () => {
  expect(failed.status).toBe(1);
  expect(failed.stdout).toMatch(/agreed after .* ms, not 0 ms/);
  expect(failed.stderr).toContain('npm run simulate -- --seeds 1 --from 0 --peers 3 --within 0');
  const { status, stdout } = await run('replay.mjs', recorded);
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.length).toBeGreaterThanOrEqual(3);
  for (const line of lines)
    expect(line).toMatch(/^[-0-9a-f, ]+: \d+ inputs, the same events as were recorded$/);
});

test('one peer is shown input by input, and its state after as many as are asked for', async () => {
  const [, id] = defined(/"id":"(\S{8})/.exec(await readFile(join(ROOT, recorded), 'utf8')));
  const { status, stdout } = await run('replay.mjs', recorded, '--peer', `${id}`, '--until', '5');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ {4}1 +0 ms {2}join$/m);
  expect(stdout).toMatch(/^ {4}5 .* reply .*"type":"join"/m);
  expect(stdout).not.toMatch(/^ {4}6 /m);
  expect(stdout).toContain('- joined room lobby');
  expect(stdout).toContain('the state after input 5:\n{\n  "config": {');
  expect(stdout).toMatch(/: 5 inputs, the same events as were recorded\n$/);
});

test('events that are not the same are told, with status 1', async () => {
  const file = await changed('"room":"lobby"},{', '"room":"cellar"},{');
  const { status, stdout } = await run('replay.mjs', file);
  expect(status).toBe(1);
  expect(stdout).toMatch(/: \d+ inputs, other events than were recorded, from input \d+ on$/m);
});

test.each([
  [['README.md'], 1, /^README.md, line 1: /],
  [['nothing.jsonl'], 1, /no such file/],
  [[], 2, /^npm run replay -- FILE/],
  [['README.md', '--until', '3'], 2, /--until needs --peer/],
  [['README.md', '--peer', '0', '--until', 'x'], 2, /--until must be a whole number/],
])('%j is refused in one line', async (args, wanted, line) => {
  const { status, stderr } = await run('replay.mjs', ...args);
  expect(stderr).toMatch(line);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(status).toBe(wanted);
});
