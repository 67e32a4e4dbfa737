/** The server's settings. */
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../signaling-server/options.ts';

describe('the settings', () => {
  test('have defaults', () => {
    expect(readOptions({})).toEqual({
      port: 3000,
      host: undefined,
      publicUrl: null,
      basePath: '/',
      logLevel: 'warn',
      peersPerRoom: 1_000,
      rooms: 10_000,
      spectatorsPerRoom: 16,
      spectators: 64,
      secret: undefined,
      connections: 5_000,
      connectionsPerAddress: 500,
      trustedProxies: '',
      allowedOrigins: [],
      frameAncestors: [],
      metricsPort: null,
      stunUrls: [],
      turnUrls: [],
      turnSecret: undefined,
      relays: true,
      relayedBytes: 2_000_000,
    });
  });

  test('set to nothing are not set', () => {
    expect(readOptions({ PORT: '', HOST: '', MAX_ROOMS: '' })).toEqual(readOptions({}));
  });

  test('are read from the environment, whatever else is in it', () => {
    expect(
      readOptions({
        PATH: '/bin',
        PORT: '0',
        HOST: '127.0.0.1',
        PUBLIC_URL: 'https://Ring.example.org:443/ring',
        BASE_PATH: '/class/ring',
        LOG_LEVEL: 'silent',
        MAX_PEERS_PER_ROOM: '1',
        MAX_ROOMS: '7',
        MAX_WATCHERS_PER_ROOM: '0',
        MAX_WATCHERS: '9',
        SECRET: 'thirty-two characters and a few more',
        MAX_CONNECTIONS: '100',
        MAX_CONNECTIONS_PER_ADDRESS: '50',
        TRUST_PROXY: 'loopback, 10.0.0.0/8',
        ALLOWED_ORIGINS: 'https://example.org, http://localhost:5173,',
        FRAME_ANCESTORS: 'https://*.example.org, http://[::1]:8080',
        METRICS_PORT: '9100',
        STUN_URLS: 'stun:stun.example.org, stuns:[2001:db8::1]:5349',
        TURN_URLS: 'turn:turn.example.org:3478?transport=tcp,turns:turn.example.org',
        TURN_SECRET: 'shared with coturn',
        RELAY: 'off',
        MAX_RELAYED_BYTES_PER_ROOM: '5000',
      }),
    ).toEqual({
      port: 0,
      host: '127.0.0.1',
      publicUrl: 'https://ring.example.org/ring/',
      basePath: '/class/ring/',
      logLevel: 'silent',
      peersPerRoom: 1,
      rooms: 7,
      spectatorsPerRoom: 0,
      spectators: 9,
      secret: 'thirty-two characters and a few more',
      connections: 100,
      connectionsPerAddress: 50,
      trustedProxies: 'loopback, 10.0.0.0/8',
      allowedOrigins: ['https://example.org', 'http://localhost:5173'],
      frameAncestors: ['https://*.example.org', 'http://[::1]:8080'],
      metricsPort: 9_100,
      stunUrls: ['stun:stun.example.org', 'stuns:[2001:db8::1]:5349'],
      turnUrls: ['turn:turn.example.org:3478?transport=tcp', 'turns:turn.example.org'],
      turnSecret: 'shared with coturn',
      relays: false,
      relayedBytes: 5_000,
    });
    expect(readOptions({ PORT: '65535', ALLOWED_ORIGINS: '*' })).toMatchObject({
      port: 65_535,
      allowedOrigins: ['*'],
    });
    expect(readOptions({ PUBLIC_URL: 'http://example.org/', FRAME_ANCESTORS: '*' })).toMatchObject({
      publicUrl: 'http://example.org',
      frameAncestors: ['*'],
    });
  });

  test.each([
    ['PORT', 'abc', 'PORT must be a whole number from 0 to 65535, but is "abc"'],
    ['PORT', '-1', 'PORT must be a whole number from 0 to 65535, but is "-1"'],
    ['PORT', '3000.5', 'PORT must be a whole number from 0 to 65535, but is "3000.5"'],
    ['PORT', ' 80', 'PORT must be a whole number from 0 to 65535, but is " 80"'],
    ['PORT', '80\n90', 'PORT must be a whole number from 0 to 65535, but is "80\\n90"'],
    ['PORT', '65536', 'PORT must be at most 65535, but is "65536"'],
    ['PORT', '6000', 'PORT must be a port that browsers do not block, but is "6000"'],
    ...['ring', '/ring//', '//', '/a/../b', '/.', '/a b/', '/a?b', '/a%20b', 'http://x/ring/'].map(
      (value): [string, string, string] => [
        'BASE_PATH',
        value,
        `BASE_PATH must be a path such as /ring/, but is "${value}"`,
      ],
    ),
    ...[
      'example.org',
      'ftp://example.org/',
      'https://example.org/?room=x',
      'https://example.org/?',
      'https://example.org/#x',
      'https://me@example.org/',
      'https://a.example b',
      '*',
    ].map((value): [string, string, string] => [
      'PUBLIC_URL',
      value,
      `PUBLIC_URL must be an address such as https://example.org/ring/, but is "${value}"`,
    ]),
    ['METRICS_PORT', 'abc', 'METRICS_PORT must be a whole number from 0 to 65535, but is "abc"'],
    ['METRICS_PORT', '65536', 'METRICS_PORT must be at most 65535, but is "65536"'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be silent, error, warn, info or debug, but is "loud"'],
    ['MAX_PEERS_PER_ROOM', '0', 'MAX_PEERS_PER_ROOM must be at least 1, but is "0"'],
    ['MAX_PEERS_PER_ROOM', '10001', 'MAX_PEERS_PER_ROOM must be at most 10000, but is "10001"'],
    ['SECRET', 'short', 'SECRET must have at least 32 characters'],
    ['MAX_ROOMS', '0', 'MAX_ROOMS must be at least 1, but is "0"'],
    ['MAX_ROOMS', '1e3', 'MAX_ROOMS must be a whole number from 1 to 1000000, but is "1e3"'],
    ['MAX_CONNECTIONS', '0', 'MAX_CONNECTIONS must be at least 1, but is "0"'],
    [
      'MAX_CONNECTIONS_PER_ADDRESS',
      'all',
      'MAX_CONNECTIONS_PER_ADDRESS must be a whole number from 1 to 1000000, but is "all"',
    ],
    ...['yes', '10.0.0.0/33', 'proxy.example', '-1', '1000'].map(
      (value): [string, string, string] => [
        'TRUST_PROXY',
        value,
        `TRUST_PROXY must be addresses of proxies, such as loopback, 10.0.0.0/8, or their number, but is "${value}"`,
      ],
    ),
    ...['example.org', 'https://example.org/', 'https://a.example https://b.example'].map(
      (value): [string, string, string] => [
        'ALLOWED_ORIGINS',
        value,
        `ALLOWED_ORIGINS must be origins such as https://example.org with commas between, or *, but is "${value}"`,
      ],
    ),
    ...[
      'example.org',
      "'self'",
      'https://example.org/',
      'https://a.example; script-src *',
      'https://a.*.example',
    ].map((value): [string, string, string] => [
      'FRAME_ANCESTORS',
      value,
      `FRAME_ANCESTORS must be origins such as https://example.org with commas between, or *, but is "${value}"`,
    ]),
  ])('%s=%j is refused in one line that names it', (name, value, message) => {
    expect(() => readOptions({ [name]: value })).toThrow(new Error(message));
  });
});
