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
  for (const element of item.querySelectorAll("[data-lang]")) {
    element.lang = data[element.dataset.lang];
  }
  item.querySelector("time").dateTime = data.time;
  item.querySelector("a").href = data.raw;
}

function add(kind, data) {
  const template = document.getElementById(`${kind}-template`);
  const item = template.content.cloneNode(true).firstElementChild;
  fill(item, data);
  entries.prepend(item);
  offerToSpeak();
  while (entries.children.length > max) {
    entries.lastElementChild.remove();
  }
}

// A voice of this machine: others send what they say to who made the browser.
function voiceFor(language) {
  const own = window.speechSynthesis?.getVoices().filter((voice) => voice.localService) ?? [];
  const tag = (voice) => voice.lang.replace("_", "-").toLowerCase();
  const wanted = language.toLowerCase();
  const [primary] = wanted.split("-");
  return (
    own.find((voice) => tag(voice) === wanted) ??
    own.find((voice) => tag(voice).split("-")[0] === primary)
  );
}

// Shows the buttons of the calls for which there is a voice. Browsers may find their voices late.
function offerToSpeak() {
  for (const call of entries.querySelectorAll(".call")) {
    call.querySelector("button").hidden = !voiceFor(call.querySelector(".bubble").lang);
  }
}

// A second press stops it.
function speak(call) {
  const isSpeaking = window.speechSynthesis.speaking;
  window.speechSynthesis.cancel();
  if (isSpeaking) {
    return;
  }
  const bubble = call.querySelector(".bubble");
  const utterance = new SpeechSynthesisUtterance(bubble.textContent);
  utterance.voice = voiceFor(bubble.lang);
  utterance.lang = bubble.lang;
  window.speechSynthesis.speak(utterance);
}

entries.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) {
    speak(button.closest(".call"));
  }
});
window.speechSynthesis?.addEventListener("voiceschanged", offerToSpeak);
offerToSpeak();

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
events.addEventListener("call", (event) => add("call", JSON.parse(event.data)));
events.addEventListener("report", (event) => change(JSON.parse(event.data)));
events.addEventListener("request", (event) => add("request", JSON.parse(event.data)));
events.addEventListener("cleared", () => entries.replaceChildren());
events.addEventListener("open", () => (state.textContent = "Live"));
events.addEventListener("error", () => (state.textContent = "Not connected, trying again"));

// The figures of the stand-in for Okta, where one runs. What it does shows on the phone only in part: a hook that refuses
// sends nothing.
const figures = document.getElementById("okta-traffic");

async function showFigures() {
  const answer = await fetch("/okta");
  const { events, traffic } = await answer.json();
  const feed = document.getElementById("okta-feed");
  // Set again, the same text would be read out again.
  if (feed.textContent !== events.state) {
    feed.textContent = events.state;
  }
  const template = document.getElementById("traffic-template");
  const rows = traffic.map((figuresOfOne) => {
    const row = template.content.cloneNode(true).firstElementChild;
    for (const element of row.querySelectorAll("[data-text]")) {
      element.textContent = figuresOfOne[element.dataset.text];
    }
    return row;
  });
  figures.replaceChildren(...rows);
}

if (figures) {
  setInterval(() => {
    if (!document.hidden) {
      showFigures().catch(() => {});
    }
  }, 1000);
}
