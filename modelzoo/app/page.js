// The explorer's page: asks the server for numbers, draws them, and lets letters be changed.
const WIDTHS = [11, 17]; // pixels per position, at least and at most
const HEIGHT = 84; // of a row of letters
const VIEW = 150; // positions in letters at once
const CELL = 16; // pixels per row of the heat map
const PICTURE = { base: 4, height: 34, most: 150 }; // of a row of the table
const PAUSE = 150; // milliseconds after the last key, before the server is asked
const REST = 400; // and without a change, before it is asked what takes longer
const RAISES = "#b2182b", LOWERS = "#2166ac"; // told apart by colour-blind readers too

const $ = id => document.getElementById(id);
const visitor = Array.from(crypto.getRandomValues(new Uint32Array(4)), n => n.toString(36)).join("");
const start = await (await fetch("api/start")).json();
let answer = null; // to the newest question: letters, rows, ...
let later = null; // what comes after it: mutagenesis and motifs
let pitch = 12; // pixels per position, so that all letters fit if they can
let first = 0; // position of the leftmost letter in view
let focused = 0; // position of the letter that the Tab key reaches
let asked = 0; // number of the newest question
const running = {}; // by kind, what aborts the request

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const number = value => (Object.is(value, null) ? "" : value.toFixed(Math.abs(value) < 10 ? 3 : 1))
  .replace("-", "−");

// ---- asking

async function ask(path, body, kind = path) {
  running[kind]?.abort();
  const control = (running[kind] = new AbortController());
  const plain = body instanceof Blob;
  const response = await fetch(`api/${path}`, {
    method: "POST",
    headers: { "X-Visitor": visitor, "Content-Type": plain ? "text/plain" : "application/json" },
    body: plain ? body : JSON.stringify(body),
    signal: control.signal,
  });
  if (response.ok) return response;
  const said = await response.json().catch(() => ({ field: "", error: "The server failed." }));
  throw Object.assign(new Error(said.error), { field: said.field, status: response.status });
}

function complain(error) {
  if (error.name === "AbortError" || error.status === 409) return;
  const place = $(`${error.field}-error`);
  (place ?? $("error")).textContent =
    place || !error.field ? error.message : `${error.field}: ${error.message}`;
  if (error.field === "sequence") $("sequence").setAttribute("aria-invalid", "true");
}

function clear() {
  for (const id of ["sequence-error", "file-error", "max_shift-error", "error"])
    $(id).textContent = "";
  $("sequence").removeAttribute("aria-invalid");
}

const letters = () => $("sequence").value.replace(/^\s*>[^\n]*\n?/, "").replace(/\s+/g, "");

function question() {
  return {
    model: $("model").value,
    sequence: letters(),
    task: Number($("task").value || 0),
    max_shift: Number($("max_shift").value),
  };
}

// What is typed is counted at once; whether it will do, the server has the last word.
function count() {
  const given = letters();
  const unknown = (given.match(/[^acgtu]/gi) ?? []).length;
  const wrong = [...given].find(letter => !start.letters.includes(letter));
  $("counted").textContent = given
    ? `${given.length.toLocaleString("en")} letters${unknown ? `, ${unknown} of them N or the like` : ""}`
    : `No letters yet; up to ${start.longest.toLocaleString("en")}.`;
  clear();
  if (wrong) complain({ field: "sequence", message: `“${wrong}” is no letter of a sequence; A, C, G,`
    + " T, U, N and the other IUPAC letters are." });
  else if (given.length > start.longest) complain({ field: "sequence",
    message: `Too long: at most ${start.longest.toLocaleString("en")} letters.` });
  $("max_shift").max = Math.max(0, Math.min(start.maxShift, given.length - 1));
  $("shown-shift").textContent = $("max_shift").value;
  return !wrong && given.length > 0 && given.length <= start.longest;
}

let pause = 0;
function changed(wait = 0) {
  clearTimeout(pause);
  const text = $("sequence").value;
  if ((text.match(/^\s*>/gm) ?? []).length > 1) {
    $("counted").textContent = "Several sequences: see the table below.";
    clear();
    pause = setTimeout(() => upload(new Blob([text])), wait);
    return;
  }
  if (count()) pause = setTimeout(refresh, wait);
  else asked++; // an answer on its way is of another sequence
}

