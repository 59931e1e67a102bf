// A list of any length of which only what is in sight exists. Focus stays on the list; the active row is pointed at.

class LongList {
  // `options`: draw(row, at) -> element, identity(row) -> string, select(row, at, how), key(event, row, at) -> handled
  constructor(viewport, options) {
    this.viewport = viewport;
    this.options = options;
    this.rows = [];
    this.active = -1;
    this.spacer = make('div', { class: 'spacer', role: 'presentation' });
    viewport.append(this.spacer);
    this.redraw = soon(() => this.draw());
    viewport.addEventListener('scroll', this.redraw, { passive: true });
    viewport.addEventListener('keydown', (event) => this.pressed(event));
    viewport.addEventListener('click', (event) => this.clicked(event));
    viewport.addEventListener('focus', () => { if (this.active < 0 && this.rows.length) this.point(0, 'focus'); });
    new ResizeObserver(this.redraw).observe(viewport);
  }

  rowHeight() { return parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 32; }

  set(rows, keep) {
    const before = this.active >= 0 ? this.options.identity(this.rows[this.active]) : null;
    this.rows = rows;
    this.active = keep && before !== null ? rows.findIndex((row) => this.options.identity(row) === before) : -1;
    this.draw();
  }

  draw() {
    const height = this.rowHeight();
    this.viewport.style.height = `${this.rows.length * height}px`; // as high as its rows, up to the style sheet's limit
    const sight = this.viewport.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.viewport.scrollTop / height) - 8);
    const last = Math.min(this.rows.length, Math.ceil((this.viewport.scrollTop + sight) / height) + 8);
    this.spacer.style.height = `${this.rows.length * height}px`;
    const drawn = [];
    for (let at = first; at < last; at++) drawn.push(this.placed(at, height));
    if (this.active >= 0 && (this.active < first || this.active >= last)) drawn.push(this.placed(this.active, height));
    this.spacer.replaceChildren(...drawn);
    const pointed = this.active >= 0 ? this.nameOf(this.active) : null;
    if (pointed) this.viewport.setAttribute('aria-activedescendant', pointed);
    else this.viewport.removeAttribute('aria-activedescendant');
  }

  nameOf(at) { return `${this.viewport.id}-row-${at}`; }

  placed(at, height) {
    const made = this.options.draw(this.rows[at], at);
    made.id = this.nameOf(at);
    made.dataset.at = at;
    made.style.top = `${at * height}px`;
    made.setAttribute('aria-selected', at === this.active ? 'true' : 'false');
    return made;
  }

  point(at, how) {
    if (at < 0 || at >= this.rows.length) return;
    this.active = at;
    this.reveal(at);
    this.draw();
    this.options.select(this.rows[at], at, how);
  }

  reveal(at) {
    const height = this.rowHeight();
    const top = at * height;
    const sight = this.viewport.clientHeight;
    if (top < this.viewport.scrollTop) this.viewport.scrollTop = Math.max(0, top - height);
    else if (top + height > this.viewport.scrollTop + sight) this.viewport.scrollTop = top - sight + 2 * height;
  }

  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.viewport.clientHeight / this.rowHeight()) - 1);
    const last = this.rows.length - 1;
    const to = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, Home: 0, End: last, PageDown: this.active + page, PageUp: this.active - page }[event.key];
    if (to !== undefined) this.point(Math.min(last, Math.max(0, to)), 'move');
    else if (this.active < 0 || !this.options.key(event, this.rows[this.active], this.active)) return;
    event.preventDefault();
  }

  clicked(event) {
    const row = event.target.closest('[data-at]');
    if (!row) return;
    const at = Number(row.dataset.at);
    if (event.target.closest('[data-toggle]')) this.options.toggle(this.rows[at], at);
    else this.point(at, 'click');
  }
}
