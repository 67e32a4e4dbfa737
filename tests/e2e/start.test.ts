import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'puppeteer-core';
import { expect, onTestFinished, test } from 'vitest';
import { launchChromium, openTabs, untilOneRing } from './support.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('npm start serves a page whose tabs elect a leader, and ends cleanly on SIGTERM', async () => {
  const npm = spawn('npm', ['start'], { cwd: ROOT, env: { ...process.env, PORT: '0' } });
  onTestFinished(() => {
    npm.kill('SIGKILL');
  });
  let output = '';
  npm.stdout.setEncoding('utf8');
  for await (const text of npm.stdout) {
    output += String(text);
    if (output.includes('listening on')) break;
  }
  const url = /listening on (http:\/\/localhost:\d+)/.exec(output)?.[1] ?? '';
  const health: unknown = await (await fetch(`${url}/healthz`)).json();
  expect(health).toMatchObject({ status: 'ok', peers: 0 });

  const browser: Browser = await launchChromium();
  await untilOneRing(await openTabs(browser, 3, url));
  await browser.close();

  npm.kill('SIGTERM');
  await once(npm, 'exit');
  expect(npm.exitCode).toBe(0);
});
