/**
 * The built page's files, kept in memory: no request opens a file, so none can leave one open. The page may
 * be built, or built again, after the server has started.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, relative, sep } from 'node:path';

/** The types of files in a build; any other file is sent as bytes of unknown type. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css;charset=utf-8',
  '.html': 'text/html;charset=utf-8',
  '.js': 'text/javascript;charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The first and the last file that a build writes: where neither has changed, there was no new build. */
const STAMPS = ['index.html', join('.vite', 'sources')];

/** How long to wait before reading again files that could not be read, in milliseconds. */
const RETRY = 1_000;

interface Representation {
  readonly bytes: Buffer;
  readonly etag: string;
}

interface PageFile {
  readonly type: string;
  readonly cacheControl: string;
  readonly plain: Representation;
  /** null where the build has made none. */
  readonly gzip: Representation | null;
}

export class PageFiles {
  readonly #folder: string;
  readonly #onFault: (error: unknown) => void;
  #files: ReadonlyMap<string, PageFile> = new Map();
  /** Identifies the build in memory; null where there is none. */
  #stamp: string | null = null;
  /** When the files last could not be read. */
  #failedAt = -Infinity;

  /**
   * @param folder the built page; need not exist yet
   * @param onFault called with the reason why an existing build cannot be read
   */
  constructor(folder: string, onFault: (error: unknown) => void) {
    this.#folder = folder;
    this.#onFault = onFault;
    this.#refresh();
  }

  /** Whether there is a page. */
  get isBuilt(): boolean {
    this.#refresh();
    return this.#find('/') !== undefined;
  }

  /**
   * Answers a GET or HEAD request.
   * @param path without the query, such as `/`
   * @returns false where there is no such file; then nothing was sent
   */
  answer(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    this.#refresh();
    const file = this.#find(path);
    if (file === undefined) return false;
    const isGzip = file.gzip !== null && takesGzip(request);
    const { bytes, etag } = isGzip ? file.gzip : file.plain;
    response.setHeader('cache-control', file.cacheControl);
    response.setHeader('etag', etag);
    if (file.gzip !== null) response.setHeader('vary', 'accept-encoding');
    if (hasCopy(request, etag)) {
      response.writeHead(304).end();
      return true;
    }
    if (isGzip) response.setHeader('content-encoding', 'gzip');
    response.setHeader('content-type', file.type);
    response.setHeader('content-length', bytes.length);
    // All responses share the bytes. To HEAD, node:http sends none of them.
    response.end(bytes);
    return true;
  }

  #find(path: string): PageFile | undefined {
    if (path === '/') return this.#files.get('/index.html');
    return this.#files.get(path) ?? this.#files.get(`${path}.html`);
  }

  /** Reads the files if there is a new build. Where they cannot be read, memory keeps the old ones. */
  #refresh(): void {
    if (performance.now() - this.#failedAt < RETRY) return;
    try {
      const stamp = stampOf(this.#folder);
      if (stamp === this.#stamp) return;
      this.#files = stamp === null ? new Map() : readFiles(this.#folder);
      this.#stamp = stamp;
    } catch (error) {
      this.#failedAt = performance.now();
      this.#onFault(error);
    }
  }
}

/** Identifies the present build; null where there is none. Opens no descriptors. */
function stampOf(folder: string): string | null {
  const [first, last] = STAMPS.map((name) =>
    statSync(join(folder, name), { throwIfNoEntry: false, bigint: true }),
  );
  if (first === undefined) return null;
  return [first, last].map((stat) => `${stat?.ino}:${stat?.mtimeNs}:${stat?.size}`).join(' ');
}

/** @throws Error as of node:fs, also where a file disappears meanwhile */
function readFiles(folder: string): Map<string, PageFile> {
  const contents = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const names = relative(folder, path).split(sep);
    // Build tools keep hidden files beside the page; they are not served.
    if (names.some((name) => name.startsWith('.'))) continue;
    contents.set(`/${names.join('/')}`, readFileSync(path));
  }
  const files = new Map<string, PageFile>();
  for (const [path, bytes] of contents) {
    if (path.endsWith('.gz')) continue;
    const compressed = contents.get(`${path}.gz`);
    files.set(path, {
      type: TYPES[extname(path)] ?? 'application/octet-stream',
      // The names of assets contain hashes of their contents.
      cacheControl: path.startsWith('/assets/')
        ? 'public, max-age=31536000, immutable'
        : 'no-cache',
      plain: represent(bytes),
      gzip: compressed === undefined ? null : represent(compressed),
    });
  }
  return files;
}

function represent(bytes: Buffer): Representation {
  return {
    bytes,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
  };
}

/** Whether a comma-separated header has a value for which the test holds. */
const someOf = (header: string | string[] | undefined, test: (value: string) => boolean) =>
  String(header ?? '')
    .split(',')
    .some((value) => test(value.trim()));

function takesGzip({ headers }: IncomingMessage): boolean {
  return someOf(headers['accept-encoding'], (value) =>
    /^(?:x-)?gzip(?:\s*;\s*q=(?:1|0\.\d*[1-9]).*)?$/i.test(value),
  );
}

/** A proxy that compresses makes an ETag a weak one. */
function hasCopy({ headers }: IncomingMessage, etag: string): boolean {
  return someOf(headers['if-none-match'], (value) => value.replace(/^W\//, '') === etag);
}