async function refresh() {
  const mine = ++asked, wanted = question();
  running.slow?.abort();
  running.bars?.abort();
  document.querySelectorAll(".track[data-slow]").forEach(track => track.classList.add("old"));
  try {
    const quick = await (await ask("quick", wanted)).json();
    if (mine !== asked) return;
    const other = answer?.letters.length !== quick.letters.length;
    [answer, later] = [quick, null];
    showAnswers();
    if (other) look();
    draw();
    if (other) $("tracks").scrollLeft = pitch * (strongest() - first) - $("tracks").clientWidth / 2;
    remember(wanted);
    $("later").textContent = "Mutagenesis and motifs follow…";
    await new Promise(done => setTimeout(done, REST));
    if (mine !== asked) return;
    const slow = await (await ask("slow", wanted)).json();
    if (mine !== asked) return;
    later = slow;
    $("later").textContent = slow.row ? ""
      : "No mutagenesis, and no error bars over IG: they are made up to"
        + ` ${start.mutated.toLocaleString("en")} letters.`;
    draw();
    showHits();
    if ($("moved").open) showMoved(wanted);
    if (!slow.row) return;
    $("later").textContent = "More error bars follow…";
    const bars = await (await ask("bars", wanted)).json();
    if (mine !== asked) return;
    for (const [name, spread] of Object.entries(bars))
      (answer.rows[name] ?? later.row).spread = spread;
    $("later").textContent = "";
    draw();
  } catch (error) {
    if (mine === asked) complain(error);
  }
}

// A link to this page brings back what it shows.
function remember({ model, sequence, max_shift }) {
  const kept = new URLSearchParams({ model, sequence, n: max_shift });
  if (sequence.length <= 2000) history.replaceState(null, "", `#${kept}`);
}

// ---- predictions and gate

function bar(share, colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ width: `${100 * share}%`, height: "100%", fill: colour }))
    rect.setAttribute(key, value);
  svg.setAttribute("aria-hidden", "true");
  svg.append(rect);
  const made = element("span", "", { class: "bar" });
  made.append(svg);
  return made;
}

function row(cells, share, colour) {
  const made = element("tr");
  made.append(element("th", cells[0], { scope: "row" }));
  for (const cell of cells.slice(1)) made.append(element("td", cell));
  const drawn = element("td");
  if (share !== null) drawn.append(bar(share, colour));
  made.append(drawn);
  return made;
}

function showAnswers() {
  const experts = Object.keys(answer.gate);
  const colour = name => start.bars[experts.indexOf(name) % start.bars.length] ?? "#777777";
  $("answers").replaceChildren(...answer.answers.map(one => row(
    [`${one.name}${one.part === "expert" ? " expert" : experts.length ? " (mixture)" : ""}`, number(one.number),
      one.probability === null ? "" : one.probability.toFixed(3) + (one.calibrated ? "" : " *")],
    one.probability, one.part === "expert" ? colour(one.name) : "#777777")));
  const head = element("tr");
  for (const text of ["", answer.kind, answer.kind === "logit" ? "probability" : "", ""])
    head.append(element("td", text));
  $("answers").createTHead().replaceChildren(head);
  $("answers-note").textContent = answer.kind === "logit"
    ? "The probability that the sequence is a peak and not a shuffle of one, if both are equally"
      + " frequent, as in training."
      + (answer.answers.every(one => one.calibrated) ? "" : " * not calibrated.") : "The model’s own output; it is no probability.";
  $("gate").replaceChildren(...experts.map(name =>
    row([name, answer.gate[name].toFixed(3)], answer.gate[name], colour(name))));
  $("gate-part").hidden = experts.length === 0;
  const tasks = $("task").value;
  $("task").replaceChildren(...answer.tasks.map((name, i) => element("option", name, { value: i })));
  $("task").value = answer.tasks[tasks] === undefined ? 0 : tasks;
  $("task-field").hidden = answer.tasks.length < 2;
  const main = answer.answers[$("task").value];
  $("status").textContent = `${main.name}: ${answer.kind} ${number(main.number)}`
    + (main.probability === null ? "" : `, probability ${main.probability.toFixed(3)}`
      + (main.calibrated ? "" : " (not calibrated)"));
  $("one").hidden = false;
}

// ---- letters

const glyphs = {};
function glyph(context, letter) {
  context.font = "bold 40px sans-serif";
  const size = (glyphs[letter] ??= context.measureText(letter));
  return { left: size.actualBoundingBoxLeft, up: size.actualBoundingBoxAscent,
    wide: size.actualBoundingBoxLeft + size.actualBoundingBoxRight,
    high: size.actualBoundingBoxAscent + size.actualBoundingBoxDescent };
}

