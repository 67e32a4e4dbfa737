/**
 * `npm run replay -- FILE [--peer UUID] [--until N]`: plays the recordings of a failed simulation again,
 * through the member as it is now, and says whether each peer told the same events as were recorded. With
 * `--peer` (the beginning of a UUID is enough) it prints the inputs and events of one peer, and its state
 * at the end, or after the N-th input. The status is 1 where events differ.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { buildShared, fail } from './run.mjs';

const USAGE = 'npm run replay -- FILE [--peer UUID] [--until N]';

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { peer: { type: 'string', default: '' }, until: { type: 'string' } },
    });
    const { peer, until } = values;
    if (positionals.length !== 1) throw new Error(USAGE);
    if (until !== undefined && peer === '') throw new Error('--until needs --peer');
    if (until !== undefined && !/^\d{1,9}$/.test(until))
      throw new Error(`--until must be a whole number, not ${until}`);
    return {
      file: positionals[0],
      peer: peer.toLowerCase(),
      until: until === undefined ? Infinity : Number(until),
    };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

const { file, peer, until } = readArguments();
await ensureInstalled();
const load = await buildShared();
const { beginningOf, replay } = await load('simulation/recording.js');
const { encode, parseRecordings } = await load('simulation/recording-file.js');
const { describe } = await load('narration/describe.js');
const { parseFrame } = await load('protocol/frame.js');

const chosen = recordings().filter(({ ids }) => ids.some((id) => id.startsWith(peer)));
if (chosen.length === 0) fail(`no peer in ${file} has an id that begins with ${peer}`);
const differing = chosen.map(play).filter((isSame) => !isSame);
process.exitCode = differing.length === 0 ? 0 : 1;

/** The recordings, each with the ids of its peer: one for each membership. */
function recordings() {
  const parsed = parseRecordings(read());
  if (!parsed.ok) fail(`${file}, ${parsed.error}`);
  return parsed.value.map((recording) => {
    const renewed = recording.turns.filter(({ input }) => input.type === 'renewed');
    const identities = [recording.identity, ...renewed.map(({ input }) => input.identity)];
    return { ...recording, ids: identities.map(({ id }) => id) };
  });
}

function read() {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail(error.message);
  }
}

/** Plays one peer again. Returns whether its events are the same. */
function play(recording) {
  const member = beginningOf(recording);
  const turns = recording.turns.slice(0, until);
  let firstDifference = 0;
  let number = 0;
  try {
    for (const turn of replay(member, { ...recording, turns })) {
      number += 1;
      const isSame = encode(turn.events) === encode(turn.recorded.events);
      if (!isSame && firstDifference === 0) firstDifference = number;
      if (peer !== '') print(number, turn, member.identity.id, isSame);
    }
  } catch (error) {
    console.log(`input ${number + 1}: ${error.stack}`);
  }
  if (peer !== '') console.log(`\nthe state after input ${number}:\n${encode(member, 2)}\n`);
  const verdict =
    firstDifference === 0
      ? 'the same events as were recorded'
      : `other events than were recorded, from input ${firstDifference} on`;
  console.log(`${recording.ids.join(', ')}: ${number} inputs, ${verdict}`);
  return firstDifference === 0;
}

/** An input, and what the member told of it. */
function print(number, { recorded, events }, self, isSame) {
  const { input, moment } = recorded;
  const at = `${moment.now.toFixed(0).padStart(8)} ms`;
  console.log(`${String(number).padStart(5)}  ${at}  ${inWords(input)}`);
  for (const event of events) console.log(`${' '.repeat(18)}  ${sentence(event, self)}`);
  if (isSame) return;
  console.log(`${' '.repeat(18)}  DIFFERS. Recorded were:`);
  for (const event of recorded.events) console.log(`${' '.repeat(18)}    ${sentence(event, self)}`);
}

function sentence(event, self) {
  const { what, why } = describe(event, self);
  return `- ${what}${why && ` (${why})`}`;
}

/** An input in one line: its type and its data, frames as the messages in them. */
function inWords({ type, ...data }) {
  const rest = encode(data);
  return rest === '{}' ? type : `${type} ${rest.replaceAll(/\{"hex":"([0-9a-f]*)"\}/g, message)}`;
}

function message(frame, hex) {
  const parsed = parseFrame(Uint8Array.from(Buffer.from(hex, 'hex')));
  return parsed.ok ? encode(parsed.value.message) : frame;
}
