/**
 * What every implementation of links promises ({@link OpenLink}). Each promise is a check that runs
 * anywhere, also in a page.
 */
import type { Link, LinkHandlers, OpenLink } from '../../shared/driver/ports.ts';
import { encodeFrame, MAX_FRAME_BYTES } from '../../shared/protocol/frame.ts';
import type { Signal } from '../../shared/protocol/signaling.ts';

/** What links are made with in a check, and how its time passes. */
export interface LinkGround {
  /** Makes the end that initiates. */
  readonly openFirst: OpenLink;
  /** Makes the end that answers. */
  readonly openSecond: OpenLink;
  /** Resolves once it is so; rejects where it takes too long. */
  until(isSo: () => boolean): Promise<void>;
  /** Resolves once all that is on its way has arrived. By default: another link has carried a frame. */
  calm?(): Promise<void>;
  /** Sends text from the end that initiates, where its channel carries text, too. */
  sendText?(text: string): void;
}

/** One end of a link, and what it was told. */
class End implements LinkHandlers {
  readonly link: Link;
  readonly told: ('signal' | 'open' | 'frame' | 'close')[] = [];
  readonly signals: Signal[] = [];
  readonly frames: Uint8Array[] = [];
  /** Sent in the moment when it hears that it can send. */
  greeting: Uint8Array | null = null;
  #other: End | null = null;

  constructor(open: OpenLink, isInitiator: boolean) {
    this.link = open(isInitiator, this);
  }

  get isOpen(): boolean {
    return this.told.includes('open');
  }

  get isClosed(): boolean {
    return this.told.includes('close');
  }

  /** Gives its signals to the other end, those of before and those that follow. */
  passTo(other: End): void {
    this.#other = other;
    for (const signal of this.signals) other.link.signal(signal);
  }

  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.link.send(frame);
  }

  onSignal(signal: Signal): void {
    this.told.push('signal');
    this.signals.push(signal);
    this.#other?.link.signal(signal);
  }

  onOpen(): void {
    this.told.push('open');
    this.#greet();
  }

  onFrame(frame: Uint8Array): void {
    this.told.push('frame');
    this.frames.push(frame);
    this.#greet();
  }

  onClose(): void {
    this.told.push('close');
  }

  #greet(): void {
    const { greeting } = this;
    this.greeting = null;
    if (greeting !== null) this.link.send(greeting);
  }
}

interface Pair {
  readonly first: End;
  readonly second: End;
}

function unlinked({ openFirst, openSecond }: LinkGround): Pair {
  return { first: new End(openFirst, true), second: new End(openSecond, false) };
}

/** Two ends that pass each other their signals. */
function linking(ground: LinkGround): Pair {
  const pair = unlinked(ground);
  pair.first.passTo(pair.second);
  pair.second.passTo(pair.first);
  return pair;
}

/** How often a link may fail to open: no network promises that the first attempt succeeds. */
const ATTEMPTS = 10;

/**
 * Two ends, of which the first is open and the second has its first frame.
 * @param greeting what each end sends in the moment when it hears that it can send
 */
async function opened(
  ground: LinkGround,
  greeting: { readonly first: Uint8Array; readonly second: Uint8Array | null },
): Promise<Pair> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const { first, second } = linking(ground);
    first.greeting = greeting.first;
    second.greeting = greeting.second;
    await ground.until(() => second.frames.length > 0 || first.isClosed || second.isClosed);
    if (second.frames.length > 0) return { first, second };
    first.link.close();
    second.link.close();
  }
  throw new Error(`${ATTEMPTS} links failed to open`);
}

/** Two ends that can both send, and have no frames yet. */
async function linked(ground: LinkGround): Promise<Pair> {
  const pair = await opened(ground, { first: frameOf(0), second: null });
  pair.second.frames.pop();
  return pair;
}

/** Lets all that is on its way arrive. */
async function calm(ground: LinkGround): Promise<void> {
  if (ground.calm !== undefined) {
    await ground.calm();
    return;
  }
  const { first, second } = await linked(ground);
  second.send(frameOf(0));
  await ground.until(() => first.frames.length > 0);
  first.link.close();
  await ground.until(() => second.isClosed);
}

