/** Tabs of a real browser in the same ring. */
import puppeteer, {
  type Browser,
  type BrowserContext,
  type HTTPResponse,
  type Page,
} from 'puppeteer-core';
import type { MemberState } from './messages.ts';
import type { Network } from './network.ts';

/** Keeps Chromium off the network, and lets it run as root in a container. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  // Chromium would start a hidden process for each tab, as heavy as the tab itself.
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup',
];

/** How long a tab may take to answer, in milliseconds, on a busy machine. */
const PATIENCE = 30_000;

export function launchBrowser(path: string): Promise<Browser> {
  return puppeteer.launch({
    executablePath: path,
    // A copy: puppeteer removes the disabled features from the array that it is given.
    args: [...ARGUMENTS],
    protocolTimeout: PATIENCE,
  });
}

/** Runs in the page before its own code: counts connections made and not closed. */
function countConnections(): void {
  const live = new Set<RTCPeerConnection>();
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      live.add(this);
    }

    override close(): void {
      live.delete(this);
      super.close();
    }
  };
  Object.defineProperty(globalThis, 'liveConnections', {
    get: () =>
      Array.from(
        live,
        ({ signalingState, iceConnectionState, connectionState }) =>
          `${signalingState}, ICE ${iceConnectionState}, ${connectionState}`,
      ),
  });
}

/** Runs there too, where tabs must not learn each other's addresses. */
function ignoreAddresses(): void {
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    override async addIceCandidate(): Promise<void> {
      await Promise.resolve();
    }

    override setRemoteDescription({ type, sdp = '' }: RTCSessionDescriptionInit): Promise<void> {
      return super.setRemoteDescription({ type, sdp: sdp.replaceAll(/a=candidate.*\r\n/g, '') });
    }
  };
}

/** @throws Error where the answer is not the page */
function checkLoaded(name: string, response: HTTPResponse | null): void {
  const status = response?.status();
  const isLoaded = response?.ok() === true || status === 304;
  if (!isLoaded) throw new Error(`${name} did not get its page: ${status ?? 'no answer'}`);
}

/** One tab in its own browser context, as on a separate device. */
export class Tab {
  readonly name: string;
  readonly #page: Page;
  readonly #context: BrowserContext;

  private constructor(name: string, page: Page, context: BrowserContext) {
    this.name = name;
    this.#page = page;
    this.#context = context;
  }

  static async open(
    browser: Browser,
    name: string,
    url: string,
    links: Network['links'],
    onFault: (what: string) => void,
  ): Promise<Tab> {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => {
      onFault(`${name}: ${String(error)}`);
    });
    await page.evaluateOnNewDocument(countConnections);
    if (links === 'relayed') await page.evaluateOnNewDocument(ignoreAddresses);
    checkLoaded(name, await page.goto(url));
    return new Tab(name, page, context);
  }

  async state(): Promise<MemberState> {
    const values = await this.#page.evaluate(() =>
      Object.fromEntries(
        Array.from(document.querySelectorAll('[data-testid][data-value]'), (element) => [
          element.getAttribute('data-testid') ?? '',
          element.getAttribute('data-value') ?? '',
        ]),
      ),
    );
    const text = (name: string) => {
      const value = values[name] ?? '';
      return value === '' ? null : value;
    };
    const number = (name: string) => {
      const value = text(name);
      return value === null ? null : Number(value);
    };
    return {
      id: text('own-id') ?? '',
      role: text('role') ?? '',
      term: number('term'),
      leader: text('leader-id'),
      size: number('ring-size'),
      successor: text('successor-id'),
      predecessor: text('predecessor-id'),
      successorLink: text('successor-link') ?? '',
      predecessorLink: text('predecessor-link') ?? '',
      server: text('server-link') ?? '',
    };
  }

  /** RTCPeerConnections made and not closed, each in words. */
  connections(): Promise<string[]> {
    return this.#page.evaluate(() => {
      const live: unknown = Reflect.get(globalThis, 'liveConnections');
      return Array.isArray(live) ? live.map(String) : [];
    });
  }

  /** The page's log, oldest entry first. */
  async history(): Promise<readonly string[]> {
    const entries = await this.#page.$$eval('[data-testid=event]', (elements) =>
      elements
        .filter((element) => element.getAttribute('data-kind') !== 'lap')
        .map((element) => element.textContent.replaceAll(/\s+/g, ' ').trim()),
    );
    return entries.toReversed();
  }

  async reload(): Promise<void> {
    checkLoaded(this.name, await this.#page.reload());
  }

  /** Closes it as a person would. */
  async close(): Promise<void> {
    await this.#page.close();
    await this.#context.close();
  }

  /** Kills the process below the page. */
  async crash(): Promise<void> {
    const session = await this.#page.createCDPSession();
    const crashed = new Promise<void>((resolve) => {
      this.#page.once('error', () => {
        resolve();
      });
    });
    // The page never answers: its process is gone. The error when the session ends is expected.
    session.send('Page.crash').catch(() => undefined);
    await crashed;
    await this.#context.close();
  }
}
