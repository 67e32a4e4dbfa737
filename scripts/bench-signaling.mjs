/** `npm run bench -- signaling [--runs N]`: see bench/signaling.mjs. Writes its part of docs/bench.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments } from './arguments.mjs';
import { ensureCommand } from './browsers.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { buildShared, root } from './run.mjs';

/** @param {string[]} given arguments */
export async function benchSignaling(given) {
  const { runs = '3' } = readArguments({ runs: /^[1-9]\d?$/ }, given);
  await ensureInstalled();
  await ensureCommand('redis-server');
  await build();
  const load = await buildShared();
  const { SIGNALING_VERSION } = await load('protocol/signaling.js');
  const { CONTENDERS, measureSharing, measureSignaling, SHAPES, SHARING } =
    await import('../bench/signaling.mjs');
  const report = await import('../bench/report.mjs');
  const results = SHAPES.map((shape) => ({
    shape,
    runs: Object.fromEntries(CONTENDERS.map((contender) => [contender, []])),
    sharing: SHARING.map(() => []),
  }));
  for (let done = 0; done < Number(runs); done += 1)
    for (const { shape, runs: runsOf, sharing } of results) {
      for (let at = 0; at < CONTENDERS.length; at += 1) {
        // Each goes first in its turn.
        const contender = CONTENDERS[(at + done) % CONTENDERS.length];
        const measured = await measureSignaling(contender, shape, SIGNALING_VERSION);
        runsOf[contender].push(measured);
        process.stderr.write(
          `${shape.rooms} × ${shape.size}  ${contender.padEnd(7)} ${JSON.stringify(measured)}\n`,
        );
      }
      for (const [at, count] of SHARING.entries()) {
        const measured = await measureSharing(count, shape, SIGNALING_VERSION);
        sharing[at].push(measured);
        process.stderr.write(
          `${shape.rooms} × ${shape.size}  ${count} sharing ${JSON.stringify(measured)}\n`,
        );
      }
    }
  console.log(report.asText(report.signalingRows(results)));
  console.log(report.asText(report.sharingRows(results, SHARING)));
  const file = join(root, 'docs/bench.md');
  const section = report.signalingMarkdown(results, SHARING);
  writeFileSync(file, report.withSignaling(readFileSync(file, 'utf8'), section));
}
