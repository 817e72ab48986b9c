"use strict";

const form = document.getElementById("ask");
const state = document.getElementById("state");
const list = document.getElementById("answer");
const trace = document.getElementById("trace");
const button = form.querySelector("button");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text; // never innerHTML: titles are data
  if (className) made.className = className;
  return made;
}

function say(text, failed) {
  state.textContent = text;
  state.className = failed ? "failed" : "";
}

function partsTable(line, widest) {
  const table = element("table");
  table.append(element("caption", `Score ${line.score.toFixed(3)}, from:`));
  const body = element("tbody");
  const parts = Object.entries(line.parts).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  for (const [name, value] of parts) {
    const row = element("tr");
    const head = element("th", name);
    head.scope = "row";
    const cell = element("td");
    cell.setAttribute("aria-hidden", "true"); // the number beside it says the same
    const bar = element("div", undefined, value < 0 ? "bar less" : "bar");
    bar.style.width = `${(100 * Math.abs(value)) / (widest || 1)}%`;
    cell.append(bar);
    const shown = (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);
    row.append(head, cell, element("td", shown, value < 0 ? "number minus" : "number"));
    body.append(row);
  }
  table.append(body);
  return table;
}

function reasons(explanation) {
  const why = element("ul", undefined, "why");
  for (const claim of explanation.claims) {
    const item = element("li", claim.sentence);
    const count = claim.evidence_ids.length;
    const note = element("small", ` (${count} piece${count === 1 ? "" : "s"} of evidence)`);
    note.title = claim.evidence_ids.join(", ");
    if (count) item.append(note);
    why.append(item);
  }
  return why;
}

function show(answer) {
  const lines = answer.recommendations;
  const widest = Math.max(0, ...lines.flatMap((line) => Object.values(line.parts).map(Math.abs)));
  list.replaceChildren(...lines.map((line) => {
    const card = element("li");
    card.append(element("h2", `${line.rank}. ${line.title}`), element("div", line.item_id, "id"));
    const explanation = line.explanation;
    if (explanation) {
      // The text repeats the claims; they follow with their evidence.
      const claims = explanation.claims.map((claim) => claim.sentence);
      const rest = claims.reduce((text, claim) => text.replace(claim, ""), explanation.text).trim();
      if (rest) card.append(element("p", rest));
      if (claims.length) card.append(reasons(explanation));
    }
    card.append(partsTable(line, widest));
    return card;
  }));
  const facts = trace.querySelector("dl");
  facts.replaceChildren();
  for (const [name, value] of Object.entries(answer.trace)) {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    facts.append(element("dt", name.replaceAll("_", " ")), element("dd", text || "–"));
  }
  trace.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = { "Content-Type": "application/json" };
  const key = form.elements.key.value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  const body = { query: form.elements.query.value, n: Number(form.elements.n.value) };
  const user = form.elements.user.value.trim();
  if (user) body.user_id = user;
  button.disabled = true;
  list.replaceChildren();
  trace.hidden = true;
  say("Looking…");
  const began = performance.now();
  try {
    const response = await fetch("/v1/recommend", {
      method: "POST", headers, body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) {
      say(`${answer.error.message}. ${answer.error.hint}`, true);
      return;
    }
    show(answer);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const count = answer.recommendations.length;
    const less = answer.trace.degraded_because ? ` (${answer.trace.degraded_because})` : "";
    say(count ? `${count} in ${seconds} s${less}` : `Nothing fits${less}.`);
  } catch (error) {
    say("The service did not answer. Is it still running?", true);
  } finally {
    button.disabled = false;
  }
});

// A link may carry the question: /?query=dry+white&user=u1
const asked = new URLSearchParams(location.search);
for (const name of ["query", "user", "n"]) {
  if (asked.has(name)) form.elements[name].value = asked.get(name);
}
if (asked.has("query") || asked.has("user")) form.requestSubmit();