/** A frame of a valid message that no member answers, told from others by its number. */
function frameOf(number: number, length = 40): Uint8Array {
  const beat = { type: 'heartbeat', isReply: true, count: number } as const;
  const header = encodeFrame(beat, [{ type: 200, value: new Uint8Array() }]).length;
  const value = Uint8Array.from({ length: length - header }, (_, at) => (at + number) % 256);
  return encodeFrame(beat, [{ type: 200, value }]);
}

/** Frames of different lengths, so that none can be taken for another. */
function framesOf(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, at) => frameOf(at + 1, 40 + ((at * 37) % 1_000)));
}

function demand(isSo: boolean, words: string): void {
  if (!isSo) throw new Error(words);
}

function demandFrames(end: End, frames: readonly Uint8Array[]): void {
  demand(end.frames.length === frames.length, `${end.frames.length} of ${frames.length} frames`);
  for (const [at, frame] of frames.entries())
    demand(isEqual(end.frames[at], frame), `frame ${at} is another`);
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one?.length === other.length && other.every((byte, at) => byte === one[at]);
}

/** Calls methods of an end that is closed; none of them may tell it anything. */
function useClosed({ link, signals }: End): void {
  link.send(frameOf(1));
  for (const signal of [...signals, ...GARBAGE]) link.signal(signal);
  link.close();
}

const GARBAGE: readonly Signal[] = [
  { type: 'offer', sdp: 'garbage' },
  { type: 'answer', sdp: '' },
  { type: 'candidate', candidate: { candidate: 'garbage', sdpMLineIndex: 7, sdpMid: 'none' } },
];

/** A promise, and what fails where it is not kept. */
type Check = (ground: LinkGround) => Promise<void>;

