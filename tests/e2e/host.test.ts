/** Who is let in, as the pages of the host, of those it lets in and of those it does not show it. */
import { describe, expect, test } from 'vitest';
import { tokenOf, type TokenContent } from '../../signaling-server/grants.ts';
import { peerId, roomName } from '../support.ts';
import { notices, setStage, Tab, until, untilOneRing } from './support.ts';

const JOIN_SECRET = 'thirty-two characters and a few more';
const HOUR = 3_600_000;
const NEW_LINK = 'Ask the person who gave you the link for another one.';

/** What a page says, whole, once it says anything of that kind. */
async function told(tab: Tab, kind: string): Promise<string> {
  return until(async () => {
    const [text, ...others] = await notices(tab, kind);
    expect(others).toEqual([]);
    expect(text).toBeDefined();
    return text ?? '';
  });
}

describe('where tokens are required, a page', () => {
  const stage = setStage({ joinSecret: JOIN_SECRET });

  function link(part: Partial<TokenContent>): Promise<string> {
    const content = { room: roomName('class'), role: 'member', key: 'one' } as const;
    return tokenOf(JOIN_SECRET, { ...content, expires: Date.now() + HOUR, ...part }).then(
      (token) => `${stage.url}?room=class#token=${token}`,
    );
  }

  test('that has one is in the ring, under the id that it names', async () => {
    const id = peerId(0x77);
    const tabs = [
      await Tab.open(stage.browser, await link({ id })),
      await Tab.open(stage.browser, await link({ key: 'two' })),
    ];
    const [first] = await untilOneRing(tabs);
    expect(first?.['own-id']).toBe(id);
  });

  test.each([
    ['no token', null, 'this server lets in only those who have a link with a token'],
    ['an old one', { expires: Date.now() - HOUR }, 'the token in the link has expired'],
    ['that of another room', { room: roomName('lab') }, 'the token in the link is for room lab'],
    ['one to watch', { role: 'watcher' } as const, 'the token in the link is for watching'],
  ])('with %s says why it is not in the ring', async (_, part, why) => {
    const url = part === null ? `${stage.url}?room=class` : await link(part);
    const tab = await Tab.open(stage.browser, url);
    expect(await told(tab, 'refused')).toContain(`The server refused: ${why}. ${NEW_LINK}`);
    expect((await tab.values())['role']).toBe('offline');
  });

  test('of the projector says so, too', async () => {
    const tab = await Tab.open(stage.browser, `${stage.url}watch?room=class`);
    await until(async () => {
      expect(await tab.alert()).toContain(`with a token. ${NEW_LINK}`);
    });
  });
});

describe('in a room with a secret', () => {
  const stage = setStage();

  test('pages without it say why they are not there, and links have it', async () => {
    const first = await Tab.open(stage.browser, `${stage.url}?room=a#key=sesame`);
    await until(async () => {
      expect((await first.values())['role']).toBe('leader');
    });
    const stranger = await Tab.open(stage.browser, `${stage.url}?room=a`);
    expect(await told(stranger, 'refused')).toContain(
      `this room opens only with the secret that is in its link. ${NEW_LINK}`,
    );
    await first.click('Show QR code');
    const shared = await first.page.waitForSelector('dialog a');
    expect(await shared?.evaluate((each) => each.getAttribute('href'))).toMatch(
      /\?room=a#key=sesame$/,
    );
    const second = await Tab.open(stage.browser, `${stage.url}?room=a#key=sesame`);
    await untilOneRing([first, second]);
  });
});

describe('the host of a room', () => {
  const stage = setStage();

  const hostPanel = (tab: Tab) =>
    tab.page.$eval('[data-testid=host]', (element) => element.textContent.replaceAll(/\s+/g, ' '));

  test('locks it, turns a peer out, and is the host again after a reload', async () => {
    const host = await Tab.open(stage.browser, `${stage.url}watch?room=class`);
    await host.click('Host');
    await host.click('Host this room');
    await until(async () => {
      expect(await hostPanel(host)).toContain('You host this room.');
    });
    const tabs = [
      await Tab.open(stage.browser, `${stage.url}?room=class`),
      await Tab.open(stage.browser, `${stage.url}?room=class`),
      await Tab.open(stage.browser, `${stage.url}?room=class`),
    ] as const;
    await untilOneRing(tabs);
    await host.click('Lock room');
    await until(async () => {
      expect(await hostPanel(host)).toContain('Nobody else gets in.');
    });
    const late = await Tab.open(stage.browser, `${stage.url}?room=class`);
    expect(await told(late, 'refused')).toContain(
      'its host lets nobody else in at the moment. Wait until the host unlocks it',
    );

    const [out, ...rest] = tabs;
    const id = (await out.values())['own-id'] ?? '';
    await host.page.click('[data-testid=host] summary');
    await host.page.click(`[data-peer="${id}"]`);
    expect(await told(out, 'refused')).toContain('the host of this room has turned this peer out');
    expect((await out.values())['role']).toBe('offline');
    await untilOneRing(rest);

    await host.page.reload();
    await host.click('Host, the room is locked');
    await until(async () => {
      expect(await hostPanel(host)).toContain('Nobody else gets in.');
    });
    await host.click('Unlock room');
    await until(async () => {
      expect(await hostPanel(host)).toContain('You host this room.');
    });
    await late.click('Rejoin ring');
    await untilOneRing([...rest, late]);
  });

  test('is nobody where somebody was in the room before', async () => {
    const tab = await Tab.open(stage.browser, `${stage.url}?room=class`);
    await until(async () => {
      expect((await tab.values())['role']).toBe('leader');
    });
    const watching = await Tab.open(stage.browser, `${stage.url}watch?room=class#host=a-guess`);
    await until(async () => {
      expect(await watching.alert()).toContain(
        'this room has another host, or was opened without one',
      );
    });
    expect(await hostPanel(watching)).not.toContain('Lock');
  });
});
