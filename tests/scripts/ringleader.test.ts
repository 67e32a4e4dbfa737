/** The command `ringleader`. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { byTokens } from '../../signaling-server/grants.ts';

const COMMAND = fileURLToPath(new URL('../../scripts/ringleader.mjs', import.meta.url));
const JOIN_SECRET = 'thirty-two characters and a few more';

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ringleader(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    const env = { ...process.env, JOIN_SECRET };
    execFile(process.execPath, [COMMAND, ...args], { env }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code);
      resolve({ status, stdout, stderr });
    });
  });
}

const verify = byTokens(JOIN_SECRET);
const brought = (token: string) => verify({ token, address: '127.0.0.1', headers: {} });

test('token makes one that the server accepts, with what was asked for', async () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const { status, stdout } = await ringleader(
    ...['token', '--room', 'Physics', '--id', id, '--name', 'Ada', '--expires', '90m'],
  );
  expect(status).toBe(0);
  const grant = await brought(stdout.trim());
  expect(grant).toMatchObject({ room: 'physics', id, name: 'Ada', role: 'member' });
  const { expires } = typeof grant === 'string' ? { expires: 0 } : grant;
  expect(Math.abs((expires ?? 0) - Date.now() - 90 * 60_000)).toBeLessThan(60_000);
}, 60_000);

test('token makes a link, for the host to the projector', async () => {
  const { stdout } = await ringleader(
    ...['token', '--room', 'a', '--role', 'host', '--link', 'https://example.org/ring/'],
  );
  const url = new URL(stdout.trim());
  expect(`${url.origin}${url.pathname}${url.search}`).toBe('https://example.org/ring/watch?room=a');
  const token = new URLSearchParams(url.hash.slice(1)).get('token') ?? '';
  expect(await brought(token)).toMatchObject({ role: 'host' });
}, 60_000);

test.each([
  [['token'], /--room is missing/],
  [['token', '--room', 'a b'], /--room: a room name has/],
  [['token', '--room', 'a', '--role', 'king'], /--role is member, watcher, host, not king/],
  [['token', '--room', 'a', '--id', '7'], /--id: /],
  [['token', '--room', 'a', '--expires', 'soon'], /--expires is a time such as/],
  [['token', '--room', 'a', '--link', 'here'], /--link is the address/],
  [['token', '--rooms', 'a'], /Unknown option/],
  [['nothing'], /usage: ringleader token/],
] as const)(
  '%j is one clear line, and status 2',
  async (args, words) => {
    const { status, stdout, stderr } = await ringleader(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  },
  60_000,
);
