import type { Browser, BrowserContext } from '@playwright/test';
import { connected } from '../../tests/support/people';
import type { Lang } from './looks';

type Line = readonly [who: string, text: string];

/** What is said in each language's room, and what the rooms and their visitor are called. */
export const scenes: Record<Lang, { me: string; room: string; empty: string; rooms: readonly string[]; lines: readonly Line[] }> = {
  en: {
    me: 'Jiwoo',
    room: 'Design review',
    empty: 'Book club',
    rooms: ['Lunch', 'Release 2.0'],
    lines: [
      ['Megan', 'Morning! The new sign-in is on the test server.'],
      ['Megan', 'One name, one room, nothing else: https://example.com/preview'],
      ['Sofia', 'Took me six seconds on the train, tunnel included.'],
      ['Jiwoo', 'And in the tunnel?'],
      ['Sofia', 'I went on typing. It all went out when the line came back, once and in order.'],
      ['Paul Smith', 'That is the whole idea 👏'],
      ['Megan', 'Then let us show it to everyone at two.\nI will bring the slides, somebody bring cake.'],
    ],
  },
  ko: {
    me: '지우',
    room: '디자인 리뷰',
    empty: '독서 모임',
    rooms: ['점심', '출시 2.0'],
    lines: [
      ['하은', '좋은 아침이에요! 새 로그인 화면이 테스트 서버에 올라갔어요.'],
      ['하은', '이름 하나, 방 하나면 끝: https://example.com/preview'],
      ['민준', '지하철에서 6초 걸렸어요. 터널에서 끊겼는데도요.'],
      ['지우', '터널에서는 어떻게 됐어요?'],
      ['민준', '그냥 계속 썼어요. 다시 연결되니까 순서대로 한 번씩만 보내졌어요.'],
      ['박서연', '바로 그거예요 👏'],
      ['하은', '그럼 두 시에 다 같이 봐요.\n자료는 제가 준비할게요, 누가 케이크 좀 가져와 주세요.'],
    ],
  },
};

export const address = (url: string, room: string) => `${url}/r/${encodeURIComponent(room.toLowerCase())}`;

/** People who are signed in for as long as pictures are taken, each with a browser of their own. */
export class People {
  readonly #signedIn = new Map<string, BrowserContext>();
  #sent = 0;

  constructor(
    readonly browser: Browser,
    readonly url: string,
  ) {}

  /** Whoever that is, in this room, which is there from then on. */
  async in(name: string, room: string): Promise<BrowserContext> {
    const context = this.#signedIn.get(name) ?? (await this.browser.newContext());
    this.#signedIn.set(name, context);
    // Under the name that this browser has anyway, signing in is entering a room.
    await context.request.post(`${this.url}/signin`, { form: { name, room }, maxRedirects: 0 });
    return context;
  }

  async say(name: string, room: string, text: string): Promise<void> {
    const context = await this.in(name, room);
    const form = { text, p: (++this.#sent).toString(16).padStart(16, '0'), n: '1' };
    await context.request.post(address(this.url, room), { form, maxRedirects: 0 });
  }

  async talk(lang: Lang): Promise<void> {
    const { room, rooms, lines } = scenes[lang];
    for (const [name, text] of lines) await this.say(name, room, text);
    for (const other of rooms) await this.say(lines[0]![0], other, '👋');
  }

  /** They are there, and seen to be. */
  async stay(name: string, room: string): Promise<void> {
    const page = await (await this.in(name, room)).newPage();
    await page.goto(address(this.url, room));
    await connected(page);
  }

  async close(): Promise<void> {
    for (const context of this.#signedIn.values()) await context.close();
  }
}
