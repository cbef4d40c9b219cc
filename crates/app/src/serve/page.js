"use strict";
const $ = (id) => document.getElementById(id);
const RATE = 16000;
const MOST_SECONDS = 600;
let about = null;
let recording = null;
let heardUrl = null;

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

function colour(name) {
  return "k" + (Math.max(about.classes.indexOf(name), 0) % 8);
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// 16-bit WAV of one channel at 16 kHz.
function wav(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, 2 * RATE, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(x * 32768))), true));
  return new Blob([view], { type: "audio/wav" });
}

async function resampled(samples, rate) {
  const context = new OfflineAudioContext(1, Math.max(1, Math.ceil(samples.length * RATE / rate)), RATE);
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

async function start() {
  // As it comes: what makes voices clear for a call changes what is heard in them.
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/recorder.js");
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const pieces = [];
  recording = { stream, context, pieces, begun: performance.now() };
  node.port.onmessage = ({ data }) => {
    // What was under way when it ended.
    if (recording === null) return;
    pieces.push(data);
    $("level").value = data.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);
    const seconds = (performance.now() - recording.begun) / 1000;
    say(`Recording: ${seconds.toFixed(1)} s`);
    if (seconds > MOST_SECONDS) stop();
  };
  context.createMediaStreamSource(stream).connect(node);
  $("record").textContent = "Stop";
  $("record").classList.add("on");
  $("level").hidden = false;
}

async function stop() {
  const { stream, context, pieces } = recording;
  recording = null;
  stream.getTracks().forEach((track) => track.stop());
  const rate = context.sampleRate;
  await context.close();
  $("record").textContent = "Record";
  $("record").classList.remove("on");
  $("level").hidden = true;
  const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) { samples.set(piece, at); at += piece.length; }
  if (samples.length === 0) return say("Nothing was recorded.", true);
  await hear(wav(await resampled(samples, rate)), "the recording");
}

async function hear(clip, name) {
  if (clip.size > about.most_bytes) {
    return say(`${name} takes ${Math.round(clip.size / 2 ** 20)} MiB, ${about.most_bytes / 2 ** 20} are heard at once.`, true);
  }
  say(`Hearing ${name} …`);
  $("record").disabled = true;
  try {
    const reply = await fetch("/hear", { method: "POST", body: clip });
    if (!reply.ok) return say(`${name}: ${await reply.text()}`, true);
    const heard = await reply.json();
    if (heardUrl) URL.revokeObjectURL(heardUrl);
    heardUrl = URL.createObjectURL(clip);
    $("player").src = heardUrl;
    show(heard, await envelope(clip));
    say(`Heard ${name}, ${heard.whole.seconds.toFixed(1)} s.`);
  } catch (error) {
    say(`emobox does not answer: ${error.message}`, true);
  } finally {
    $("record").disabled = false;
  }
}

// Peaks of the waveform, where the browser can decode it.
async function envelope(clip) {
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    const samples = (await context.decodeAudioData(await clip.arrayBuffer())).getChannelData(0);
    const count = 500;
    return Array.from({ length: count }, (_, i) => {
      let peak = 0;
      const end = Math.floor((i + 1) * samples.length / count);
      for (let at = Math.floor(i * samples.length / count); at < end; at += 1) peak = Math.max(peak, Math.abs(samples[at]));
      return peak;
    });
  } catch {
    return null;
  }
}

