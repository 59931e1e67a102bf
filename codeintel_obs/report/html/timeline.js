// The whole run at a glance: every step in its lane, in flight hatched. Drag across it to look closer.

class Timeline {
  constructor(model, canvas, frame, changed, chosen) {
    Object.assign(this, { model, canvas, frame, changed, chosen });
    this.from = 0;
    this.to = model.span;
    this.mark = make('div', { class: 'window', hidden: true });
    frame.append(this.mark);
    this.redraw = soon(() => this.draw());
    new ResizeObserver(this.redraw).observe(frame);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.redraw);
    canvas.addEventListener('pointerdown', (event) => this.pressed(event));
    this.describe();
  }

  describe() {
    const inFlight = this.model.report.in_flight.length;
    const more = inFlight ? `; ${number(inFlight)} in flight, hatched` : '';
    this.canvas.setAttribute('aria-label', `Timeline of ${number(this.model.steps.length)} steps over ${duration(this.model.span * 1000)}${more}. The tree below tells the same.`);
  }

  height() { return Math.min(132, Math.max(30, this.model.laneCount * 11 + 10)); }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const found = {};
    for (const status of STATUSES) found[status] = style.getPropertyValue(`--bar-${status}`).trim();
    found.accent = style.getPropertyValue('--accent').trim();
    return found;
  }

  hatch(context, colour) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 8;
    const pen = tile.getContext('2d');
    pen.strokeStyle = colour;
    pen.lineWidth = 3;
    for (const shift of [-8, 0, 8]) { pen.beginPath(); pen.moveTo(shift - 2, 10); pen.lineTo(shift + 10, -2); pen.stroke(); }
    return context.createPattern(tile, 'repeat');
  }

  draw() {
    const width = this.frame.clientWidth, height = this.height(), scale = window.devicePixelRatio || 1;
    if (!width) return;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext('2d');
    context.scale(scale, scale);
    const colours = this.colours();
    const lane = (height - 8) / this.model.laneCount;
    const paint = { ...colours, in_flight: this.hatch(context, colours.in_flight) };
    // the loud last, so that no quiet step hides them
    for (const status of [...STATUSES].reverse()) this.drawOf(status, context, paint[status], width, lane, colours);
    this.placeMark();
  }

  drawOf(status, context, paint, width, lane, colours) {
    const { model } = this;
    const drawn = new Int32Array(model.laneCount).fill(-1);
    context.fillStyle = paint;
    for (const at of model.order) {
      if (model.steps[at].status !== status || Number.isNaN(model.start[at])) continue;
      const left = (model.start[at] / model.span) * width;
      const wide = Math.max(((model.stop[at] - model.start[at]) / model.span) * width, status === 'completed' ? 1 : 3);
      if (wide <= 1 && drawn[model.lane[at]] === Math.floor(left)) continue; // that pixel is drawn
      drawn[model.lane[at]] = Math.floor(left);
      const top = 4 + model.lane[at] * lane;
      context.fillRect(left, top, wide, Math.max(1.5, lane - 1.5));
      if (status === 'in_flight') {
        context.fillStyle = colours.in_flight;
        context.fillRect(left, top, 2, Math.max(1.5, lane - 1.5));
        context.fillStyle = paint;
      }
    }
  }

  isWhole() { return this.from === 0 && this.to === this.model.span; }

  placeMark() {
    const { span } = this.model;
    this.mark.hidden = this.isWhole();
    this.mark.style.left = `${(this.from / span) * 100}%`;
    this.mark.style.width = `${((this.to - this.from) / span) * 100}%`;
  }

  look(from, to) {
    const least = this.model.span / 1e6;
    this.from = Math.max(0, Math.min(from, this.model.span - least));
    this.to = Math.min(this.model.span, Math.max(to, this.from + least));
    this.placeMark();
    this.changed();
  }

  whole() { this.look(0, this.model.span); }

  lookAt(at) {
    const { start, stop, span } = this.model;
    if (Number.isNaN(start[at])) return;
    const room = Math.max((stop[at] - start[at]) * 0.25, span / 2e4);
    this.look(start[at] - room, stop[at] + room);
  }

  pressed(event) {
    const box = this.canvas.getBoundingClientRect();
    const timeAt = (x) => Math.min(1, Math.max(0, (x - box.left) / box.width)) * this.model.span;
    const origin = event.clientX;
    this.canvas.setPointerCapture(event.pointerId);
    const moved = (move) => {
      if (Math.abs(move.clientX - origin) < 5) return;
      const [from, to] = [timeAt(origin), timeAt(move.clientX)].sort((one, other) => one - other);
      this.look(from, to);
    };
    const over = (up) => {
      this.canvas.removeEventListener('pointermove', moved);
      if (up.type === 'pointerup' && Math.abs(up.clientX - origin) < 5) this.picked(timeAt(up.clientX), up.clientY - box.top, box);
    };
    this.canvas.addEventListener('pointermove', moved);
    this.canvas.addEventListener('pointerup', over, { once: true });
    this.canvas.addEventListener('pointercancel', over, { once: true });
  }

  picked(time, y, box) {
    const { model } = this;
    const lane = Math.floor((y - 4) / ((this.height() - 8) / model.laneCount));
    const near = (model.span / box.width) * 4;
    let best = -1, least = Infinity;
    for (const at of model.order) {
      if (model.lane[at] !== lane || Number.isNaN(model.start[at])) continue;
      const away = time < model.start[at] ? model.start[at] - time : Math.max(0, time - model.stop[at]);
      if (away < least) { least = away; best = at; }
    }
    if (best >= 0 && least <= near) this.chosen(best);
  }

  place(at) {
    // where a step's bar stands in the rows, in per cent of what is looked at; null when it is out of sight
    const width = this.to - this.from;
    const left = (this.model.start[at] - this.from) / width, right = (this.model.stop[at] - this.from) / width;
    if (Number.isNaN(left) || right < 0 || left > 1) return null;
    return { left: Math.max(0, left) * 100, width: (Math.min(1, right) - Math.max(0, left)) * 100 };
  }
}
