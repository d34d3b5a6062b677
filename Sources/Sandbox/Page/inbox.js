// The inbox page: asks once per second for new messages, and shows one message at a time.
//
// Everything of a message is put in as text, except its HTML: that goes into a frame without scripts
// and with a policy that loads nothing from elsewhere.
"use strict";

const POLL_MILLISECONDS = 1000;
const FRAME_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:";
const byId = (id) => document.getElementById(id);

const state = {
  messages: new Map(), // by number
  last: 0,
  chosen: null, // number
  body: null, // the request of the chosen message
  raw: "",
  tab: "html",
  query: "",
};

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function call(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error((await response.text()).slice(0, 300));
  return response;
}

// Messages and refusals.

async function poll() {
  try {
    const query = state.query;
    const after = query ? 0 : state.last;
    const answer = await (
      await call(`/sandbox/messages?after=${after}&q=${encodeURIComponent(query)}`)
    ).json();
    if (query !== state.query) return; // Another search began meanwhile.
    if (after === 0) state.messages.clear();
    for (const number of state.messages.keys()) {
      if (number < answer.first) state.messages.delete(number);
    }
    for (const message of answer.messages) {
      state.messages.set(message.number, message);
      if (!query) state.last = Math.max(state.last, message.number);
    }
    // Another client has deleted messages: start again.
    if (!query && state.messages.size !== answer.total) state.last = 0;
    byId("count").textContent = query ? `${state.messages.size} of ${answer.total}` : answer.total;
    showList();
    await pollRefusals();
    byId("live").className = "";
    byId("live").textContent = "live";
  } catch (error) {
    byId("live").className = "lost";
    byId("live").textContent = "no answer from the sandbox";
  }
}

async function pollRefusals() {
  const { refusals } = await (await call("/sandbox/refusals")).json();
  byId("refused").textContent = refusals.length;
  const rows = refusals.reverse().map((refusal) => {
    const row = element("li");
    const line = element("div", undefined, "row");
    line.append(element("span", refusal.status, "status"), time(refusal.refused_at));
    row.append(line, element("code", refusal.body));
    return row;
  });
  byId("refusals").replaceChildren(...rows);
}

function time(text) {
  const made = element("time", new Date(text).toLocaleTimeString());
  made.dateTime = text;
  made.title = text;
  return made;
}

function showList() {
  const list = byId("list");
  const known = new Map([...list.children].map((row) => [Number(row.dataset.number), row]));
  const rows = [...state.messages.values()].reverse().map((m) => known.get(m.number) ?? row(m));
  if (rows.length !== list.children.length || rows.some((r, i) => r !== list.children[i])) {
    list.replaceChildren(...rows);
  }
  for (const each of rows) {
    each.firstChild.setAttribute("aria-current", Number(each.dataset.number) === state.chosen);
  }
  const isRefusals = byId("show-refusals").getAttribute("aria-selected") === "true";
  byId("nothing").hidden = rows.length > 0 || isRefusals;
  byId("nothing").textContent = state.query
    ? "Nothing matches."
    : "Nothing yet. Send a message through the relay, and it appears here.";
  if (state.chosen !== null && !state.messages.has(state.chosen) && !state.query) choose(null);
}

function row(message) {
  const made = element("li");
  made.dataset.number = message.number;
  const button = element("button");
  const first = element("div", undefined, "row");
  first.append(element("span", message.subject || "(a template)", "subject"), time(message.created_at));
  const second = element("div", undefined, "row");
  second.append(element("span", message.from, "from faint"));
  if (message.attachments.length) {
    second.append(element("span", `${message.attachments.length} attached`, "faint"));
  }
  button.append(first, second, element("div", `to ${recipients(message)}`, "from faint"));
  button.addEventListener("click", () => choose(message.number));
  made.append(button);
  return made;
}

function recipients(message) {
  const all = [...message.to, ...message.cc, ...message.bcc];
  return all.length > 2 ? `${all.slice(0, 2).join(", ")} and ${all.length - 2} more` : all.join(", ");
}

