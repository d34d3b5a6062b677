'use strict';
const everyMs = 2000, keep = 150, minute = 30;
const samples = [];
const byId = id => document.getElementById(id);
const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
const sum = object => Object.values(object).reduce((a, b) => a + b, 0);
const count = n => n.toLocaleString('en');
const rate = n => n >= 100 ? count(Math.round(n)) : n.toFixed(n >= 10 ? 1 : 2);
const size = n => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < 4) { n /= 1000; i++; }
  return (i ? n.toFixed(n < 10 ? 1 : 0) : n) + ' ' + units[i];
};
const span = s => s >= 172800 ? Math.floor(s / 86400) + ' days'
  : s >= 7200 ? Math.floor(s / 3600) + ' hours'
  : s >= 120 ? Math.floor(s / 60) + ' minutes' : Math.max(0, Math.floor(s)) + ' seconds';
const time = us => us === null ? '–'
  : us > 67108864 ? '> 67 s' : us <= 128 ? '< 0.13 ms'
  : us < 10000 ? (us / 1000).toFixed(1) + ' ms'
  : us < 1e6 ? Math.round(us / 1000) + ' ms' : (us / 1e6).toFixed(1) + ' s';

// Fills a table: rows are arrays of cells, a cell is a text or [text, class].
const table = (id, head, rows, none) => {
  const node = byId(id);
  node.replaceChildren();
  const add = (cells, tag) => {
    const row = node.insertRow();
    for (const cell of cells) {
      const [text, name] = Array.isArray(cell) ? cell : [cell];
      row.append(make(tag, text, name));
    }
  };
  if (rows.length && head) add(head, 'th');
  for (const row of rows) add(row, 'td');
  if (!rows.length) add([none || 'nothing yet'], 'td');
};

// The time within which this share of what was counted between two samples stayed.
const quantile = (bounds, now, then, share) => {
  const counts = now.map((n, i) => n - (then ? then[i] : 0));
  const total = counts.reduce((a, b) => a + b, 0);
  if (!total) return null;
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i];
    if (seen >= share * total) return i < bounds.length ? bounds[i] : Infinity;
  }
  return null;
};

const state = data => {
  const node = byId('state');
  node.textContent = data.draining ? 'draining' : data.ready ? 'ready' : 'not ready';
  node.className = 'state ' + (data.ready ? 'good' : data.draining ? 'warn' : 'bad');
  byId('host').textContent = data.hostname;
  document.title = data.hostname + ' – ' + node.textContent;
  byId('about').textContent = 'postscale-relay ' + data.version + ', ' + data.backend
    + ', up for ' + span(data.now - data.started);
  const trouble = byId('trouble');
  trouble.hidden = data.ready || data.draining;
  trouble.textContent = 'Not ready: ' + data.not_ready_because.join('; ') + '.';
};

const tiles = (data, last, old) => {
  const seconds = last ? (data.at - last.at) / 1000 : 1;
  const other = d => sum(d.messages) - d.messages.accepted;
  const per = f => last ? rate((f(data) - f(last)) / seconds) : '–';
  const busy = data.loops.map((loop, i) => {
    const before = last && last.loops[i];
    if (!before) return 0;
    const work = loop.busy_ns - before.busy_ns;
    const all = work + loop.idle_ns - before.idle_ns;
    return all > 0 ? work / all : 0;
  });
  const answer = share => time(
    quantile(data.bounds_us, data.latency.answer, old && old.latency.answer, share));
  const list = [
    [per(d => d.messages.accepted), 'messages per second accepted'],
    [per(other), 'per second not accepted', last && other(data) > other(last) && 'bad'],
    [answer(.5), 'answer, half of them'],
    [answer(.99), 'answer, 99 of 100'],
    [count(data.sessions), 'sessions of ' + count(data.sessions_max)],
    [Math.round(100 * Math.max(0, ...busy)) + ' %', 'busiest loop'],
    [size(data.memory.reserved), 'for messages, of ' + size(data.memory.budget)],
  ];
  byId('tiles').replaceChildren(...list.map(([value, text, name]) => {
    const tile = make('div');
    tile.append(make('b', value, name || ''), make('span', text));
    return tile;
  }));
  return busy;
};

const chart = () => {
  const points = samples.slice(1).map((d, i) => {
    const before = samples[i], s = (d.at - before.at) / 1000;
    const good = (d.messages.accepted - before.messages.accepted) / s;
    return [good, (sum(d.messages) - sum(before.messages)) / s - good];
  });
  const top = Math.max(1, ...points.map(p => Math.max(...p)));
  byId('scale').textContent = 'up to ' + rate(top);
  const x = i => 600 - (points.length - 1 - i) * 600 / (keep - 1);
  const y = v => 116 - v / top * 108;
  const path = k => points.map((p, i) => (i ? 'L' : 'M') + x(i).toFixed(1) + ' '
    + y(p[k]).toFixed(1)).join('');
  const draw = (d, stroke, fill) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    node.setAttribute('d', d);
    node.setAttribute('vector-effect', 'non-scaling-stroke');
    node.style.cssText = `stroke:${stroke};fill:${fill};stroke-width:1.5`;
    return node;
  };
  if (points.length < 2) return;
  const area = path(0) + `L600 116L${x(0).toFixed(1)} 116Z`;
  byId('rates').replaceChildren(draw(area, 'none', 'var(--fill)'),
    draw(path(0), 'var(--good)', 'none'), draw(path(1), 'var(--bad)', 'none'));
};

