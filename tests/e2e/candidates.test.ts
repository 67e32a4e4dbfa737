/** Links where one end knows no candidate of the other: one that does is enough. */
import { expect, test } from 'vitest';
import { ignoreCandidates, setStage, Tab, untilOneRing } from './support.ts';

let tabs: Tab[] = [];
const stage = setStage({}, () => tabs);

test.each(['offer', 'answer'] as const)(
  'tabs that use no candidate of an end that makes the %s have direct links',
  async (of) => {
    tabs = [];
    for (let made = 0; made < 3; made += 1) {
      const tab = await Tab.make(stage.browser);
      tabs.push(tab);
      await ignoreCandidates(tab, of);
      await tab.page.goto(stage.url);
    }
    const values = await untilOneRing(tabs, ['direct']);
    expect(values).toHaveLength(3);
  },
);