// One message.

async function choose(number) {
  state.chosen = number;
  const message = state.messages.get(number);
  byId("message").hidden = !message;
  byId("no-message").hidden = Boolean(message);
  showList();
  if (!message) return;
  state.raw = await (
    await call(`/sandbox/messages/${encodeURIComponent(message.message_id)}`)
  ).text();
  if (state.chosen !== number) return;
  state.body = JSON.parse(state.raw);
  byId("subject").textContent = message.subject || "(a template)";
  const addresses = [];
  for (const [name, value] of [
    ["From", [message.from]], ["To", message.to], ["Cc", message.cc], ["Bcc", message.bcc],
    ["Reply-To", state.body.reply_to ? [state.body.reply_to].flat() : []],
  ]) {
    if (value.length) addresses.push(element("dt", name), element("dd", value.join(", ")));
  }
  byId("addresses").replaceChildren(...addresses);
  byId("attachment-count").textContent = message.attachments.length || "";
  if (state.tab === "html" && !state.body.html_body) state.tab = "text";
  if (state.tab === "text" && !state.body.text_body && state.body.html_body) state.tab = "html";
  showTab();
}

function showTab() {
  for (const tab of document.querySelectorAll("#tabs [data-tab]")) {
    tab.setAttribute("aria-selected", tab.dataset.tab === state.tab);
  }
  byId("panel").replaceChildren(...panels[state.tab](state.body, state.messages.get(state.chosen)));
}

const panels = {
  html(body) {
    if (!body.html_body) return [element("p", "This message has no HTML.")];
    const frame = element("iframe");
    frame.title = "The message's HTML";
    frame.setAttribute("sandbox", "");
    frame.referrerPolicy = "no-referrer";
    const policy = `<meta http-equiv="Content-Security-Policy" content="${FRAME_POLICY}">`;
    frame.srcdoc = policy + withInlineImages(body);
    return [frame];
  },
  text(body) {
    return [body.text_body ? element("pre", body.text_body) : element("p", "This message has no text.")];
  },
  fields(body) {
    const table = element("table");
    const add = (name, value) => {
      const line = element("tr");
      const cell = element("td");
      cell.append(...[value].flat());
      line.append(element("th", name), cell);
      table.append(line);
    };
    for (const [name, value] of Object.entries(body.headers ?? {})) add(name, String(value));
    const tags = (body.tags ?? []).map((tag) => element("span", tag, "tag"));
    if (tags.length) add("tags", tags);
    for (const [name, value] of Object.entries(body.metadata ?? {})) add(`metadata: ${name}`, String(value));
    const shown = ["from", "to", "cc", "bcc", "reply_to", "subject", "html_body", "text_body", "headers",
      "tags", "metadata", "attachments"];
    for (const [name, value] of Object.entries(body)) {
      if (!shown.includes(name)) add(name, JSON.stringify(value));
    }
    return table.children.length ? [table] : [element("p", "No headers, tags or metadata.")];
  },
  attachments(body, message) {
    if (!message || !message.attachments.length) return [element("p", "No attachments.")];
    const table = element("table");
    message.attachments.forEach((attachment, index) => {
      const line = element("tr");
      const link = element("a", attachment.filename);
      link.href = `/sandbox/messages/${encodeURIComponent(message.message_id)}/attachments/${index + 1}`;
      link.download = attachment.filename;
      const name = element("td");
      name.append(link);
      const id = body.attachments?.[index]?.content_id;
      line.append(name, element("td", attachment.content_type), element("td", size(attachment.bytes)),
        element("td", id ? `inline: ${id}` : ""));
      table.append(line);
    });
    return [table];
  },
  json() { return [element("pre", shortened(state.raw))]; },
  answer(_, message) {
    if (!message) return [];
    return [element("pre", `${message.answer.status}\n${JSON.stringify(message.answer.body, null, 2)}`)];
  },
};