function prepared(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
  return context;
}

// Draws letters as high as their values; returns the range that is shown.
function logo(canvas, text, values, spread, base, height) {
  const context = prepared(canvas, base * text.length, height);
  const ink = context.fillStyle;
  const bars = spread ?? values.map(() => 0);
  const top = Math.max(0, ...values.map((v, i) => v + bars[i]));
  const bottom = Math.min(0, ...values.map((v, i) => v - bars[i]));
  const y = value => 2 + ((height - 4) * (top - value)) / (top - bottom || 1);
  context.globalAlpha = 0.5;
  context.fillRect(0, y(0), base * text.length, 0.75);
  context.globalAlpha = 1;
  [...text].forEach((letter, i) => {
    const high = Math.abs(y(values[i]) - y(0));
    if (high >= 0.3 && letter in start.colours) {
      const size = glyph(context, letter);
      context.save();
      context.translate(base * i + 0.03 * base, y(0));
      context.scale((0.94 * base) / size.wide, (high / size.high) * Math.sign(values[i]));
      context.fillStyle = start.colours[letter];
      context.fillText(letter, size.left, size.up - size.high);
      context.restore();
    }
    if (spread && bars[i] > 0) {
      context.fillStyle = ink;
      context.fillRect(base * (i + 0.5) - 0.5, y(values[i] + bars[i]), 1,
        Math.max(1, y(values[i] - bars[i]) - y(values[i] + bars[i])));
    }
  });
  return [bottom, top];
}

// A row above the axis: made once, and drawn again after every change.
function track(name, title, slow = false) {
  const id = `track-${name}`;
  let made = $(id);
  if (!made) {
    made = element("div", "", { class: "track", id, ...(slow ? { "data-slow": "" } : {}) });
    const heading = element("div", "", { class: "title" });
    heading.append(element("b"), " ", element("span"));
    made.append(heading, element("canvas", "", { role: "img", class: "pressable" }));
    made.lastChild.addEventListener("click", event => {
      const place = first + Math.floor(event.offsetX / pitch);
      if (name === "heat") change(place, "ACGT"[Math.min(3, Math.floor(event.offsetY / CELL))]);
      else choose(place);
    });
    const order = ["gradient", "shiftsmooth", "shiftsmooth-ig", "ism", "heat"];
    const next = order.slice(order.indexOf(name) + 1).map(other => $(`track-${other}`)).find(Boolean);
    $("tracks").insertBefore(made, next ?? $("axis"));
  }
  made.classList.remove("old");
  made.querySelector("b").textContent = title;
  return made;
}

function drawTrack(name, { title, heights, spread }, slow = false) {
  const made = track(name, title, slow);
  const view = list => list.slice(first, first + VIEW);
  const text = answer.letters.slice(first, first + VIEW);
  const canvas = made.querySelector("canvas");
  const [low, high] = logo(canvas, text, view(heights), spread && view(spread), pitch, HEIGHT);
  made.querySelector("span").textContent = `${number(low)} to ${number(high)}`;
  const best = heights.indexOf(Math.max(...heights));
  canvas.setAttribute("aria-label", `${title}: letters of positions ${first} to`
    + ` ${first + text.length - 1}; largest contribution ${number(heights[best])} by`
    + ` ${answer.letters[best]} at ${best}`);
}

function drawHeat() {
  const made = track("heat", `Change of the ${answer.kind} by every mutation`, true);
  const text = answer.letters.slice(first, first + VIEW);
  const canvas = made.querySelector("canvas");
  const context = prepared(canvas, pitch * text.length, 4 * CELL);
  const ink = context.fillStyle;
  const largest = Math.max(1e-9, ...later.effects.flat().map(Math.abs));
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "center";
  [..."ACGT"].forEach((base, r) => [...text].forEach((letter, i) => {
    const effect = later.effects[r][first + i];
    context.globalAlpha = Math.sqrt(Math.abs(effect) / largest);
    context.fillStyle = effect > 0 ? RAISES : LOWERS;
    context.fillRect(pitch * i, CELL * r, pitch - 0.5, CELL - 0.5);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    if (letter === base) context.fillText(base, pitch * (i + 0.5), CELL * (r + 0.75));
  }));
  made.querySelector("span").textContent = `rows A, C, G, T; red raises, blue lowers; up to`
    + ` ${number(largest)}. Click a field to make that change.`;
  canvas.setAttribute("aria-label", "Heat map of mutagenesis, rows A, C, G, T");
}

