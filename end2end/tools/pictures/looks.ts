import type { BrowserContextOptions } from '@playwright/test';

export type Lang = 'en' | 'ko';

/** How a page is looked at. */
export interface Look {
  lang: Lang;
  theme: 'light' | 'dark';
  width: number;
  height: number;
}

export const look = (lang: Lang, theme: Look['theme'], width: number, height: number): Look => ({ lang, theme, width, height });

/** Each state is looked at in two ways that differ in everything. */
const always = [look('en', 'light', 1280, 800), look('ko', 'dark', 390, 780)];

/** In turns, so that all of them are used without a thousand pictures. */
const inTurns = [look('ko', 'light', 320, 640), look('en', 'dark', 1920, 1080), look('ko', 'light', 768, 1024)];

/** What people see most, in every width, language and theme. */
const thorough = [...always, ...inTurns, look('en', 'dark', 320, 640), look('ko', 'light', 1920, 1080), look('ko', 'dark', 1280, 800)];

export function looksOf(index: number, { often, also }: { often?: boolean; also?: Look }): readonly Look[] {
  const looks = often ? thorough : [...always, inTurns[index % inTurns.length]!];
  return also ? [...looks, also] : looks;
}

export const nameOf = ({ lang, theme, width }: Look) => `${width}-${lang}-${theme}`;

export function options({ lang, theme, width, height }: Look): BrowserContextOptions {
  const phone = width < 600;
  return {
    locale: lang === 'ko' ? 'ko-KR' : 'en-GB',
    timezoneId: 'Asia/Seoul',
    colorScheme: theme,
    viewport: { width, height },
    reducedMotion: 'reduce',
    ...(phone && { isMobile: true, hasTouch: true, deviceScaleFactor: 2 }),
  };
}
