// The steps as a forest, their times and lanes: typed arrays, so that a hundred thousand steps stay light.

const ALIKE = 8; // so many equal quiet siblings in a row fold into one line
const MOST_LANES = 24;

class Model {
  constructor(report) {
    this.report = report;
    this.steps = report.steps;
    const count = this.steps.length;
    this.index = new Map(this.steps.map((step, at) => [step.id, at]));
    this.parent = new Int32Array(count).fill(-1);
    this.depth = new Int32Array(count);
    this.children = new Map();
    this.order = new Int32Array(count);
    this.link();
    this.time();
    this.fold();
  }

  link() {
    this.steps.forEach((step, at) => {
      const above = step.parent === null || step.parent === step.id ? undefined : this.index.get(step.parent);
      this.parent[at] = above === undefined ? -1 : above;
    });
    this.steps.forEach((_, at) => this.breakCycle(at));
    this.roots = [];
    this.steps.forEach((_, at) => {
      const above = this.parent[at];
      if (above < 0) this.roots.push(at);
      else if (this.children.has(above)) this.children.get(above).push(at);
      else this.children.set(above, [at]);
    });
    const waiting = this.roots.slice().reverse();
    let next = 0;
    while (waiting.length) {
      const at = waiting.pop();
      this.order[next++] = at;
      if (this.parent[at] >= 0) this.depth[at] = this.depth[this.parent[at]] + 1;
      const below = this.children.get(at) || [];
      for (let each = below.length - 1; each >= 0; each--) waiting.push(below[each]);
    }
  }

  breakCycle(at) {
    // a damaged ledger may have parents that point at each other; `settled` is every step whose way up is known to end
    this.settled = this.settled || new Uint8Array(this.steps.length);
    const way = new Set();
    let here = at;
    while (here >= 0 && !this.settled[here]) {
      if (way.has(here)) { this.parent[here] = -1; break; }
      way.add(here);
      here = this.parent[here];
    }
    for (const each of way) this.settled[each] = 1;
  }

  time() {
    const count = this.steps.length;
    this.start = new Float64Array(count);
    this.stop = new Float64Array(count);
    let low = micros(this.report.started_at), high = micros(this.report.ended_at);
    low = Number.isNaN(low) ? Infinity : low;
    high = Number.isNaN(high) ? -Infinity : high;
    this.steps.forEach((step, at) => {
      const began = micros(step.started_at);
      this.start[at] = began;
      this.stop[at] = began + (step.duration_ns || 0) / 1000;
      if (Number.isNaN(began)) return;
      low = Math.min(low, began);
      high = Math.max(high, this.stop[at]);
    });
    for (const log of this.report.logs) {
      const at = micros(log.at);
      if (at < low) low = at;
      if (at > high) high = at;
    }
    if (!Number.isFinite(low)) { low = 0; high = 1; }
    this.t0 = low;
    this.span = Math.max(high - low, 1);
    this.steps.forEach((step, at) => {
      this.start[at] -= low;
      this.stop[at] = step.status === 'in_flight' ? this.span : this.stop[at] - low;
    });
    this.lanes();
  }

  lanes() {
    // each step beneath its parent, in the first lane that is free by then
    this.lane = new Int16Array(this.steps.length);
    const free = [];
    let most = 0;
    for (const at of this.order) {
      if (Number.isNaN(this.start[at])) continue;
      const above = this.parent[at];
      let lane = above >= 0 ? Math.min(this.lane[above] + 1, MOST_LANES - 1) : 0;
      while (lane < MOST_LANES - 1 && free[lane] !== undefined && free[lane] > this.start[at] + 1e-6) lane++;
      free[lane] = Math.max(free[lane] || 0, this.stop[at]);
      this.lane[at] = lane;
      most = Math.max(most, lane);
    }
    this.laneCount = most + 1;
  }

  quiet(at) {
    const step = this.steps[at];
    return step.status === 'completed' && !step.detail && !this.children.has(at);
  }

  fold() {
    this.groups = [];
    this.groupOf = new Map(); // first member -> group
    for (const siblings of [this.roots, ...this.children.values()]) {
      let from = 0;
      while (from < siblings.length) {
        let to = from + 1;
        if (this.quiet(siblings[from])) {
          const kind = this.steps[siblings[from]].kind;
          while (to < siblings.length && this.steps[siblings[to]].kind === kind && this.quiet(siblings[to])) to++;
        }
        if (to - from >= ALIKE) this.addGroup(siblings.slice(from, to));
        from = to;
      }
    }
  }

  addGroup(members) {
    const total = members.reduce((sum, at) => sum + (this.steps[at].duration_ns || 0), 0);
    this.groupOf.set(members[0], this.groups.length);
    this.groups.push({ members, total, kind: this.steps[members[0]].kind, open: false });
  }

  // -- which rows there are: a step is its index, a group is -(its number + 1) ---------------------------------------

  rows(closed, matches) {
    return matches ? this.matching(closed, matches) : this.all(closed);
  }

  all(closed) {
    const found = [];
    const waiting = [];
    const put = (siblings) => {
      const these = [];
      for (let each = 0; each < siblings.length; each++) {
        const group = this.groupOf.get(siblings[each]);
        if (group === undefined) { these.push(siblings[each]); continue; }
        these.push(-(group + 1));
        const { members, open } = this.groups[group];
        if (open) these.push(...members.map((at) => at));
        each += members.length - 1;
      }
      for (let each = these.length - 1; each >= 0; each--) waiting.push(these[each]);
    };
    put(this.roots);
    while (waiting.length) {
      const row = waiting.pop();
      found.push(row);
      if (row >= 0 && this.children.has(row) && !closed.has(row)) put(this.children.get(row));
    }
    return found;
  }

  matching(closed, matches) {
    const keep = new Uint8Array(this.steps.length);
    matches.forEach((hit, at) => {
      for (let here = hit ? at : -1; here >= 0 && !keep[here]; here = this.parent[here]) keep[here] = 1;
    });
    const found = [];
    const hidden = new Uint8Array(this.steps.length);
    for (const at of this.order) {
      const above = this.parent[at];
      if (above >= 0 && (hidden[above] || closed.has(above))) hidden[at] = 1;
      else if (keep[at]) found.push(at);
    }
    return found;
  }

  words(at) {
    this.texts = this.texts || new Array(this.steps.length);
    if (this.texts[at] === undefined) {
      const step = this.steps[at];
      const error = step.error ? `${step.error.type} ${step.error.message || ''} ${step.error.id || ''}` : '';
      this.texts[at] = `${step.kind} ${step.id} ${step.detail || ''} ${error} ${JSON.stringify(step.payload)}`.toLowerCase();
    }
    return this.texts[at];
  }
}