export const LINK_PROMISES = {
  'the end that initiates makes the offer, and the other only answers': async (ground) => {
    const { first, second } = unlinked(ground);
    await ground.until(() => first.signals.length > 0);
    demand(first.signals[0]?.type !== 'answer', 'the first end answers');
    demand(second.told.length === 0, `the second end was told: ${second.told.join(', ')}`);
    first.passTo(second);
    await ground.until(() => second.signals.length > 0);
    demand(
      second.signals.every(({ type }) => type !== 'offer'),
      'the second end made an offer',
    );
  },

  'what an end sends in the moment when it hears that it can send arrives': async (ground) => {
    const greeting = { first: frameOf(1), second: frameOf(2) };
    const { first, second } = await opened(ground, greeting);
    await ground.until(() => first.frames.length > 0);
    demandFrames(first, [frameOf(2)]);
    demandFrames(second, [frameOf(1)]);
  },

  'each end hears that it is open at most once, the first in any case': async (ground) => {
    const { first, second } = await linked(ground);
    second.send(frameOf(1));
    await ground.until(() => first.frames.length > 0);
    const opens = ({ told }: End) => told.filter((what) => what === 'open').length;
    demand(opens(first) === 1, `the first end ${opens(first)} times`);
    demand(opens(second) <= 1, `the second end ${opens(second)} times`);
  },

  'frames arrive whole and in order, both ways': async (ground) => {
    const { first, second } = await linked(ground);
    const frames = framesOf(300);
    first.send(...frames);
    second.send(...frames.toReversed());
    await ground.until(() => Math.min(first.frames.length, second.frames.length) === 300);
    demandFrames(first, frames.toReversed());
    demandFrames(second, frames);
  },

  'the largest frame passes': async (ground) => {
    const { first, second } = await linked(ground);
    const frame = frameOf(1, MAX_FRAME_BYTES);
    first.send(frame);
    await ground.until(() => second.frames.length > 0);
    demandFrames(second, [frame]);
  },

  'an empty frame arrives as an empty frame, for the reader to refuse': async (ground) => {
    const { first, second } = await linked(ground);
    first.send(new Uint8Array(), frameOf(1));
    await ground.until(() => second.frames.length > 1);
    demandFrames(second, [new Uint8Array(), frameOf(1)]);
  },

  'text arrives as an empty frame': async (ground) => {
    const { first, second } = await linked(ground);
    demand(ground.sendText !== undefined, 'nothing sends text');
    ground.sendText?.('text');
    first.send(frameOf(1));
    await ground.until(() => second.frames.length > 1);
    demandFrames(second, [new Uint8Array(), frameOf(1)]);
  },

  'of what was sent before close, nothing is missing in between, and nothing comes after onClose':
    async (ground) => {
      const { first, second } = await linked(ground);
      const frames = framesOf(50);
      first.send(...frames);
      first.link.close();
      await ground.until(() => second.isClosed);
      await calm(ground);
      demand(second.told.at(-1) === 'close', 'something came after onClose');
      demandFrames(second, frames.slice(0, second.frames.length));
    },

  'the end that did not close hears onClose, once': async (ground) => {
    for (const side of ['first', 'second'] as const) {
      const pair = await linked(ground);
      pair[side].link.close();
      const { told } = side === 'first' ? pair.second : pair.first;
      await ground.until(() => told.includes('close'));
      await calm(ground);
      demand(told.filter((what) => what === 'close').length === 1, 'it heard it again');
    }
  },

  'the end that closed hears nothing more': async (ground) => {
    const { first, second } = await linked(ground);
    first.send(frameOf(1));
    second.send(...framesOf(20));
    first.link.close();
    const told = first.told.length;
    await ground.until(() => second.isClosed);
    await calm(ground);
    demand(first.told.length === told, `it heard ${first.told.slice(told).join(', ')}`);
  },

  'at either end of a closed link, all methods do nothing': async (ground) => {
    const { first, second } = await linked(ground);
    first.link.close();
    await ground.until(() => second.isClosed);
    const told = [...first.told, ...second.told].length;
    useClosed(first);
    useClosed(second);
    await calm(ground);
    const more = [...first.told, ...second.told].length - told;
    demand(more === 0, `the ends heard ${more} things more`);
  },

  'an end that is closed before anything has happened hears nothing more': async (ground) => {
    const { first, second } = unlinked(ground);
    first.link.close();
    second.link.close();
    const told = first.told.length;
    useClosed(first);
    useClosed(second);
    await calm(ground);
    demand(first.told.length === told && second.told.length === 0, 'it heard something');
  },

  'an offer that is none ends the link, and throws nothing': async (ground) => {
    const { second } = unlinked(ground);
    second.link.signal({ type: 'offer', sdp: 'garbage' });
    await ground.until(() => second.isClosed);
    demand(second.told.join() === 'close', `it heard ${second.told.join(', ')}`);
  },

  'an answer that is none ends the link, and throws nothing': async (ground) => {
    const { first } = unlinked(ground);
    await ground.until(() => first.signals.length > 0);
    first.link.signal({ type: 'answer', sdp: 'garbage' });
    await ground.until(() => first.isClosed);
    await calm(ground);
    demand(first.told.at(-1) === 'close', 'something came after onClose');
  },

  'a signal of a relayed link ends a direct one, and throws nothing': async (ground) => {
    for (const signal of [{ type: 'relay' }, { type: 'closed' }] as const) {
      const { second } = unlinked(ground);
      second.link.signal(signal);
      await ground.until(() => second.isClosed);
    }
  },

  'a candidate that is none throws nothing': async (ground) => {
    const { first, second } = linking(ground);
    for (const end of [first, second])
      for (const signal of GARBAGE) if (signal.type === 'candidate') end.link.signal(signal);
    await ground.until(() => first.isOpen || first.isClosed || second.isClosed);
  },

  'of two links each carries its own frames': async (ground) => {
    const [one, other] = [await linked(ground), await linked(ground)];
    one.first.send(frameOf(1));
    other.first.send(frameOf(2));
    one.first.link.close();
    await ground.until(() => one.second.isClosed && other.second.frames.length > 0);
    other.second.send(frameOf(3));
    await ground.until(() => other.first.frames.length > 0);
    demandFrames(other.second, [frameOf(2)]);
    demandFrames(other.first, [frameOf(3)]);
    demand(!other.first.isClosed && !other.second.isClosed, 'the other link is closed, too');
  },
} satisfies Record<string, Check>;

export type LinkPromise = keyof typeof LINK_PROMISES;

/** Checks one promise; rejects where it is not kept. */
export function checkLink(promise: LinkPromise, ground: LinkGround): Promise<void> {
  return LINK_PROMISES[promise](ground);
}
