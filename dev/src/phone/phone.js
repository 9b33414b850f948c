// Adds what arrives to the phone. Without this script the page shows what had arrived when it was
// loaded. Everything is set as text, never as markup: senders choose what is in a message.
"use strict";

const entries = document.getElementById("entries");
const state = document.getElementById("state");
const max = Number(entries.dataset.max);

function fill(item, data) {
  item.dataset.number = data.number;
  for (const element of item.querySelectorAll("[data-text]")) {
    element.textContent = data[element.dataset.text];
  }
  item.querySelector("time").dateTime = data.time;
  item.querySelector("a").href = data.raw;
}

function add(kind, data) {
  const template = document.getElementById(`${kind}-template`);
  const item = template.content.cloneNode(true).firstElementChild;
  fill(item, data);
  entries.prepend(item);
  while (entries.children.length > max) {
    entries.lastElementChild.remove();
  }
}

// A message that is no more among the newest is not on the page.
function change(data) {
  const item = entries.querySelector(`[data-number="${data.number}"]`);
  if (item) {
    fill(item, data);
  }
}

// A browser connects again by itself, and says where it was.
const events = new EventSource(`/events?after=${entries.dataset.last}`);
events.addEventListener("sms", (event) => add("sms", JSON.parse(event.data)));
events.addEventListener("report", (event) => change(JSON.parse(event.data)));
events.addEventListener("request", (event) => add("request", JSON.parse(event.data)));
events.addEventListener("cleared", () => entries.replaceChildren());
events.addEventListener("open", () => (state.textContent = "Live"));
events.addEventListener("error", () => (state.textContent = "Not connected, trying again"));
