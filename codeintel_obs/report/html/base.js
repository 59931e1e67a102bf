// What all parts share: elements without markup, foreign text made harmless, times and sizes as people read them.
// Everything that comes from the ledger passes through `shown` and becomes text, never markup.

const STATUSES = ['failed', 'timed_out', 'in_flight', 'skipped', 'completed'];
const WORDS = { completed: 'completed', failed: 'failed', timed_out: 'timed out', in_flight: 'in flight', skipped: 'skipped' };
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

const byId = (id) => document.getElementById(id);

function shown(text) {
  // what would steer the reader's eye (bidirectional overrides, control characters, lone surrogates) is spelled out
  return String(text).replace(UNSEEN, (letter) => (
    letter === '\n' || letter === '\t' ? letter : `\\u${letter.codePointAt(0).toString(16).padStart(4, '0')}`
  ));
}

function line(text) { return shown(text).replace(/\s+/g, ' '); }

function clip(text, most) { return text.length > most ? text.slice(0, most - 1) + '…' : text; }

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') made.className = value;
    else if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

function icon(name) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  made.setAttribute('class', 'icon');
  made.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#i-' + name);
  made.append(use);
  return made;
}

function duration(ns) {
  if (ns === null || ns === undefined) return '';
  const seconds = ns / 1e9;
  if (seconds >= 120) {
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  }
  for (const [size, unit] of [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs']]) {
    if (Math.abs(ns) >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  }
  return `${ns} ns`;
}

function sinceBegin(us) { return Math.round(us) ? duration(Math.round(us * 1000)) : '0'; }

function micros(ts) {
  // Date keeps milliseconds only; records have microseconds
  if (!ts) return NaN;
  const whole = Date.parse(ts.slice(0, 19) + 'Z');
  const fraction = /\.(\d{1,6})/.exec(ts);
  return whole * 1000 + (fraction ? Number(fraction[1].padEnd(6, '0')) : 0);
}

const number = (value) => value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');

function fewOf(payload, most) {
  let found = '';
  for (const [key, value] of Object.entries(payload || {})) {
    if (value === null || value === '' || typeof value === 'object' || key.endsWith('_sha256')) continue;
    found += `${found ? '  ' : ''}${key}=${clip(line(String(value).slice(0, 200)), 48)}`;
    if (found.length > most) break;
  }
  return clip(found, most);
}

function soon(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; work(); });
  };
}
