/** A minute of `npm run chaos`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('a ring of real peers comes to rest after each storm of a minute of chaos', async () => {
  const chaos = spawn(process.execPath, ['scripts/chaos.mjs', '--minutes', '1'], { cwd: ROOT });
  onTestFinished(() => {
    chaos.kill('SIGTERM');
  });
  let output = '';
  for (const stream of [chaos.stdout, chaos.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  await once(chaos, 'close');
  expect(chaos.exitCode, output).toBe(0);
  expect(output).toContain('agreement after');
});