function drawAxis(text) {
  const canvas = $("axis").querySelector("canvas");
  const context = prepared(canvas, pitch * text.length, 16);
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  for (let i = 0; i < text.length; i++)
    if ((first + i) % 10 === 0) {
      context.fillRect(pitch * (i + 0.5), 0, 1, 3);
      context.fillText(first + i,
        Math.min(Math.max(10, pitch * (i + 0.5)), pitch * text.length - 14), 13);
    }
  const row = $("axis").querySelector(".letters");
  while (row.children.length > text.length) row.lastChild.remove();
  while (row.children.length < text.length) row.append(element("button", "", { type: "button" }));
  focused = Math.min(Math.max(focused, first), first + text.length - 1);
  [...text].forEach((letter, i) => {
    const button = row.children[i];
    button.textContent = letter;
    button.style.width = `${pitch}px`;
    button.tabIndex = first + i === focused ? 0 : -1;
    button.setAttribute("aria-label", `position ${first + i}, ${letter}`);
    button.setAttribute("aria-haspopup", "menu");
  });
}

function drawMarks() {
  const marks = $("axis").querySelector(".marks");
  const ends = []; // of each lane, in pixels
  const shown = (later?.hits ?? []).filter(hit => hit.stop > first && hit.start < first + VIEW);
  marks.replaceChildren(...shown.map((hit, i) => {
    const left = pitch * (Math.max(hit.start, first) - first);
    const made = element("span", hit.title);
    const width = pitch * (hit.stop - Math.max(hit.start, first));
    let lane = ends.findIndex(end => end <= left);
    if (lane < 0) lane = ends.length;
    ends[lane] = left + Math.max(width, 8 * hit.title.length + 6);
    made.style.left = `${left}px`;
    made.style.width = `${width}px`;
    made.style.top = `${20 * lane + 4}px`;
    made.style.borderColor = start.bars[i % start.bars.length];
    return made;
  }));
  marks.style.height = `${20 * ends.length + (ends.length ? 8 : 0)}px`;
}

function draw() {
  if (!answer) return;
  const fitting = $("tracks").clientWidth / Math.min(VIEW, answer.letters.length);
  pitch = Math.floor(Math.min(Math.max(fitting, WIDTHS[0]), WIDTHS[1]));
  first = Math.max(0, Math.min(first, answer.letters.length - VIEW));
  if (!$("axis")) {
    const axis = element("div", "", { id: "axis" });
    axis.append(element("canvas", "", { "aria-hidden": "true" }),
      element("div", "", { class: "letters", role: "group", "aria-label": "Letters to change" }),
      element("div", "", { class: "marks", "aria-hidden": "true" }));
    $("tracks").append(axis);
  }
  for (const [name, one] of Object.entries(answer.rows))
    drawTrack(name, one);
  if (later?.row) {
    drawTrack("ism", later.row, true);
    drawHeat();
  } else if (later || answer.letters.length > start.mutated) {
    $("track-ism")?.remove();
    $("track-heat")?.remove();
  } else document.querySelectorAll(".track[data-slow]").forEach(one => one.classList.add("old"));
  drawAxis(answer.letters.slice(first, first + VIEW));
  drawMarks();
  drawOverview();
}

function drawOverview() {
  const long = answer.letters.length > VIEW;
  $("overview-part").hidden = !long;
  if (!long) return;
  $("first").max = answer.letters.length - VIEW;
  $("first").value = first;
  $("shown-first").textContent = first;
  const width = $("overview-part").clientWidth, values = answer.rows.shiftsmooth.heights;
  const context = prepared($("overview"), width, 40);
  const largest = Math.max(1e-9, ...values.map(Math.abs)), step = width / values.length;
  values.forEach((value, i) =>
    context.fillRect(i * step, 20 - (value > 0 ? (20 * value) / largest : 0), Math.max(0.6, step),
      (20 * Math.abs(value)) / largest));
  context.globalAlpha = 0.2;
  context.fillRect(first * step, 0, VIEW * step, 40);
}

function strongest() {
  const sizes = answer.rows.shiftsmooth.heights.map(Math.abs);
  return sizes.indexOf(Math.max(...sizes));
}

// Puts the largest contributions of a long sequence into view.
function look() {
  const values = answer.rows.shiftsmooth.heights;
  let sum = 0, best = -1;
  first = 0;
  values.forEach((value, i) => {
    sum += Math.abs(value) - Math.abs(values[i - VIEW] ?? 0);
    if (sum > best + 1e-9) [best, first] = [sum, Math.max(0, i - VIEW + 1)];
  });
}

