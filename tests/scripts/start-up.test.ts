/** The commands of package.json on machines that lack what they expect. */
import { execFile, type ExecFileOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

const ROOT = dirname(dirname(import.meta.dirname));

const PackageSchema = v.object({ scripts: v.record(v.string(), v.string()) });
const { scripts } = v.parse(
  PackageSchema,
  JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')),
);

interface Ended {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], options: ExecFileOptions): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { ...options, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'start-up-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The commands and nothing that they use. */
let commands = '';
/** An npm that only writes this file. */
let npm = '';
let trace = '';

beforeAll(async () => {
  commands = await mkdtemp(join(tmpdir(), 'start-up-'));
  npm = join(commands, 'npm/npm-cli.js');
  trace = join(commands, 'installed');
  await mkdir(dirname(npm));
  await writeFile(join(commands, 'npm/package.json'), '{"type":"commonjs"}');
  await writeFile(
    npm,
    `require('fs').writeFileSync(${JSON.stringify(trace)}, ''); process.exit(1)`,
  );
  for (const part of ['scripts', 'bench', 'package.json', '.yarnrc.yml'])
    if (existsSync(join(ROOT, part)))
      await cp(join(ROOT, part), join(commands, part), { recursive: true });
});

afterEach(() => rm(trace, { force: true }));

afterAll(() => rm(commands, { recursive: true }));

describe('a Node that is too old', () => {
  const NEEDED = 'Ringleader needs Node 20.19 or a later 20, or 22.12 or newer';

  async function runAs(
    version: string,
    command: string,
  ): Promise<Ended & { isInstalled: boolean }> {
    const asIf = join(commands, 'as-if.cjs');
    await writeFile(
      asIf,
      `Object.defineProperty(process.versions, 'node', { value: '${version}' })`,
    );
    const NODE_OPTIONS = `--require=${asIf}`;
    const env = { PATH: process.env['PATH'], NODE_OPTIONS, npm_execpath: npm };
    const ended = await run('/bin/sh', ['-c', command], { cwd: commands, env });
    return { ...ended, isInstalled: existsSync(trace) };
  }

  test.each(Object.entries(scripts))(
    'is told by npm run %s in one line what is needed, before anything is installed',
    async (_, command) => {
      expect(await runAs('18.20.8', command)).toEqual({
        status: 1,
        stdout: '',
        stderr: `${NEEDED}; this is Node 18.20.8: see https://nodejs.org\n`,
        isInstalled: false,
      });
    },
  );

  test.each(['20.18.3', '21.7.3', '22.11.0'])('may be %s', async (version) => {
    const { status, stderr } = await runAs(version, 'node scripts/start.mjs');
    expect(status).toBe(1);
    expect(stderr).toContain(NEEDED);
  });

  test.each(['20.19.0', '22.12.0', '23.0.0', '24.1.0'])('is not %s', async (version) => {
    expect(await runAs(version, scripts['build'] ?? '')).toMatchObject({ isInstalled: true });
  });
});

describe('another package manager', () => {
  test('Yarn is told in one line what to run instead', async () => {
    const settings = await readFile(join(commands, '.yarnrc.yml'), 'utf8');
    const path = /^yarnPath: (.+)$/m.exec(settings)?.[1] ?? '';
    for (const [script, command] of [
      ['start', 'npm start'],
      ['test:unit', 'npm run test:unit'],
    ] as const)
      expect(await run(process.execPath, [path, script], { cwd: commands })).toEqual({
        status: 1,
        stdout: '',
        stderr: `Ringleader is run by npm, not by Yarn: ${command}\n`,
      });
  });

  test('does not install in the place of npm, which has the lock file', async () => {
    const other = join(dirname(npm), 'yarn.js');
    await cp(npm, other);
    const env = { PATH: join(commands, 'nothing'), npm_execpath: other };
    const { status, stderr } = await run(process.execPath, ['scripts/ensure-installed.mjs'], {
      cwd: commands,
      env,
    });
    expect(status).toBe(1);
    expect(stderr).toContain('npm could not install');
    expect(existsSync(trace)).toBe(false);
  });
});

test('a folder whose name has #, ?, % and a space is one to build and test in', async () => {
  const folder = join(await newFolder(), 'a #?%20');
  await mkdir(join(folder, 'tests/protocol'), { recursive: true });
  for (const part of ['scripts', 'shared', 'signaling-server', 'terminal', 'peer', 'web'])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  const files = ['package.json', 'package-lock.json', 'tsconfig.base.json'];
  for (const file of [...files, 'vite.config.ts', 'vitest.config.ts'])
    await cp(join(ROOT, file), join(folder, file));
  await writeFile(
    join(folder, 'tests/protocol/one.test.ts'),
    "import { expect, test } from 'vitest';\n" +
      "import { parseRoomName } from '../../shared/protocol/ids.ts';\n" +
      "test('one', () => expect(parseRoomName('lobby').ok).toBe(true));\n",
  );
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  // With that of the tests it would be a development build.
  const env = { ...process.env };
  delete env['NODE_ENV'];
  const [built, tested] = await Promise.all(
    [
      ['scripts/page-size.mjs'],
      ['scripts/test.mjs', '--browsers', 'none', '--project', 'unit'],
    ].map((args) => run(process.execPath, args, { cwd: folder, env })),
  );
  expect(built?.status, built?.stderr).toBe(0);
  expect(built?.stdout).toContain('index.html');
  expect(existsSync(join(folder, 'dist/web/watch.html'))).toBe(true);
  expect(tested?.status, tested?.stderr).toBe(0);
  expect(tested?.stdout).toContain('1 passed');
}, 60_000);

test('a clone with CRLF line ends has the files as they are', async () => {
  const folder = await newFolder();
  const [origin, clone] = [join(folder, 'origin'), join(folder, 'clone')];
  await mkdir(origin);
  const text = 'one\ntwo\n';
  const picture = Buffer.from('\x89PNG\r\n\x1a\n\n', 'latin1');
  await writeFile(join(origin, 'scenario.txt'), text);
  await writeFile(join(origin, 'picture.png'), picture);
  if (existsSync(join(ROOT, '.gitattributes')))
    await cp(join(ROOT, '.gitattributes'), join(origin, '.gitattributes'));
  const git = async (...args: string[]) => {
    const { status, stderr } = await run('git', args, { cwd: origin });
    if (status !== 0) throw new Error(stderr);
  };
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  await git('init', '--quiet');
  await git('add', '.');
  await git(...author, 'commit', '--quiet', '--message', 'Files');
  await git('clone', '--quiet', '--config', 'core.autocrlf=true', origin, clone);
  expect(await readFile(join(clone, 'scenario.txt'), 'utf8')).toBe(text);
  expect(await readFile(join(clone, 'picture.png'))).toEqual(picture);
});
