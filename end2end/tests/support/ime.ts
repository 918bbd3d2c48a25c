import type { CDPSession, Page } from '@playwright/test';

/** An input method, played by the browser's own composition events; nothing of it is made up by a script in the page. */
export class InputMethod {
  private constructor(readonly cdp: CDPSession) {}

  static async of(page: Page): Promise<InputMethod> {
    return new InputMethod(await page.context().newCDPSession(page));
  }

  /** What is underlined now. The first call begins a composition. */
  async compose(text: string): Promise<void> {
    // The key that led to it was the input method's.
    await this.#key('rawKeyDown', { key: 'Process', code: 'KeyA', windowsVirtualKeyCode: 229 });
    await this.cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
    await this.#key('keyUp', { key: 'a', code: 'KeyA', windowsVirtualKeyCode: 65 });
  }

  /** Ends the composition with this text. */
  async commit(text: string): Promise<void> {
    await this.cdp.send('Input.insertText', { text });
  }

  /** An Enter that the input method took for itself. */
  async takenEnter(): Promise<void> {
    await this.#key('rawKeyDown', { key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 });
  }

  /** An Enter as without an input method. */
  async plainEnter(): Promise<void> {
    await this.#key('keyDown', { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' });
  }

  async enterUp(): Promise<void> {
    await this.#key('keyUp', { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 });
  }

  /** A Korean word, its last syllable still composing. */
  async hangul(word: string): Promise<string> {
    const syllables = [...word];
    for (const syllable of syllables) {
      // 한 is typed as ㅎ, 하, 한; what matters is that it changes.
      const [first] = syllable.normalize('NFD');
      await this.compose(first ?? syllable);
      await this.compose(syllable);
      if (syllable !== syllables.at(-1)) await this.commit(syllable);
    }
    return syllables.at(-1) ?? '';
  }

  async #key(type: 'rawKeyDown' | 'keyDown' | 'keyUp', key: Record<string, string | number>): Promise<void> {
    await this.cdp.send('Input.dispatchKeyEvent', { type, ...key });
  }
}
