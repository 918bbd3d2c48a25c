import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@playwright/test';

type Colour = { l: number; c: number; h: number; alpha: number };
type Rgb = [number, number, number];
const scheme = ['light', 'dark'] as const;
type Scheme = (typeof scheme)[number];

const style = (file: string) => readFileSync(resolve(import.meta.dirname, '../../style', file), 'utf8');

/** Every `--name: light-dark(oklch(…), oklch(…))` of the tokens. */
const tokens = new Map<string, Record<Scheme, Colour>>();
const OKLCH = String.raw`oklch\(([\d.]+) ([\d.]+) ([\d.]+|var\(--h\))(?: / ([\d.]+))?\)`;
for (const [, name, ...n] of style('tokens.css').matchAll(new RegExp(String.raw`--([\w-]+): light-dark\(${OKLCH}, ${OKLCH}\)`, 'g'))) {
  tokens.set(name!, { light: colour(n.slice(0, 4)), dark: colour(n.slice(4, 8)) });
}

function colour([l, c, h, alpha = '1']: (string | undefined)[]): Colour {
  return { l: Number(l), c: Number(c), h: Number(h), alpha: Number(alpha) };
}

/** Linear light, as CSS Color 4 has it; out of gamut is cut off. */
function linear({ l, c, h }: Colour): Rgb {
  const [a, b] = [c * Math.cos((h * Math.PI) / 180), c * Math.sin((h * Math.PI) / 180)];
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb: Rgb = [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
  return rgb.map((part) => Math.min(1, Math.max(0, part))) as Rgb;
}

const encoded = (part: number) => (part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055);
const decoded = (part: number) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);

/** What is seen when `top` lies on `under`: browsers mix what is transparent in encoded sRGB. */
function over(top: Colour, under: Colour): Rgb {
  const [above, below] = [linear(top), linear(under)];
  return above.map((part, i) => decoded(top.alpha * encoded(part) + (1 - top.alpha) * encoded(below[i]!))) as Rgb;
}

const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

function token(name: string, in_: Scheme): Colour {
  const found = tokens.get(name);
  if (!found) throw new Error(`no colour --${name} in tokens.css`);
  return found[in_];
}

test('the arithmetic is right', () => {
  const white = linear({ l: 1, c: 0, h: 0, alpha: 1 });
  const black = linear({ l: 0, c: 0, h: 0, alpha: 1 });
  expect(contrast(white, black)).toBeCloseTo(21, 1);
  // #ff0000, as browsers have it, against white: 4.0.
  expect(contrast(linear({ l: 0.62796, c: 0.25768, h: 29.234, alpha: 1 }), white)).toBeCloseTo(4, 1);
});

/** What stands on what, and how much they have to differ. */
const pairs: [number, string, string[]][] = [
  [7, 'ink', ['paper', 'panel', 'raised', 'accent-soft', 'bad-soft', 'ok-soft']],
  // Also on a button that has nothing to do yet, and what is not chosen of a few.
  [4.5, 'ink-2', ['paper', 'panel', 'raised', 'line']],
  [4.5, 'accent', ['paper', 'panel', 'raised', 'accent-soft']],
  [4.5, 'accent-strong', ['paper', 'panel', 'raised']],
  [4.5, 'on-fill', ['fill', 'fill-strong']],
  [4.5, 'bad', ['paper', 'panel', 'raised', 'bad-soft']],
  [4.5, 'ok', ['paper', 'panel']],
  // Edges of controls, and the ring around what has the focus.
  [3, 'line-strong', ['paper', 'panel', 'raised']],
];

for (const in_ of scheme) {
  for (const [least, name, grounds] of pairs) {
    test(`${in_}: --${name} differs by ${least}:1 from what it stands on`, () => {
      for (const ground of grounds) {
        const found = contrast(linear(token(name, in_)), linear(token(ground, in_)));
        expect(found, `--${name} on --${ground}`).toBeGreaterThanOrEqual(least);
        // Only text lies on what the pointer is over.
        if (!name.startsWith('ink')) continue;
        const hovered = contrast(linear(token(name, in_)), over(token('hover', in_), token(ground, in_)));
        expect(hovered, `--${name} on --${ground} under the pointer`).toBeGreaterThanOrEqual(least);
      }
    });
  }

  test(`${in_}: initials can be read on each of the sixteen looks, and no two of them are neighbours`, () => {
    const rule = new RegExp(String.raw`light-dark\(${OKLCH}, ${OKLCH}\)`, 'g');
    const pairs = (selector: string) => {
      const body = style('parts.css').split(selector)[1]!.split('}')[0]!;
      return [...body.matchAll(rule)].map(([, ...n]) => colour(in_ === 'light' ? n.slice(0, 4) : n.slice(4, 8)));
    };
    const hues = [...style('tokens.css').matchAll(/\.hue-\d+ \{ --h: (\d+); \}/g)].map(([, h]) => Number(h));
    expect(hues).toHaveLength(16);
    for (const [selector, half] of [['.av {', hues.slice(0, 8)], ['.hue-15) {', hues.slice(8)]] as const) {
      const [ink, ground] = pairs(selector);
      for (const h of half) {
        expect(contrast(linear({ ...ink!, h }), linear({ ...ground!, h })), `${selector} hue ${h}`).toBeGreaterThanOrEqual(7);
      }
      const apart = half.map((h, i) => (half[(i + 1) % half.length]! - h + 360) % 360);
      expect(Math.min(...apart)).toBeGreaterThanOrEqual(40);
    }
  });
}