// ---- changing a base

function change(place, base) {
  const now = answer.letters;
  if (place < 0 || place >= now.length || now[place] === base) return;
  focused = place;
  $("sequence").value = now.slice(0, place) + base + now.slice(place + 1);
  changed();
}

function choose(place) {
  if (place < first || place >= Math.min(first + VIEW, answer.letters.length)) return;
  const menu = $("bases"), button = $("axis").querySelector(".letters").children[place - first];
  focused = place;
  menu.replaceChildren(...[..."ACGT"].map((base, r) => {
    const made = element("button", base, { type: "button", role: "menuitem" });
    const effect = later?.effects?.[r][place];
    if (effect !== undefined) made.append(element("small", effect > 0 ? `+${number(effect)}` : number(effect)));
    made.style.color = "inherit";
    made.disabled = answer.letters[place] === base;
    made.addEventListener("click", () => {
      menu.hidePopover();
      change(place, base);
      button.focus();
    });
    return made;
  }));
  menu.showPopover();
  const at = button.getBoundingClientRect();
  const left = Math.min(Math.max(4, at.left - 60), window.innerWidth - menu.offsetWidth - 4);
  menu.style.left = `${left + window.scrollX}px`;
  menu.style.top = `${at.bottom + 4 + window.scrollY}px`;
  menu.querySelector("button:enabled").focus();
}

function move(event) {
  const row = event.target.closest(".letters");
  if (!row) return;
  const place = first + [...row.children].indexOf(event.target);
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: first - place,
    End: first + row.children.length - 1 - place };
  if (/^[acgtn]$/i.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    change(place, event.key.toUpperCase());
  } else if (event.key in steps) {
    event.preventDefault();
    focused = Math.min(Math.max(0, place + steps[event.key]), answer.letters.length - 1);
    if (focused < first || focused >= first + VIEW) {
      first += focused < first ? -1 : 1;
      draw();
    }
    drawAxis(answer.letters.slice(first, first + VIEW));
    row.children[focused - first].focus();
  }
}

$("tracks").addEventListener("keydown", move);
$("tracks").addEventListener("click", event => {
  const row = event.target.closest(".letters");
  if (row && event.target !== row) choose(first + [...row.children].indexOf(event.target));
});
$("bases").addEventListener("keydown", event => {
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  const buttons = [...$("bases").querySelectorAll("button:enabled")];
  if (event.key in steps)
    buttons[(buttons.indexOf(event.target) + steps[event.key] + buttons.length) % buttons.length]
      .focus();
});

// ---- motifs, moved windows, files

function showHits() {
  const rows = later.hits.map(hit => row([hit.title, hit.motif, `${hit.start} to ${hit.stop - 1}`,
    hit.strand === "+" ? "+" : "−", number(hit.attribution), hit.p_value.toExponential(1)], null));
  const head = element("tr");
  for (const text of ["motif", "JASPAR", "positions", "strand", "contribution", "p-value"])
    head.append(element("th", text, { scope: "col" }));
  $("hits").replaceChildren(...(rows.length ? rows : [row(["None here."], null)]));
  if (rows.length) $("hits").createTHead().replaceChildren(head);
}

