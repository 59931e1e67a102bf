// Everything on record about one step: what the report says of it, and the lines of the ledger that say so.

const FIRST_LETTERS = 20000;
const NARROW = '(max-width: 760px)';

class Drawer {
  constructor(app) {
    this.app = app;
    this.dialog = byId('drawer');
    this.title = byId('drawer-title');
    this.body = byId('drawer-body');
    this.from = null;
    byId('drawer-close').addEventListener('click', () => this.close());
    byId('drawer-previous').addEventListener('click', () => app.move(-1));
    byId('drawer-next').addEventListener('click', () => app.move(1));
    this.dialog.addEventListener('cancel', (event) => { event.preventDefault(); this.close(); });
    this.dialog.addEventListener('click', (event) => { if (event.target === this.dialog) this.close(); });
    document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && this.dialog.open) this.close(); });
  }

  open(focus) {
    if (!this.dialog.open) {
      this.from = document.activeElement;
      if (matchMedia(NARROW).matches) this.dialog.showModal();
      else {
        const keep = document.activeElement;
        this.dialog.show(); // beside the page: the arrow keys go on through the steps
        if (keep && !focus) keep.focus({ preventScroll: true });
      }
      document.body.classList.add('drawn');
    }
    if (focus) this.title.focus();
  }

  close() {
    this.dialog.close();
    document.body.classList.remove('drawn');
    this.app.leave();
    const back = this.from && this.from.isConnected ? this.from : byId('tree');
    back.focus({ preventScroll: true });
  }

  step(at, focus) {
    const step = this.app.model.steps[at];
    this.title.replaceChildren(make('span', { class: `s-${step.status}` }, icon(step.status)), ` ${line(step.kind)}`);
    this.body.replaceChildren(...this.facts(step, at), ...this.error(step), ...this.json('Payload', step.payload), ...this.records(step.evidence), ...this.json('As the report has it', step));
    this.body.scrollTop = 0;
    this.open(focus);
  }

  log(log, focus) {
    this.title.replaceChildren(`Log · ${line(log.level || '?')}`);
    const step = log.step ? this.stepLink(log.step) : null;
    this.body.replaceChildren(
      pairs([['Time', log.at], ['Logger', log.logger], ['In step', step]]),
      make('h3', {}, 'Text'), block(log.text === null ? '(text not kept)' : log.text),
      ...this.error(log), ...this.records(log.evidence), ...this.json('As the report has it', log),
    );
    this.body.scrollTop = 0;
    this.open(focus);
  }

  facts(step, at) {
    const { model } = this.app;
    const offset = Number.isNaN(model.start[at]) ? 'the begin is not on record' : `${step.started_at}  (+${sinceBegin(model.start[at])})`;
    const took = step.duration_ns === null ? (step.status === 'in_flight' ? 'began, and no end is on record' : 'an instant') : duration(step.duration_ns);
    const below = (model.children.get(at) || []).length;
    const links = step.links.map((each) => make('div', { class: 'mono' }, line([each.run_id, each.trace_id, each.span_id].filter(Boolean).join(' / '))));
    const status = make('span', { class: `s-${step.status}` }, icon(step.status), ` ${WORDS[step.status]}`);
    return [pairs([
      ['Status', status], ['Detail', step.detail], ['Began', offset], ['Took', took], ['Late', step.late ? 'ended after its run' : null],
      ['Told as', this.app.role(step.id)], ['Under', step.parent ? this.stepLink(step.parent) : null], ['Steps under it', below ? number(below) : null],
      ['Process', step.process], ['Step id', make('code', {}, line(step.id))], ['Links', links.length ? links : null],
    ])];
  }

  stepLink(id) {
    const at = this.app.model.index.get(id);
    if (at === undefined) return make('code', {}, line(id));
    const text = `${line(this.app.model.steps[at].kind)} [${line(id.slice(0, 8))}]`;
    return make('button', { class: 'link mono', type: 'button', onclick: () => this.app.show(id, true) }, text);
  }

  error(holder) {
    const { error } = holder;
    if (!error) return [];
    const said = error.message === null ? '(message not kept)' : error.message;
    const chain = error.chain.map((each) => make('li', {}, `${line(each.via)}: `, make('code', {}, line(each.type))));
    return [
      make('h3', {}, 'Error'), block(`${error.type}${said ? ': ' : ''}${said}`, 'err'),
      error.id ? make('p', { class: 'note' }, 'exception ', make('code', {}, line(error.id)), ' · ',
        make('button', { class: 'link', type: 'button', onclick: () => this.app.look(error.id) }, 'find where else it passed')) : null,
      chain.length ? make('ul', { class: 'note' }, chain) : null,
    ].filter(Boolean);
  }

  json(name, value) {
    if (!value || !Object.keys(value).length) return [];
    const text = JSON.stringify(value, null, 2);
    const copy = make('button', { class: 'link push', type: 'button', onclick: (event) => copied(text, event.target) }, 'copy');
    return [make('h3', {}, name, copy), block(text)];
  }

  records(evidence) {
    const { records, report } = this.app;
    const found = evidence.map((each) => {
      const raw = records[each];
      return make('div', {}, make('p', { class: 'ev' }, line(each)), raw === undefined
        ? make('p', { class: 'note' }, `not embedded here; it is in ${line(report.ledger_path || 'the ledger')}`) : block(raw));
    });
    return found.length ? [make('h3', {}, evidence.length > 1 ? 'Records, as written' : 'Record, as written'), ...found] : [];
  }
}

function pairs(rows) {
  const told = rows.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return make('dl', { class: 'kv' }, told.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, typeof value === 'string' ? shown(clip(value, 4000)) : value)]));
}

function block(text, kind) {
  // a text of any length: the beginning at once, the rest when it is asked for
  const made = make('pre', { class: kind, tabindex: '0' }, shown(text.slice(0, FIRST_LETTERS)));
  if (text.length <= FIRST_LETTERS) return made;
  const more = make('button', { class: 'btn', type: 'button' }, `Show all ${number(text.length)} characters`);
  more.addEventListener('click', () => { made.textContent = shown(text); more.remove(); made.focus(); });
  return make('div', {}, made, more);
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'copied';
  } catch {
    button.textContent = 'the browser does not allow it: select the text instead';
  }
}
