/** The server's settings, from the environment. */
import * as v from 'valibot';
import { isBlockedByBrowsers } from './browser-ports.ts';
import { isProxyList } from './client-address.ts';
import { SHORTEST_SECRET } from './secret.ts';

const wholeNumber = (least: number, most: number) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`),
    v.transform(Number),
    v.minValue(least, `must be at least ${least}`),
    v.maxValue(most, `must be at most ${most}`),
  );

/** An origin as browsers write it, without a path; `null` is that of a page from a file. */
const ORIGIN = /^(\*|null|[a-z][a-z0-9+.-]*:\/\/[^/\s]+)$/;

/** Path segments that need no escapes and do not leave the path; with or without a slash at the end. */
const BASE_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*\/?$/;

/** The same for pages that may show this server's in a frame; `*.` stands for all names below one. */
const FRAME_ANCESTOR = /^(?:\*|https?:\/\/(?:\*\.)?(?:[\w.-]+|\[[\da-f:]+\])(?::\d+)?)$/i;

function listed(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** As RFC 7064 and RFC 7065 write them. */
const PORT = '(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])';
const HOST_AND_PORT = String.raw`(?:[\w.-]+|\[[\da-fA-F:]+\])(?::${PORT})?`;
const STUN_URL = new RegExp(`^stuns?:${HOST_AND_PORT}$`);
const TURN_URL = new RegExp(`^turns?:${HOST_AND_PORT}(?:\\?transport=(?:udp|tcp))?$`);

/** Servers of each kind that pages are told of. */
const MAX_ICE_URLS = 16;

/** Items with commas between. */
const listOf = (item: RegExp, message: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.transform(listed),
      v.check((items) => items.every((each) => item.test(each)), message),
    ),
    '',
  );

/** Whether pages may be found at an address. */
function isPublicUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password, search, hash } = new URL(url);
  const rest = username + password + search + hash;
  return /^https?:$/.test(protocol) && rest === '' && !/[\s?#]/.test(url);
}

function isRedisUrl(url: string): boolean {
  return URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol) && !/\s/.test(url);
}

/** As printed: without a slash where there is no path, and with one behind a path. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  if (pathname === '/') return origin;
  return `${origin}${pathname.replace(/\/?$/, '/')}`;
}

const EnvironmentSchema = v.object({
  PORT: v.optional(
    v.pipe(
      wholeNumber(0, 65_535),
      v.check((port) => !isBlockedByBrowsers(port), 'must be a port that browsers do not block'),
    ),
    '3000',
  ),
  HOST: v.optional(v.string()),
  PUBLIC_URL: v.optional(
    v.pipe(
      v.string(),
      v.check(isPublicUrl, 'must be an address such as https://example.org/ring/'),
      v.transform(addressOf),
    ),
  ),
  BASE_PATH: v.optional(
    v.pipe(
      v.string(),
      v.regex(BASE_PATH, 'must be a path such as /ring/'),
      v.transform((path) => (path.endsWith('/') ? path : `${path}/`)),
    ),
    '/',
  ),
  LOG_LEVEL: v.optional(
    v.picklist(
      ['silent', 'error', 'warn', 'info', 'debug'],
      'must be silent, error, warn, info or debug',
    ),
    'warn',
  ),
  MAX_PEERS_PER_ROOM: v.optional(wholeNumber(1, 10_000), '1000'),
  MAX_ROOMS: v.optional(wholeNumber(1, 1_000_000), '10000'),
  // Spectators were watchers once. The names stay, so that what was set then still counts.
  MAX_WATCHERS_PER_ROOM: v.optional(wholeNumber(0, 1_000), '16'),
  MAX_WATCHERS: v.optional(wholeNumber(0, 10_000), '64'),
  MAX_CONNECTIONS: v.optional(wholeNumber(1, 1_000_000), '5000'),
  MAX_CONNECTIONS_PER_ADDRESS: v.optional(wholeNumber(1, 1_000_000), '500'),
  TRUST_PROXY: v.optional(
    v.pipe(
      v.string(),
      v.check(
        isProxyList,
        'must be addresses of proxies, such as loopback, 10.0.0.0/8, or their number',
      ),
    ),
    '',
  ),
  SECRET: v.optional(
    v.pipe(
      v.string(),
      v.minLength(SHORTEST_SECRET, `must have at least ${SHORTEST_SECRET} characters`),
    ),
  ),
  JOIN_SECRET: v.optional(
    v.pipe(
      v.string(),
      v.minLength(SHORTEST_SECRET, `must have at least ${SHORTEST_SECRET} characters`),
    ),
  ),
  ALLOWED_ORIGINS: listOf(
    ORIGIN,
    'must be origins such as https://example.org with commas between, or *',
  ),
  FRAME_ANCESTORS: listOf(
    FRAME_ANCESTOR,
    'must be origins such as https://example.org with commas between, or *',
  ),
  REDIS_URL: v.optional(
    v.pipe(v.string(), v.check(isRedisUrl, 'must be an address such as redis://example.org:6379')),
  ),
  METRICS_PORT: v.optional(wholeNumber(0, 65_535)),
  STUN_URLS: listOf(STUN_URL, 'must be servers such as stun:stun.example.org:3478'),
  TURN_URLS: listOf(TURN_URL, 'must be servers such as turn:turn.example.org:3478?transport=tcp'),
  TURN_SECRET: v.optional(v.string()),
  RELAY: v.optional(v.picklist(['on', 'off'], 'must be on or off'), 'on'),
  MAX_RELAYED_BYTES_PER_ROOM: v.optional(wholeNumber(1_000, 1_000_000_000 - 1), '2000000'),
});

const OptionsSchema = v.pipe(
  EnvironmentSchema,
  v.transform((given) => ({
    port: given.PORT,
    /** undefined for all addresses of this computer. */
    host: given.HOST,
    /** The address at which browsers reach the server, a path with a slash at its end; null for any. */
    publicUrl: given.PUBLIC_URL ?? null,
    /** The path below which everything is served: `/`, or a path that begins and ends with a slash. */
    basePath: given.BASE_PATH,
    logLevel: given.LOG_LEVEL,
    peersPerRoom: given.MAX_PEERS_PER_ROOM,
    rooms: given.MAX_ROOMS,
    spectatorsPerRoom: given.MAX_WATCHERS_PER_ROOM,
    spectators: given.MAX_WATCHERS,
    /** What the server signs with; undefined for one that it keeps in a file. */
    secret: given.SECRET,
    /** What tokens are signed with that let people in; undefined where all may come in. */
    joinSecret: given.JOIN_SECRET,
    connections: given.MAX_CONNECTIONS,
    connectionsPerAddress: given.MAX_CONNECTIONS_PER_ADDRESS,
    /** The proxies whose word is believed on where a client is, as client-address.ts reads it. */
    trustedProxies: given.TRUST_PROXY,
    /** Origins, such as `https://example.org`, whose pages may connect besides the server's own. */
    allowedOrigins: given.ALLOWED_ORIGINS,
    /** Origins whose pages may show this server's pages in a frame. */
    frameAncestors: given.FRAME_ANCESTORS,
    /** The Redis by which it shares rooms with other servers; undefined for a server alone. */
    redisUrl: given.REDIS_URL,
    /** null where metrics are at the other port. */
    metricsPort: given.METRICS_PORT ?? null,
    /** STUN and TURN servers that pages are told of, and what the latter check credentials with. */
    stunUrls: given.STUN_URLS,
    turnUrls: given.TURN_URLS,
    turnSecret: given.TURN_SECRET,
    /** Whether frames may go through the server between peers that have no direct link. */
    relays: given.RELAY === 'on',
    /** Bytes of them in each second, for each room. */
    relayedBytes: given.MAX_RELAYED_BYTES_PER_ROOM,
  })),
);