function showImage(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

async function showMoved(wanted) {
  try {
    showImage($("shifts"), await (await ask("shifts", wanted)).blob());
  } catch (error) {
    complain(error);
  }
}

$("moved").addEventListener("toggle", () => $("moved").open && answer && showMoved(question()));
$("files").addEventListener("click", async event => {
  const kind = event.target.dataset.file;
  if (!kind || !answer) return;
  try {
    const response = await ask(kind, { ...question(), sequence: answer.letters });
    if (kind === "python") {
      $("lines").textContent = await response.text();
      $("lines").hidden = false;
      return;
    }
    const link = element("a", "", { download: `logos.${kind}` });
    link.href = URL.createObjectURL(await response.blob());
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    complain(error);
  }
});

// ---- several sequences

let table = [], order = { key: "", up: true };
const pictured = new IntersectionObserver(entries => {
  for (const { isIntersecting, target } of entries)
    if (isIntersecting) {
      pictured.unobserve(target);
      const one = table[target.dataset.row];
      const sizes = one.heights.map(Math.abs);
      const middle = sizes.indexOf(Math.max(...sizes));
      const from = Math.max(0, Math.min(middle - PICTURE.most / 2, sizes.length - PICTURE.most));
      const part = list => list.slice(from, from + PICTURE.most);
      logo(target, part(one.letters), part(one.heights), null, PICTURE.base, PICTURE.height);
    }
}, { rootMargin: "400px" });

function tableRow(one) {
  const made = element("tr"), name = element("th", "", { scope: "row" });
  const open = element("button", one.name, { type: "button", title: "Show this sequence above" });
  open.addEventListener("click", () => {
    $("sequence").value = one.letters;
    changed();
    $("ask").scrollIntoView();
  });
  name.append(open);
  const canvas = element("canvas", "", { role: "img", "aria-label": `letters of ${one.name}`,
    "data-row": one.index });
  prepared(canvas, PICTURE.base * Math.min(one.letters.length, PICTURE.most), PICTURE.height);
  const drawn = element("td");
  drawn.append(canvas);
  made.append(name, element("td", one.letters.length), element("td", number(one.number)),
    element("td", one.probability === null ? "" : one.probability.toFixed(3)), drawn);
  pictured.observe(canvas);
  return made;
}

function sorted(key) {
  order = { key, up: order.key === key ? !order.up : key === "name" };
  const value = one => (key === "length" ? one.letters.length : one[key] ?? 0);
  const compare = (a, b) => (key === "name" ? value(a).localeCompare(value(b), "en", { numeric: true })
    : value(a) - value(b));
  const rows = [...table].sort((a, b) => (order.up ? compare(a, b) : compare(b, a)));
  $("rows").tBodies[0].replaceChildren(...rows.map(one => one.row));
  for (const button of $("rows").querySelectorAll("[data-sort]"))
    button.parentNode.setAttribute("aria-sort",
      button.dataset.sort === key ? (order.up ? "ascending" : "descending") : "none");
}

$("rows").tHead.addEventListener("click", event =>
  event.target.dataset.sort && sorted(event.target.dataset.sort));

async function upload(file) {
  clear();
  if (file.size > start.bytes) return complain({ field: "file",
    message: `Too large: at most ${start.bytes / 1e6} MB.` });
  const { model, task, max_shift } = question();
  try {
    const response = await ask(`fasta?${new URLSearchParams({ model, task, max_shift })}`, file, "fasta");
    table = [];
    $("rows").tBodies[0].replaceChildren();
    $("wrong").replaceChildren();
    $("several").hidden = false;
    let total = 0, rest = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop();
      for (const said of lines.map(line => JSON.parse(line))) {
        total = said.total ?? total;
        for (const text of said.wrong ?? []) $("wrong").append(element("li", text));
        for (const one of said.rows ?? []) {
          table.push(Object.assign(one, { index: table.length }));
          one.row = tableRow(one);
          $("rows").tBodies[0].append(one.row);
        }
        $("rows-status").textContent = `${table.length} of ${total} sequences`;
      }
      if (done) break;
    }
  } catch (error) {
    complain(error);
  }
}

$("file").addEventListener("change", () => {
  if ($("file").files.length) upload($("file").files[0]);
  $("file").value = "";
});

// ---- the form

for (const name of start.models) $("model").append(element("option", name));
for (const name of Object.keys(start.examples)) $("example").append(element("option", name));
$("ask").addEventListener("submit", event => event.preventDefault());
$("sequence").addEventListener("input", () => changed(PAUSE));
$("max_shift").addEventListener("input", () => changed(PAUSE));
$("task").addEventListener("change", () => changed());
$("model").addEventListener("change", () => {
  $("task").replaceChildren();
  changed();
});
$("example").addEventListener("change", () => {
  if ($("example").value) $("sequence").value = start.examples[$("example").value];
  $("example").value = "";
  changed();
});
$("ask").addEventListener("click", async event => {
  const how = event.target.dataset.edit;
  if (!how) return;
  try {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    const made = await ask("edit", { sequence: letters(), how, seed });
    $("sequence").value = (await made.json()).sequence;
    changed();
  } catch (error) {
    complain(error);
  }
});
$("first").addEventListener("input", () => {
  first = Number($("first").value);
  draw();
});
$("overview").addEventListener("click", event => {
  first = Math.round((event.offsetX / $("overview").clientWidth) * answer.letters.length - VIEW / 2);
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
window.addEventListener("resize", draw);

const linked = new URLSearchParams(location.hash.slice(1));
if (start.models.includes(linked.get("model"))) $("model").value = linked.get("model");
$("sequence").value = linked.get("sequence") ?? Object.values(start.examples)[1];
if (linked.has("n")) $("max_shift").value = Number(linked.get("n")) || 0;
changed();
