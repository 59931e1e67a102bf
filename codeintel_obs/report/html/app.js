// Puts the parts together: what is filtered, what is open, what is selected, and where the address points.

class App {
  constructor(report, records) {
    this.report = report;
    this.records = records;
    this.model = new Model(report);
    this.closed = new Set();
    this.matches = null;
    this.filter = { statuses: new Set(), kind: '', text: '' };
    this.roles = this.told();
    const rows = new Rows(this);
    this.timeline = new Timeline(this.model, byId('canvas'), byId('overview'), () => this.looked(), (at) => this.show(this.model.steps[at].id, false));
    this.list = new LongList(byId('tree'), {
      draw: (row) => rows.draw(row), identity: rows.identity, select: (row, _, how) => this.selected(row, how),
      key: (event, row, at) => this.key(event, row, at), toggle: (row) => this.toggle(row),
    });
    this.drawer = new Drawer(this);
    this.controls();
    this.logs(rows);
    this.refresh();
    this.axis();
    window.addEventListener('hashchange', () => this.follow());
    document.addEventListener('click', (event) => this.cited(event));
    this.follow();
  }

  told() {
    const roles = new Map();
    const { report } = this;
    for (const id of report.handled_failures) roles.set(id, 'a handled failure');
    for (const each of report.recovered) roles.set(each.failed, 'a failure after which a step of the same kind completed');
    if (report.stopped_because && report.stopped_because.step) roles.set(report.stopped_because.step, 'why the run stopped');
    return roles;
  }

  role(id) { return this.roles.get(id) || null; }

  // -- filters -------------------------------------------------------------------------------------------------------

  controls() {
    const counts = {};
    const kinds = new Map();
    for (const step of this.model.steps) {
      counts[step.status] = (counts[step.status] || 0) + 1;
      kinds.set(step.kind, (kinds.get(step.kind) || 0) + 1);
    }
    byId('chips').append(...STATUSES.filter((status) => counts[status]).map((status) => this.chip(status, counts[status])));
    const names = [...kinds.keys()].sort();
    byId('kind').append(...names.map((kind) => make('option', { value: kind }, `${line(kind)} (${number(kinds.get(kind))})`)));
    byId('kind').addEventListener('change', (event) => { this.filter.kind = event.target.value; this.search(); });
    let pause = 0;
    byId('search').addEventListener('input', (event) => {
      clearTimeout(pause);
      pause = setTimeout(() => { this.filter.text = event.target.value.trim().toLowerCase(); this.search(); }, 120);
    });
    byId('search').addEventListener('keydown', (event) => { if (event.key === 'Enter') { event.preventDefault(); this.next(event.shiftKey ? -1 : 1); } });
    byId('expand').addEventListener('click', () => this.openAll(true));
    byId('collapse').addEventListener('click', () => this.openAll(false));
    byId('whole').addEventListener('click', () => this.timeline.whole());
    byId('closer').addEventListener('click', () => { const row = this.list.rows[this.list.active]; if (row >= 0) this.timeline.lookAt(row); });
  }

  chip(status, count) {
    const made = make('button', { class: 'chip', type: 'button', 'aria-pressed': 'false' },
      make('span', { class: `s-${status}` }, icon(status)), WORDS[status], make('span', { class: 'n' }, number(count)));
    made.addEventListener('click', () => {
      const on = !this.filter.statuses.delete(status);
      if (on) this.filter.statuses.add(status);
      made.setAttribute('aria-pressed', String(on));
      this.search();
    });
    return made;
  }

  async search() {
    const { statuses, kind, text } = this.filter;
    const turn = (this.turn = (this.turn || 0) + 1);
    if (!statuses.size && !kind && !text) { this.matches = null; this.refresh(true); return; }
    const { model } = this;
    const found = new Uint8Array(model.steps.length);
    let until = performance.now() + 14;
    for (let at = 0; at < found.length; at++) {
      const step = model.steps[at];
      found[at] = (!statuses.size || statuses.has(step.status)) && (!kind || step.kind === kind) && (!text || model.words(at).includes(text)) ? 1 : 0;
      if ((at & 255) === 0 && performance.now() > until) { // the page stays alive while a long run is searched
        await new Promise((resume) => { setTimeout(resume, 0); });
        if (turn !== this.turn) return;
        until = performance.now() + 14;
      }
    }
    this.matches = found;
    this.refresh(true);
    this.list.viewport.scrollTop = 0;
  }

  next(way) {
    if (!this.matches) return;
    const { rows, active } = this.list;
    for (let each = 1; each <= rows.length; each++) {
      const at = (active + way * each + rows.length * 2) % rows.length;
      if (rows[at] >= 0 && this.matches[rows[at]]) { this.list.point(at, 'move'); return; }
    }
  }

  look(text) {
    byId('search').value = text;
    this.filter.text = text.toLowerCase();
    this.search();
    byId('steps').scrollIntoView();
  }

  refresh(keep) {
    this.list.set(this.model.rows(this.closed, this.matches), keep);
    const total = this.model.steps.length;
    const hits = this.matches ? this.matches.reduce((sum, each) => sum + each, 0) : total;
    byId('count').textContent = this.matches ? `${number(hits)} of ${number(total)} steps match` : `${number(total)} steps`;
    byId('nothing').hidden = hits > 0;
  }

  // -- the tree ------------------------------------------------------------------------------------------------------

  toggle(row) {
    if (row < 0) this.model.groups[-row - 1].open = !this.model.groups[-row - 1].open;
    else if (!this.closed.delete(row)) this.closed.add(row);
    this.refresh(true);
  }

