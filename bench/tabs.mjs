/* global document, MutationObserver, report, requestAnimationFrame -- in what runs in a page */
/** Tabs in a browser, and when each of them showed what. */
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import puppeteer, { TimeoutError } from 'puppeteer-core';

/**
 * Off the network, as root, and no hidden tab beside each tab. The renderer that a browser keeps in
 * reserve is kept, other than in the tests: users' browsers have it.
 */
const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup',
];

/**
 * How long a browser rests before something is measured, in milliseconds: at least so long, and then
 * until it has been calm for a while, since pages load the rest meanwhile. Calm is where each tab takes
 * no more of the processor than a ring that only says that it is well.
 */
const REST = 3_000;
const CALM = { moment: 1_000, moments: 2, shareOfTab: 0.04, shareOfBrowser: 0.1 };

/** How long a measure may take before it counts as failed, in milliseconds. */
const PATIENCE = 90_000;

/**
 * Runs in the page from its first moment: reports the words that a person sees, after each frame that
 * changed them, with the time by the page's own clock. Nobody asks the page anything while a measure
 * lasts, and changes of other words are not looked at: a page that shows more would be slower for it.
 * @param {string[]} selectors of the elements: which tab this is, who leads, and perhaps the ring's size
 */
function watch(selectors) {
  const textOf = (selector) => {
    const element = document.querySelector(selector);
    if (element?.checkVisibility() !== true) return '';
    return element.textContent.replaceAll(/\s+/g, ' ').trim();
  };
  let last = '';
  let isAsked = false;
  const { port1: frame, port2: painted } = new MessageChannel();
  painted.onmessage = ({ data: words }) => {
    const started = performance.timeOrigin;
    report(JSON.stringify({ at: started + performance.now(), started, words }));
  };
  const read = () => {
    isAsked = false;
    const words = selectors.map(textOf);
    if (words.join('\n') === last) return;
    last = words.join('\n');
    frame.postMessage(words);
  };
  new MutationObserver(() => {
    if (!isAsked) requestAnimationFrame(read);
    isAsked = true;
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/** What those words say: "This tab is NAME ID" and "★ NAME leads", or with the id where there is no name. */
function meaningOf([own, headline, size = '']) {
  const [, name, id = ''] = /^This tab is (?:(.+) )?([0-9a-f-]+)$/.exec(own) ?? [];
  const [, leader = ''] = /^(?:★ )?(.+) leads$/.exec(headline) ?? [];
  return { id, name: name ?? id, leader, size };
}

/** How the leader's own tab calls it. */
const SELF = 'This tab';

/** Runs there too where the network keeps tabs apart: none hears at which address another is. */
function ignoreAddresses() {
  globalThis.RTCPeerConnection = class extends globalThis.RTCPeerConnection {
    async addIceCandidate() {}

    setRemoteDescription({ type, sdp = '' }) {
      return super.setRemoteDescription({ type, sdp: sdp.replaceAll(/a=candidate.*\r\n/g, '') });
    }
  };
}

/** What was waited for did not come. */
export class NotInTime extends Error {}

export class Tabs extends EventEmitter {
  #browser;
  #url;
  #selectors;
  #isApart = false;
  #session;
  /** What each page shows, and since when. */
  #shown = new Map();
  #blank = [];

  /**
   * Starts a browser.
   * @param {string} url that its tabs open
   * @param {{ sizes?: boolean, apart?: boolean }} options whether they are asked for the size of the
   *   ring, too; whether no direct link can be made between any two
   */
  static async launch(url, { sizes = false, apart = false } = {}) {
    const tabs = new Tabs();
    tabs.#isApart = apart;
    tabs.setMaxListeners(0);
    tabs.#url = url;
    tabs.#selectors = ['.own', '.headline', ...(sizes ? ['[data-testid=ring-size]'] : [])];
    tabs.#browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM_PATH,
      // A copy: puppeteer takes the disabled features out of the array that it is given.
      args: [...CHROMIUM_ARGUMENTS],
    });
    tabs.#session = await tabs.#browser.target().createCDPSession();
    return tabs;
  }

  close() {
    return this.#browser.close();
  }

  get url() {
    return this.#url;
  }

  get count() {
    return this.#shown.size;
  }

  /** The page that says that it leads. */
  get leader() {
    for (const [page, { leader }] of this.#shown) if (leader === SELF) return page;
    throw new Error('no tab leads');
  }

  /** An empty page in a context of its own, which is none of the tabs yet. */
  async newPage() {
    return (await this.#browser.createBrowserContext()).newPage();
  }

  /** Opens empty tabs, each in a context of its own, and lets the browser come to rest. */
  async prepare(count) {
    for (let made = 0; made < count; made += 1) this.#blank.push(await this.#open());
    await this.rest();
  }

  /** Opens the page in all empty tabs at once. */
  async navigate() {
    const pages = this.#blank;
    this.#blank = [];
    const to = { waitUntil: 'domcontentloaded', timeout: PATIENCE };
    try {
      await Promise.all(pages.map((page) => page.goto(this.#url, to)));
    } catch (error) {
      throw error instanceof TimeoutError ? new NotInTime(error.message) : error;
    }
  }

  async #open() {
    const page = await this.newPage();
    const nothing = { id: '', name: '', leader: '', size: '' };
    this.#shown.set(page, { started: 0, ...nothing, leaderAt: 0, sizeAt: 0 });
    const session = await page.createCDPSession();
    await session.send('Runtime.enable');
    await session.send('Runtime.addBinding', { name: 'report' });
    session.on('Runtime.bindingCalled', ({ payload }) => {
      const { at, started, words } = JSON.parse(payload);
      const before = this.#shown.get(page);
      if (before === undefined) return;
      const shown = meaningOf(words);
      this.#shown.set(page, {
        ...{ started, ...shown },
        leaderAt: shown.leader === before.leader ? before.leaderAt : at,
        sizeAt: shown.size === before.size ? before.sizeAt : at,
      });
      this.emit('change');
    });
    await page.evaluateOnNewDocument(watch, this.#selectors);
    if (this.#isApart) await page.evaluateOnNewDocument(ignoreAddresses);
    return page;
  }

  /** @param least milliseconds */
  async rest(least = REST) {
    await sleep(least);
    const end = performance.now() + PATIENCE;
    for (let calm = 0; calm < CALM.moments;) {
      const [before, start] = [await this.#cpuTimes(), performance.now()];
      await sleep(CALM.moment);
      // Process by process: the time of one that ends is in no sum any more.
      const spent = [...(await this.#cpuTimes())].map(
        ([pid, { time }]) => time - (before.get(pid)?.time ?? 0),
      );
      const share =
        spent.reduce((sum, each) => sum + each, 0) / ((performance.now() - start) / 1_000);
      const shown = this.count - this.#blank.length;
      calm = share < CALM.shareOfBrowser + CALM.shareOfTab * shown ? calm + 1 : 0;
      if (performance.now() > end) throw new NotInTime(`${shown} tabs do not come to rest`);
    }
  }

  /** When the last tab's navigation started. */
  get lastStart() {
    return Math.max(...this.#values.map(({ started }) => started));
  }

  /** Since when all tabs say that the one with the greatest id leads; null where they do not. */
  get agreedAt() {
    const values = this.#values;
    const greatest = values.reduce((a, b) => (a.id > b.id ? a : b));
    const isAgreed = values.every(
      ({ id, leader }) => id !== '' && leader === (id === greatest.id ? SELF : greatest.name),
    );
    return isAgreed ? Math.max(...values.map(({ leaderAt }) => leaderAt)) : null;
  }

  untilAgreed() {
    return this.#until(() => this.agreedAt);
  }

  /** Waits until all tabs show their number; returns since when. */
  untilCounted() {
    return this.#until(() => {
      const values = this.#values;
      const isCounted = values.every(({ size }) => size === String(values.length));
      return isCounted ? Math.max(...values.map(({ sizeAt }) => sizeAt)) : null;
    });
  }

  /** Closes a tab as its user would. */
  async closeTab(page) {
    this.#shown.delete(page);
    await page.close();
  }

  /** The renderer process of a tab: the one that works when the tab is given work. */
  async findProcess(page) {
    const before = await this.#cpuTimes();
    // In slices: its neighbours have more patience with a tab that they have known to be slow.
    await page.evaluate(async () => {
      const end = performance.now() + 1_000;
      while (performance.now() < end) {
        const pause = performance.now() + 10;
        while (performance.now() < pause);
        await new Promise((resolve) => setTimeout(resolve));
      }
    });
    const after = await this.#cpuTimes();
    const spent = (pid) => after.get(pid).time - (before.get(pid)?.time ?? 0);
    const renderers = [...after.keys()].filter((pid) => after.get(pid).type === 'renderer');
    return renderers.reduce((a, b) => (spent(a) > spent(b) ? a : b));
  }

  kill(page, pid) {
    this.#shown.delete(page);
    process.kill(pid, 'SIGKILL');
  }

  /** Seconds of processor time that the browser has taken since its start. */
  async cpu() {
    return [...(await this.#cpuTimes()).values()].reduce((sum, { time }) => sum + time, 0);
  }

  get #values() {
    return [...this.#shown.values()];
  }

  async #cpuTimes() {
    const { processInfo } = await this.#session.send('SystemInfo.getProcessInfo');
    return new Map(processInfo.map(({ id, type, cpuTime }) => [id, { type, time: cpuTime }]));
  }

  /** Calls back at each change until there is an answer. */
  #until(ask) {
    return new Promise((resolve, reject) => {
      const check = () => {
        const answer = ask();
        if (answer === null) return;
        stop();
        resolve(answer);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new NotInTime(`not within ${PATIENCE / 1000} s: ${JSON.stringify(this.#values)}`));
      }, PATIENCE);
      const stop = () => {
        clearTimeout(timer);
        this.off('change', check);
      };
      this.on('change', check);
      check();
    });
  }
}