/** The server's settings; docs/use.md gives the meaning of each. */
export type ServerOptions = Readonly<v.InferOutput<typeof OptionsSchema>>;

/**
 * Reads the settings.
 * @param environment such as process.env
 * @throws Error with one clear line that names the variable and what is wrong with it
 */
export function readOptions(
  environment: Readonly<Record<string, string | undefined>>,
): ServerOptions {
  // An empty variable counts as not set, as compose files have it.
  const given = Object.entries(environment).filter(([, value]) => value !== '');
  const result = v.safeParse(OptionsSchema, Object.fromEntries(given), {
    abortEarly: true,
    abortPipeEarly: true,
  });
  if (!result.success) {
    const [issue] = result.issues;
    const name = v.getDotPath(issue) ?? 'the environment';
    const shown = /(SECRET|REDIS_URL)$/.test(name)
      ? ''
      : `, but is ${JSON.stringify(environment[name])}`;
    throw new Error(`${name} ${issue.message}${shown}`);
  }
  const { stunUrls, turnUrls, turnSecret, redisUrl, secret } = result.output;
  for (const [name, urls] of Object.entries({ STUN_URLS: stunUrls, TURN_URLS: turnUrls }))
    if (urls.length > MAX_ICE_URLS)
      throw new Error(`${name} must have ${MAX_ICE_URLS} servers at most`);
  if (redisUrl !== undefined && secret === undefined)
    throw new Error('SECRET must be set where REDIS_URL is: the servers share it');
  if (turnUrls.length > 0 && turnSecret === undefined)
    throw new Error(
      'TURN_SECRET must be set where TURN_URLS is: TURN servers let nobody in without',
    );
  if (turnUrls.length === 0 && turnSecret !== undefined)
    throw new Error('TURN_URLS must be set where TURN_SECRET is');
  return result.output;
}