  openAll(open) {
    this.closed = open ? new Set() : new Set(this.model.children.keys());
    for (const group of this.model.groups) group.open = false;
    this.refresh(true);
  }

  isOpen(row) {
    if (row < 0) return this.model.groups[-row - 1].open;
    return this.model.children.has(row) ? !this.closed.has(row) : null;
  }

  key(event, row, at) {
    const open = this.isOpen(row);
    if (event.key === 'Enter' || event.key === ' ') {
      if (row < 0) this.toggle(row);
      else this.address(row, true);
    } else if (event.key === 'ArrowRight') {
      if (open === false) this.toggle(row);
      else if (open) this.list.point(Math.min(at + 1, this.list.rows.length - 1), 'move');
    } else if (event.key === 'ArrowLeft') {
      if (open) this.toggle(row);
      else this.up(row);
    } else return false;
    return true;
  }

  up(row) {
    const above = this.model.parent[row >= 0 ? row : this.model.groups[-row - 1].members[0]];
    const at = this.list.rows.indexOf(above);
    if (above >= 0 && at >= 0) this.list.point(at, 'move');
  }

  selected(row, how) {
    byId('closer').disabled = row < 0;
    if (row < 0) { if (how === 'click') this.toggle(row); return; }
    if (how === 'click') this.address(row, false);
    else if (how === 'move' && this.drawer.dialog.open) this.address(row, false);
  }

  move(by) { this.list.point(Math.min(this.list.rows.length - 1, Math.max(0, this.list.active + by)), 'move'); }

  // -- addresses: #step=<id> is a link to a step ----------------------------------------------------------------------

  address(at, focus) {
    try {
      history.replaceState(null, '', `#step=${encodeURIComponent(this.model.steps[at].id)}`);
    } catch { /* an id that no address can hold, or a viewer that allows none: the step is shown all the same */ }
    this.drawer.step(at, focus);
  }

  leave() {
    try {
      if (location.hash.startsWith('#step=')) history.replaceState(null, '', '#steps');
    } catch { /* a viewer that allows none */ }
  }

  follow(hash = location.hash, focus = false) {
    if (!hash.startsWith('#step=')) return;
    let id = '';
    try { id = decodeURIComponent(hash.slice(6)); } catch { return; }
    this.show(id, focus);
  }

  show(id, focus) {
    const at = this.model.index.get(id);
    if (at === undefined) return;
    for (let above = this.model.parent[at]; above >= 0; above = this.model.parent[above]) this.closed.delete(above);
    const group = this.model.groups.find((each) => each.members.includes(at));
    if (group) group.open = true;
    if (this.matches && !this.matches[at]) this.clear();
    this.refresh(true);
    const row = this.list.rows.indexOf(at);
    this.list.active = row;
    this.list.reveal(row);
    this.list.draw();
    byId('closer').disabled = false;
    this.address(at, focus);
  }

  clear() {
    this.filter = { statuses: new Set(), kind: '', text: '' };
    this.matches = null;
    byId('search').value = '';
    byId('kind').value = '';
    for (const chip of byId('chips').children) chip.setAttribute('aria-pressed', 'false');
  }

  cited(event) {
    const link = event.target.closest('a[href^="#step="]');
    if (link) { // also a second time, when the address does not change
      event.preventDefault();
      this.follow(link.getAttribute('href'), true);
      return;
    }
    const wanted = event.target.closest('[data-kind]');
    if (!wanted) return;
    this.clear();
    byId('kind').value = this.filter.kind = wanted.dataset.kind;
    this.search();
    byId('steps').scrollIntoView();
  }

  // -- time ----------------------------------------------------------------------------------------------------------

  looked() { this.axis(); this.list.redraw(); byId('whole').disabled = this.timeline.isWhole(); }

  axis() {
    const { from, to } = this.timeline;
    const at = (share) => sinceBegin(from + (to - from) * share);
    byId('ticks').replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const tick = make('span', {}, at(share));
      tick.style.left = `${share * 100}%`;
      return tick;
    }));
    byId('whole').disabled = this.timeline.isWhole();
  }

  // -- logs ----------------------------------------------------------------------------------------------------------

  logs(rows) {
    const viewport = byId('log-list');
    if (!viewport) return;
    const all = this.report.logs;
    const list = new LongList(viewport, {
      draw: (row) => rows.log(row), identity: (row) => all.indexOf(row), toggle: () => {},
      select: (row, _, how) => { if (how === 'click') this.drawer.log(row, false); },
      key: (event, row) => { if (event.key !== 'Enter' && event.key !== ' ') return false; this.drawer.log(row, true); return true; },
    });
    const levels = [...new Set(all.map((each) => each.level || '?'))];
    byId('log-level').append(...levels.map((level) => make('option', { value: level }, line(level))));
    const again = () => {
      const level = byId('log-level').value, text = byId('log-search').value.trim().toLowerCase();
      list.set(all.filter((each) => (!level || (each.level || '?') === level) && (!text || `${each.logger || ''} ${each.text || ''}`.toLowerCase().includes(text))));
      byId('log-count').textContent = `${number(list.rows.length)} of ${number(all.length)} shown`;
    };
    byId('log-level').addEventListener('change', again);
    byId('log-search').addEventListener('input', again);
    again();
  }
}

function themes() {
  const root = document.documentElement;
  byId('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    app.timeline.redraw();
  });
}

for (const each of document.querySelectorAll('[data-js]')) each.hidden = false;
const app = new App(JSON.parse(byId('report').textContent), JSON.parse(byId('records').textContent));
themes();
document.documentElement.dataset.ready = 'yes';