const tables = (data, old, busy) => {
  const since = key => old ? old.latency[key] : null;
  byId('since').textContent = old ? 'of the last minute' : 'since the start';
  const names = { handshake: 'TLS handshake', login: 'login', data: 'DATA',
    answer: 'dot to reply', api: 'API call' };
  table('times', ['', 'count', '50 %', '90 %', '99 %'], Object.keys(names).map(key => {
    const now = data.latency[key], then = since(key);
    const q = share => time(quantile(data.bounds_us, now, then, share));
    const n = now.reduce((a, b) => a + b, 0) - (then ? then.reduce((a, b) => a + b, 0) : 0);
    return [names[key], count(n), q(.5), q(.9), q(.99)];
  }));
  const recent = (key, name) => old ? count(data[key][name] - (old[key][name] || 0)) : '–';
  const bad = name => ['uncertain', 'unavailable'].includes(name) ? 'bad' : '';
  const pairs = (id, key) => table(id, ['', 'last minute', 'all'],
    Object.keys(data[key]).filter(name => data[key][name]).map(name =>
      [[name, bad(name)], recent(key, name), count(data[key][name])]));
  pairs('outcomes', 'messages');
  pairs('replies', 'replies');
  pairs('logins', 'logins');
  pairs('losses', 'losses');
  table('api', ['address', 'state', 'busy', 'idle', 'opening', 'calls', 'failed to open'],
    data.api.addresses.map(a => [a.address, [a.health, a.health === 'healthy' ? 'good' : 'bad'],
      a.busy, a.idle, a.opening, count(a.calls), count(a.failed)]), 'no address known');
  byId('calls').textContent = `${count(data.api.queued)} waiting, `
    + `${count(data.api.retries)} retried, ${count(data.api.not_sent)} not sent, `
    + `${count(data.api.uncertain)} uncertain, ${count(data.duplicates)} duplicates caught`;
  table('listeners', ['address', 'mode', 'connections', 'TLS 1.3', 'TLS 1.2', 'resumed',
    'failed', 'refused'], data.listeners.map(l => [l.address, l.mode, count(l.connections),
    count(l.tls13), count(l.tls12), count(l.resumed), count(l.failed), count(l.refused)]));
  table('loops', ['loop', 'busy', 'turn, 99 of 100', 'sessions', 'slabs', 'timers'],
    data.loops.map((l, i) => [
      l.answered ? l.loop : [l.loop + ' does not answer', 'bad'],
      Math.round(100 * busy[i]) + ' %',
      time(quantile(data.bounds_us, l.turn, old && old.loops[i] && old.loops[i].turn, .99)),
      count(l.sessions), count(l.slabs), count(l.timers)]));
  const left = data.certificate_end === null ? null : data.certificate_end - data.now;
  table('machine', null, [
    ['certificate', left === null ? 'none' : left < 0 ? ['has ended', 'bad']
      : ['ends in ' + span(left), left < 86400 ? 'bad' : left < 604800 ? 'warn' : '']],
    ['memory of the process', size(data.memory.resident)],
    ['messages that wait for memory', count(data.memory.waiting)],
    ['in temporary files', size(data.temporary.used) + ' of ' + size(data.temporary.budget)],
    ['API keys in use', count(data.accounts)],
    ['descriptors', count(data.descriptors.open) + ' of ' + count(data.descriptors.max)],
    ['log lines dropped', count(data.log_lines_dropped)]]);
};

const show = data => {
  data.at = performance.now();
  const last = samples[samples.length - 1];
  if (last && data.started !== last.started) samples.length = 0;
  samples.push(data);
  if (samples.length > keep) samples.shift();
  const before = samples[samples.length - 2];
  const old = samples[Math.max(0, samples.length - 1 - minute)];
  const past = old === data ? null : old;
  state(data);
  const busy = tiles(data, before, past);
  chart();
  tables(data, past, busy);
};

const ask = async () => {
  try {
    const answer = await fetch('/status.json', { cache: 'no-store' });
    if (!answer.ok) throw new Error('status ' + answer.status);
    show(await answer.json());
  } catch (error) {
    const node = byId('trouble');
    node.hidden = false;
    node.textContent = 'No answer from the relay (' + error.message
      + '). The figures are old.';
    byId('state').textContent = 'no answer';
    byId('state').className = 'state bad';
  }
  setTimeout(ask, everyMs);
};
ask();
