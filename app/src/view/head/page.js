// What the page of a room does before its script is there, without it, and once it broke. It stands in the head of the page and
// is called with addresses and words. `data-script` of the document says how things are: `wait`, `on` (the script is alive), or
// `stopped`; without JavaScript it is not there.
({ js, wasm, draft, words }) => {
  const root = document.documentElement;
  const get = (id) => document.getElementById(id);
  const is = (state) => root.dataset.script === state;
  const on = (types, act) => types.split(' ').forEach((type) => addEventListener(type, act, true));
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const joined = (...texts) => texts.filter(Boolean).join('\n');
  root.dataset.script = 'wait';
  let wishes = [];
  let note = '';
  let composing = false;
  let hangul = false;
  let leaving = false;
  let alive = false;
  let whole = false;

  // Above the field: what waits to be sent, and what cannot be taken.
  const show = () => {
    const line = (className, textContent) => Object.assign(document.createElement('p'), { className, textContent, dir: 'auto' });
    const lines = wishes.map((text) => line('wish', text));
    if (lines.length) lines.unshift(line('help', words.waits));
    if (note) lines.push(line('err', note));
    get('aside').replaceChildren(...lines);
  };
  const giveBack = () => {
    const field = get('text');
    field.value = joined(...wishes, field.value);
    wishes = [];
    show();
  };

  // Enter sends as it does later: one is enough for Hangul, whose last syllable is always composing, and the one that chooses a
  // candidate in Chinese or Japanese does nothing else.
  const sends = () => {
    try {
      const set = localStorage['hubbub.set.enter'];
      if (set) return set === 'on';
    } catch {}
    return !matchMedia('(pointer: coarse)').matches;
  };
  const wish = () => {
    const field = get('text');
    if (!is('wait')) return field.form.requestSubmit();
    if (!field.value.trim()) return;
    wishes.push(field.value);
    field.value = '';
    show();
  };
  on('compositionstart compositionupdate compositionend', (event) => {
    composing = event.type !== 'compositionend';
    if (event.data) hangul = /[ᄀ-ᇿㄱ-ㆎ가-힣]$/.test(event.data);
  });
  on('keydown', (event) => {
    const field = event.target;
    if (is('on') || field.id !== 'text' || event.altKey) return;
    const taken = composing || event.isComposing || event.keyCode === 229;
    if (event.key !== 'Enter' && !(taken && /Enter$/.test(event.code))) return;
    if (taken && !hangul) return;
    if (!event.ctrlKey && !event.metaKey && (event.shiftKey || !sends())) return;
    event.preventDefault();
    if (!taken) return wish();
    field.blur();
    field.focus();
    setTimeout(wish);
  });
  on('submit', (event) => {
    if (is('on')) return;
    leaving = true;
    if (event.target !== get('text').form) return;
    giveBack();
    // What the script kept before it broke goes out now.
    if (alive) store(() => '');
  });
  const store = (text) => {
    try {
      const key = draft + decodeURIComponent(location.pathname.split('/')[2]);
      localStorage[key] = text(localStorage[key]);
      if (!localStorage[key]) localStorage.removeItem(key);
    } catch {}
  };
  // By the form, as if the wish were had now: each is sent once, and what is refused stays in the field.
  const flush = () => {
    if (!wishes.length) return;
    if (composing) return addEventListener('compositionend', () => setTimeout(flush), { once: true });
    const field = get('text');
    const typed = field.value;
    field.value = '';
    while (wishes.length && !field.value) {
      field.value = wishes.shift();
      field.form.requestSubmit();
    }
    const refused = field.value;
    field.value = joined(refused, ...wishes, typed);
    wishes = [];
    show();
    if (!refused) field.dispatchEvent(new Event('input', { bubbles: true }));
  };

  // A page that goes before its script came, or after it broke, leaves what stands in the field where the next one finds it.
  on('pagehide', () => {
    const field = get('text');
    const text = joined(...wishes, field.value);
    if (is('on') || leaving || !text || text === field.defaultValue) return;
    store((kept) => (alive ? text : joined(kept, text)));
  });

  // Text only. What comes along with text is left out by the browser.
  on('paste drop dragover', (event) => {
    const types = [...((event.clipboardData ?? event.dataTransfer)?.types ?? [])];
    if (!types.includes('Files') || types.some((type) => /^text\/(plain|uri-list)$/.test(type))) return;
    event.preventDefault();
    if (event.type === 'dragover') return;
    note = words.textOnly;
    show();
  });
  on('input click submit keydown', (event) => {
    if (!note || (event.type === 'keydown' && event.key !== 'Enter')) return;
    note = '';
    show();
  });

  // The script broke: what it listens for is the browser's again.
  const stop = () => {
    if (is('stopped')) return;
    root.dataset.script = 'stopped';
    const state = document.querySelector('.me .state');
    if (state) Object.assign(state, { className: 'state off', textContent: words.stopped });
    // The room on screen may be another one by now.
    document.querySelector('#room-menu form').action = location.pathname.split('/', 3).join('/') + '/leave';
    giveBack();
  };
  on('error', (event) => {
    if (whole && /wasm/.test(event.error?.stack)) stop();
  });
  on('unhandledrejection', (event) => {
    if (whole && event.reason instanceof WebAssembly.RuntimeError) stop();
  });
  on('keydown submit click input', (event) => is('stopped') && event.stopImmediatePropagation());
  on('popstate', () => is('stopped') && location.reload());
  new MutationObserver(() => {
    if (!is('on') || alive) return;
    alive = true;
    try {
      sessionStorage.removeItem('hubbub.again');
    } catch {}
    setTimeout(flush);
  }).observe(root, { attributeFilter: ['data-script'] });

  // Whether the page's data are still what the server sent, and what was rendered from them as well: `sum.rs` does the same there.
  // Translators, proxies and extensions change a page.
  const untouched = () => {
    const live = get('live');
    let sum = 0x811c9dc5;
    const add = (text) => {
      for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x1000193);
    };
    add(get('page-data').textContent);
    const ofData = sum >>> 0;
    get('aside').replaceChildren();
    const walk = document.createTreeWalker(live, 133);
    for (let node; (node = walk.nextNode()); ) add(node.nodeType + (node.data ?? node.localName));
    const sums = live.dataset.sum.split(' ');
    return { data: ofData == sums[0], page: sum >>> 0 == sums[1] };
  };
  const load = (again) => import(again ? `${js}?${again}` : js).then((m) => m.default({ module_or_path: wasm }).then(() => m));
  // The other build behind the same address may be asked for the script: another try may reach the right one. As long as nothing
  // answers at all, it is the network, and waiting is right.
  const loaded = async () => {
    for (let n = 0, failed = 0; ; n++) {
      try {
        return await load(n);
      } catch (error) {
        console.error(error);
        if (failed > 1) throw error;
        await wait(500 << Math.min(n, 4));
        await fetch(location.href, { method: 'HEAD', cache: 'no-store' }).then(() => failed++, () => {});
      }
    }
  };
  // Into a page of its own making where that of the server was changed.
  const start = async () => {
    let script = await loaded();
    const intact = untouched();
    if (intact.page) {
      try {
        script.hydrate();
        whole = true;
        return show();
      } catch (error) {
        console.error(error);
        script = await load('anew');
      }
    }
    show();
    const data = intact.data
      ? get('page-data').textContent
      : await (await fetch(location.href, { headers: { accept: 'application/json' } })).text();
    while (composing) await wait(50);
    const [old, drawer] = [get('text'), get('drawer').checked];
    const { value, selectionStart, selectionEnd } = old;
    const focused = document.activeElement === old;
    script.render(data);
    whole = true;
    root.dataset.anew = '';
    const field = get('text');
    // Also what the server gave back because it could not take it.
    if (value !== field.value) field.value = value;
    if (focused) {
      field.focus();
      field.setSelectionRange(selectionStart, selectionEnd);
    }
    get('drawer').checked = drawer;
    show();
  };
  addEventListener('DOMContentLoaded', () =>
    start().catch((error) => {
      console.error(error);
      const wished = wishes.length;
      stop();
      let first = false;
      try {
        first = !sessionStorage['hubbub.again'];
        sessionStorage['hubbub.again'] = 1;
      } catch {
        first = false;
      }
      const field = get('text');
      // Posting loads the page anew as well.
      if (wished) field.form.requestSubmit();
      else if (first && !leaving && field.value === field.defaultValue) location.reload();
    }),
  );
}
