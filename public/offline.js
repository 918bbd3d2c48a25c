// The reader's language and theme, as their cookies have them; and back to where they were going as soon as that may work.
const cookie = (name) => document.cookie.match(`(?:^|; )${name}=([a-z]+)`)?.[1];
const { dataset } = document.documentElement;
dataset.lang = cookie('lang') ?? (navigator.language.startsWith('ko') ? 'ko' : 'en');
dataset.theme = cookie('theme') ?? 'system';
document.documentElement.lang = dataset.lang;
addEventListener('online', () => location.reload());
