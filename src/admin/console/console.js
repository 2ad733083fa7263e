// What pages are better with and do without: refusals as they come, clocks that count down, and how much of a file is sent.
"use strict";

const MOST_ROWS = 200;

function left(until) {
  const seconds = Math.floor((until - Date.now()) / 1000);
  if (seconds <= 0) return "over";
  const two = (number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} left`;
}

function cell(name, node) {
  const cell = document.createElement("td");
  cell.dataset.name = name;
  cell.append(node);
  return cell;
}

function link(to, text) {
  const link = document.createElement("a");
  link.href = to;
  link.textContent = text;
  return link;
}

// The columns of a list of refusals, as the server writes them.
function row(record) {
  const time = document.createElement("time");
  time.dateTime = record.at;
  time.textContent = record.at.replace("T", " ").replace(/\.\d+Z$/, " UTC");
  const state = document.createElement("span");
  state.className = `state ${record.verdict === "rejected" ? "bad" : "warn"}`;
  state.textContent = record.verdict;
  const row = document.createElement("tr");
  row.className = "new";
  row.append(
    cell("Time", link(`/console/verdicts/${encodeURIComponent(record.ref)}`, time.textContent)),
    cell("Account", link(`/console/accounts/${encodeURIComponent(record.account)}`, record.account)),
    cell("From", record.source),
    cell("Verdict", state),
    cell("Rule", record.rule),
    cell("Clause", String(record.clause ?? "")),
    cell("Status", record.status),
  );
  return row;
}

function follow(table) {
  const pulse = table.querySelector(".pulse");
  const rows = table.tBodies[0];
  const source = new EventSource(table.dataset.live);
  const say = (text) => { pulse.textContent = `– ${text}`; };
  let missed = 0;
  source.onopen = () => say("live");
  source.onerror = () => say("not live: the page shows what was there when it was loaded");
  source.addEventListener("missed", (event) => {
    missed += Number(event.data);
    say(`live, but ${missed} came too fast to be shown: load the page again`);
  });
  source.addEventListener("verdict", (event) => {
    for (const none of rows.querySelectorAll(".none")) none.remove();
    rows.prepend(row(JSON.parse(event.data)));
    while (rows.rows.length > MOST_ROWS) rows.deleteRow(-1);
  });
}

function send(form, event) {
  event.preventDefault();
  const bar = form.querySelector("progress");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  bar.hidden = false;
  request.upload.onprogress = (sent) => { if (sent.lengthComputable) bar.value = sent.loaded / sent.total; };
  request.onload = () => {
    const answer = new DOMParser().parseFromString(request.responseText, "text/html");
    document.title = answer.title;
    document.querySelector("main").replaceWith(document.adoptNode(answer.querySelector("main")));
    if (request.responseURL) history.replaceState(null, "", request.responseURL);
    start(document.querySelector("main"));
    document.querySelector("main").scrollIntoView();
  };
  // It was cut off, as when it is too large: what the server had to say of it is lost.
  request.onerror = () => { bar.hidden = true; alertIn(form, "The file was not taken: it may be too large, or the connection is lost."); };
  request.send(new FormData(form));
}

function alertIn(form, text) {
  const alert = document.createElement("p");
  alert.setAttribute("role", "alert");
  alert.textContent = text;
  form.append(alert);
}

function start(part) {
  for (const table of part.querySelectorAll("table[data-live]")) follow(table);
  for (const form of part.querySelectorAll("form[data-progress]")) form.addEventListener("submit", (event) => send(form, event));
}

start(document);
setInterval(() => {
  for (const clock of document.querySelectorAll(".clock")) clock.textContent = left(Date.parse(clock.dataset.until));
}, 1000);