/// Inline images become data: URLs, because the frame may load nothing.
function withInlineImages(body) {
  let html = body.html_body;
  for (const attachment of body.attachments ?? []) {
    if (!attachment.content_id) continue;
    const id = attachment.content_id.replace(/^<|>$/g, "");
    const type = /^[\w.+-]+\/[\w.+-]+$/.test(attachment.content_type ?? "")
      ? attachment.content_type : "application/octet-stream";
    const url = `data:${type};base64,${attachment.content.replace(/[^A-Za-z0-9+/=]/g, "")}`;
    html = html.split(`cid:${id}`).join(url).split(`cid:${encodeURIComponent(id)}`).join(url);
  }
  return html;
}

/// The request as it was received; of an attachment's content only the first characters.
function shortened(raw) {
  const parsed = JSON.parse(raw);
  for (const attachment of parsed.attachments ?? []) {
    const length = attachment.content?.length ?? 0;
    if (length > 80) attachment.content = `${attachment.content.slice(0, 64)}… (${length} characters)`;
  }
  return JSON.stringify(parsed, null, 2);
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1048576) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1048576).toFixed(1)} MB`;
}

// Chaos.

function chaosInputs() { return [...document.querySelectorAll("#chaos-kinds input")]; }

function showChaos(shares) {
  if (!chaosInputs().length) {
    for (const name of Object.keys(shares)) {
      const label = element("label", name);
      const input = element("input");
      Object.assign(input, { type: "number", min: 0, max: 100, name });
      label.append(input);
      byId("chaos-kinds").append(label);
    }
  }
  for (const input of chaosInputs()) input.value = shares[input.name];
  const sum = Object.values(shares).reduce((a, b) => a + b, 0);
  byId("chaos-sum").textContent = sum ? `${sum} %` : "";
}

async function setChaos(shares) {
  byId("chaos-error").textContent = "";
  try {
    const answer = await call("/sandbox/chaos", { method: "PUT", body: JSON.stringify(shares) });
    showChaos(await answer.json());
  } catch (error) {
    byId("chaos-error").textContent = "Each from 0 to 100, and 100 at most in all.";
  }
}

// Actions of the user.

function showView(isRefusals) {
  byId("show-messages").setAttribute("aria-selected", !isRefusals);
  byId("show-refusals").setAttribute("aria-selected", isRefusals);
  byId("list").hidden = isRefusals;
  byId("refusals").hidden = !isRefusals;
  showList();
}

byId("show-messages").addEventListener("click", () => showView(false));
byId("show-refusals").addEventListener("click", () => showView(true));
byId("search").addEventListener("input", () => {
  state.query = byId("search").value.trim();
  state.messages.clear();
  state.last = 0;
  poll();
});
byId("clear").addEventListener("click", async () => {
  await call("/sandbox/messages", { method: "DELETE" });
  choose(null);
  poll();
});
byId("delete").addEventListener("click", async () => {
  const message = state.messages.get(state.chosen);
  if (!message) return;
  await call(`/sandbox/messages/${encodeURIComponent(message.message_id)}`, { method: "DELETE" });
  state.messages.delete(message.number);
  choose(null);
  poll();
});
byId("chaos-open").addEventListener("click", () => {
  byId("chaos").hidden = !byId("chaos").hidden;
  byId("chaos-open").setAttribute("aria-expanded", !byId("chaos").hidden);
});
byId("chaos").addEventListener("submit", (event) => {
  event.preventDefault();
  setChaos(Object.fromEntries(chaosInputs().map((input) => [input.name, Number(input.value)])));
});
byId("chaos-off").addEventListener("click", () => setChaos({}));
for (const tab of document.querySelectorAll("#tabs [data-tab]")) {
  tab.addEventListener("click", () => {
    state.tab = tab.dataset.tab;
    showTab();
  });
}

call("/sandbox/chaos").then((answer) => answer.json()).then(showChaos, () => {});
poll();
setInterval(poll, POLL_MILLISECONDS);