function show(heard, peaks) {
  const { whole, windows } = heard;
  const numbers = (answer) => about.dimensions ? answer.values : answer.probabilities;
  const of = new Map(numbers(whole));
  const most = about.dimensions ? Math.max(...of.values(), 1e-9) : 1;
  $("verdict").textContent = about.dimensions ? "Dimensions" : whole.prediction;
  if (!about.dimensions) {
    $("verdict").append(make("small", "", ` whole clip, ${(100 * of.get(whole.prediction)).toFixed(0)} % sure`));
  }
  $("whole").replaceChildren(...numbers(whole).flatMap(([name, number]) => {
    const bar = make("i", colour(name));
    bar.style.width = `${Math.max(0, 100 * number / most)}%`;
    return [make("span", "", name), bar, make("span", "", about.dimensions ? number.toFixed(2) : `${(100 * number).toFixed(0)} %`)];
  }));
  const all = windows.flatMap((answer) => numbers(answer).map(([, number]) => number));
  const [low, high] = about.dimensions ? [Math.min(...all), Math.max(...all) + 1e-9] : [0, 1];
  const lanes = about.classes.map((name) => {
    const values = windows.map((answer) => new Map(numbers(answer)).get(name));
    return lane(name, colour(name), steps(windows, whole.seconds, values, low, high));
  });
  if (peaks) {
    const top = peaks.map((peak, i) => `L${2 * i} ${50 - 48 * peak}`).join("");
    const bottom = peaks.map((_, i) => peaks.length - 1 - i).map((i) => `L${2 * i} ${50 + 48 * peaks[i]}`).join("");
    lanes.unshift(lane("", "wave", `M0 50${top}${bottom}Z`));
  }
  const head = make("div", "head");
  $("timeline").replaceChildren(...lanes, axis(whole.seconds), head);
  $("timeline").setAttribute("aria-label", windows.map((answer) =>
    `${answer.start.toFixed(1)} s: ${answer.prediction || numbers(answer).map(([n, v]) => `${n} ${v.toFixed(2)}`).join(" ")}`).join(", "));
  $("grain").textContent = windows.length === 1
    ? `The clip is no longer than one window of ${about.window} s.`
    : `Windows of ${about.window} s, a new one every ${about.hop} s; each is drawn about its middle. Short windows are less sure than the whole clip.`;
  $("result").hidden = false;
  window.onresize = $("player").ontimeupdate = () => place(head, whole.seconds);
  place(head, whole.seconds);
}

function lane(name, className, path) {
  const row = make("div", `lane ${className}`);
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 1000 100");
  drawing.setAttribute("preserveAspectRatio", "none");
  const area = document.createElementNS("http://www.w3.org/2000/svg", "path");
  area.setAttribute("d", path);
  drawing.append(area);
  row.append(make("b", "", name), drawing);
  return row;
}

// Each window stands for the time that is nearer to its middle than to those of its neighbours.
function steps(windows, seconds, values, low, high) {
  const middles = windows.map((answer) => answer.start + answer.seconds / 2);
  let path = "M0 100";
  values.forEach((value, i) => {
    const from = i === 0 ? 0 : (middles[i - 1] + middles[i]) / 2;
    const to = i + 1 === values.length ? seconds : (middles[i] + middles[i + 1]) / 2;
    const y = 100 - 100 * (value - low) / (high - low);
    path += `L${1000 * from / seconds} ${y}L${1000 * to / seconds} ${y}`;
  });
  return `${path}L1000 100Z`;
}

function axis(seconds) {
  const row = make("div", "axis");
  const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((step) => seconds / step <= 8) || 600;
  for (let at = 0; at < seconds * 0.97; at += step) {
    const tick = make("span", "", `${at} s`);
    tick.style.left = `${100 * at / seconds}%`;
    row.append(tick);
  }
  return row;
}

function place(head, seconds) {
  const lanes = $("timeline").querySelector("svg");
  const left = lanes.getBoundingClientRect().left - $("timeline").getBoundingClientRect().left;
  head.style.left = `${left + lanes.getBoundingClientRect().width * Math.min(1, $("player").currentTime / seconds)}px`;
}

$("record").onclick = () => (recording ? stop() : start()).catch((error) => say(`The microphone cannot be had: ${error.message}`, true));
$("file").onchange = ({ target }) => { if (target.files[0]) hear(target.files[0], target.files[0].name); target.value = ""; };
$("timeline").onclick = ({ clientX }) => {
  const lanes = $("timeline").querySelector("svg").getBoundingClientRect();
  const share = (clientX - lanes.left) / lanes.width;
  if (share >= 0 && share <= 1 && Number.isFinite($("player").duration)) $("player").currentTime = share * $("player").duration;
};
let inside = 0;
addEventListener("dragenter", () => { inside += 1; document.body.classList.add("over"); });
addEventListener("dragleave", () => { inside -= 1; if (inside === 0) document.body.classList.remove("over"); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  inside = 0;
  document.body.classList.remove("over");
  const clip = event.dataTransfer.files[0];
  if (clip) hear(clip, clip.name);
});
fetch("/about").then((reply) => reply.json()).then((told) => {
  about = told;
  $("model").textContent = about.name;
  document.title = `${about.name} – emobox listen`;
  $("caveats").hidden = false;
  $("caution").textContent = `It knows ${about.classes.join(", ")} and nothing else: it answers one of them to laughter, music or silence, too. `
    + (about.card ? "What it was trained on, and what it scores on speakers that it was not trained on, its card says." : "There is no card beside it that says what it was trained on.");
  $("card").textContent = about.card || "";
  document.querySelector("details").hidden = !about.card;
}).catch((error) => say(`emobox does not answer: ${error.message}`, true));
