/** Scenario files: prose, commands after ">", and below them, indented, their outcome. */
import { Stage } from './stage.ts';

interface Command {
  /** Its syntax. */
  readonly usage: string;
  readonly pattern: RegExp;
  readonly run: (stage: Stage, ...words: readonly string[]) => void;
}

const COMMANDS: readonly Command[] = [
  command('ring A B C', '$PEERS', (stage, peers = '') => {
    stage.ring(peers.split(' '));
  }),
  command('policy incumbent', '(highest|incumbent)', (stage, policy) => {
    stage.policy(policy === 'incumbent' ? 'incumbent' : 'highest');
  }),
  command('join A B', '$PEERS', (stage, peers = '') => {
    stage.join(peers.split(' '));
  }),
  command(
    'join A with priority 2',
    String.raw`$PEER with priority (\d+)`,
    (stage, peer = '', priority = '') => {
      stage.join([peer], Number(priority));
    },
  ),
  command('start A B', '$PEERS', (stage, peers = '') => {
    stage.start(peers.split(' '));
  }),
  command('crash A B', '$PEERS', (stage, peers = '') => {
    stage.crash(peers.split(' '));
  }),
  command('leave A B', '$PEERS', (stage, peers = '') => {
    stage.leave(peers.split(' '));
  }),
  command('hold A->B', '$PEER->$PEER', (stage, from = '', to = '') => {
    stage.hold(from, to);
  }),
  command('deliver A->B', '$PEER->$PEER', (stage, from = '', to = '') => {
    stage.deliver(from, to);
  }),
  command('release A->B', '$PEER->$PEER', (stage, from = '', to = '') => {
    stage.release(from, to);
  }),
  command('lose A->B', '$PEER->$PEER', (stage, from = '', to = '') => {
    stage.lose(from, to);
  }),
  command('cut A-B', '$PEER-$PEER', (stage, one = '', other = '') => {
    stage.cut(one, other);
  }),
  command('silence A-B', '$PEER-$PEER', (stage, one = '', other = '') => {
    stage.silence(one, other);
  }),
  command('block A-B', '$PEER-$PEER', (stage, one = '', other = '') => {
    stage.block(one, other);
  }),
  command('unblock A-B', '$PEER-$PEER', (stage, one = '', other = '') => {
    stage.unblock(one, other);
  }),
  command('sleep A for 3s', '$PEER for $TIME', (stage, peer = '', time = '') => {
    stage.sleep(peer, milliseconds(time));
  }),
  command(
    'forge A->B claim C of term 2',
    String.raw`$PEER->$PEER claim $PEER of term (\d+)`,
    (stage, from = '', to = '', ghost = '', term = '') => {
      stage.forge(from, to, 'claim', ghost, Number(term));
    },
  ),
  command(
    'forge A->B C leads term 2',
    String.raw`$PEER->$PEER $PEER leads term (\d+)`,
    (stage, from = '', to = '', ghost = '', term = '') => {
      stage.forge(from, to, 'elected', ghost, Number(term));
    },
  ),
  command('disconnect A for 500ms', '$PEER for $TIME', (stage, peer = '', back = '') => {
    stage.disconnect(peer, milliseconds(back), Infinity);
  }),
  command(
    'disconnect A for 3s, noticed after 100ms',
    '$PEER for $TIME, noticed after $TIME',
    (stage, peer = '', back = '', noticed = '') => {
      stage.disconnect(peer, milliseconds(back), milliseconds(noticed));
    },
  ),
  command('restart server after 2s', 'server after $TIME', (stage, time = '') => {
    stage.restartServer(milliseconds(time));
  }),
  command('run 500ms', '$TIME', (stage, time = '') => {
    stage.run(milliseconds(time));
  }),
  command('until agreed', 'agreed', (stage) => {
    stage.untilAgreed();
  }),
  command('count', '', (stage) => {
    stage.count();
  }),
  command('show', '', (stage) => {
    stage.show();
  }),
];

/** @param rest what follows the first word: $PEER, $PEERS and $TIME are placeholders */
function command(usage: string, rest: string, run: Command['run']): Command {
  const verb = usage.split(' ', 1)[0] ?? '';
  const pattern = rest
    .replace('$PEERS', '([A-Z](?: [A-Z])*)')
    .replaceAll('$PEER', '([A-Z])')
    .replaceAll('$TIME', String.raw`(\d+m?s)`);
  return { usage, pattern: new RegExp(`^${verb}${pattern && ' '}${pattern}$`), run };
}

function milliseconds(time: string): number {
  return Number.parseInt(time, 10) * (time.endsWith('ms') ? 1 : 1_000);
}

function perform(stage: Stage, line: string): void {
  for (const { pattern, run } of COMMANDS) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const [, ...words] = match;
    run(stage, ...words);
    return;
  }
  const known = COMMANDS.map(({ usage }) => usage);
  throw new Error(`“${line}” is not like any of: ${known.join(' | ')}`);
}

/**
 * Plays a scenario.
 * @param text of the file; the indented lines may be missing or old
 * @param name of the file, for errors
 * @returns the text as it should be
 * @throws Error with file and line, where a command is unknown or fails, or safety is violated
 */
export function play(text: string, name: string): string {
  const stage = new Stage();
  const lines = text.split('\n');
  const played: string[] = [];
  let isInBlock = false;
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('  ')) {
      if (!isInBlock) throw new Error(`${name}:${at + 1}: only what follows a command is indented`);
      continue;
    }
    played.push(line);
    isInBlock = line.startsWith('>');
    if (!line.startsWith('>')) continue;
    try {
      perform(stage, line.slice(1).trim());
      if (lines[at + 1]?.startsWith('>') !== true)
        played.push(...stage.tell().map((told) => `  ${told}`));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${name}:${at + 1}: ${what}`, { cause: error });
    }
  }
  return played.join('\n');
}
