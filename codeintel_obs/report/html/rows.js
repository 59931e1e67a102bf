// How one step, one fold of equal steps and one log record look as a row.

class Rows {
  constructor(app) { this.app = app; }

  identity(row) { return row >= 0 ? `s${row}` : `g${row}`; }

  draw(row) { return row >= 0 ? this.step(row) : this.group(-row - 1); }

  step(at) {
    const { model, closed, matches, timeline } = this.app;
    const step = model.steps[at];
    const below = model.children.get(at);
    const isOpen = below ? !closed.has(at) : null;
    const context = matches && !matches[at];
    const loud = ['failed', 'timed_out', 'in_flight'].includes(step.status) && !context;
    const caret = make('span', { class: `caret${below ? ' has' : ''}${isOpen ? ' open' : ''}`, 'data-toggle': below ? '' : null, 'aria-hidden': 'true' }, below ? icon('caret') : null);
    const took = step.status === 'in_flight' ? 'in flight' : duration(step.duration_ns);
    const name = make('div', { class: 'name' }, caret, make('span', { class: `s-${step.status}` }, icon(step.status)),
      make('span', { class: 'sr' }, `${WORDS[step.status]}: `), make('span', { class: 'kind' }, line(step.kind)), make('span', { class: 'what' }, ` ${this.what(step)}`));
    const made = make('div', { class: `r${loud ? ` f-${step.status}` : ''}${context ? ' context' : ''}`, role: 'treeitem',
      'aria-level': model.depth[at] + 1, 'aria-expanded': isOpen === null ? null : String(isOpen) },
      name, this.track(timeline.place(at), step.status, step.duration_ns === null && step.status !== 'in_flight'),
      make('span', { class: `took${step.status === 'in_flight' ? ' s-in_flight' : ''}` }, took));
    name.style.setProperty('--d', Math.min(model.depth[at], 24));
    return made;
  }

  what(step) {
    if (step.error) return clip(line(`${step.error.type}${step.error.message ? ': ' : ''}${(step.error.message || '').slice(0, 300)}`), 300);
    const detail = step.detail ? `${line(step.detail.slice(0, 200))}  ` : '';
    return detail + fewOf(step.payload, 140);
  }

  track(place, status, instant) {
    const made = make('div', { class: 'track', 'aria-hidden': 'true' });
    if (!place) return made;
    const bar = make('div', { class: `b b-${status}${instant ? ' instant' : ''}` });
    bar.style.left = `${Math.min(place.left, 99.6)}%`;
    if (!instant) bar.style.width = `${place.width}%`;
    made.append(bar);
    return made;
  }

  group(which) {
    const { model, timeline } = this.app;
    const { members, total, kind, open } = model.groups[which];
    const depth = model.depth[members[0]];
    const caret = make('span', { class: `caret has${open ? ' open' : ''}`, 'data-toggle': '', 'aria-hidden': 'true' }, icon('caret'));
    const name = make('div', { class: 'name' }, caret, make('span', { class: 's-completed' }, icon('completed')),
      make('span', { class: 'kind' }, `${number(members.length)} × ${line(kind)}`), make('span', { class: 'what' }, ' all completed'));
    name.style.setProperty('--d', Math.min(depth, 24));
    const [first, last] = [timeline.place(members[0]), timeline.place(members[members.length - 1])];
    const place = first && last ? { left: first.left, width: last.left + last.width - first.left } : first || last;
    return make('div', { class: 'r', role: 'treeitem', 'aria-level': depth + 1, 'aria-expanded': String(open) },
      name, this.track(place, 'completed', false), make('span', { class: 'took' }, `Σ ${duration(total)}`));
  }

  log(log) {
    const { model } = this.app;
    const offset = sinceBegin(micros(log.at) - model.t0);
    return make('div', { class: 'l', role: 'option' }, make('span', { class: 't' }, `+${offset}`), make('span', { class: `lv-${line(log.level || '')}` }, line(log.level || '?')),
      make('span', { class: 'g' }, line(log.logger || '')), make('span', { class: 'x' }, log.text === null ? '(text not kept)' : line(log.text.slice(0, 400))));
  }
}
