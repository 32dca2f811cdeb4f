// Draws sequence logos from the numbers in the page: a letter's height is its contribution.
const COLOURS = { A: "#109648", C: "#255c99", G: "#f7b32b", T: "#d62839" };
const BASE = 9; // pixels per position
const HEIGHT = 110;
const LEFT = 58; // room for the axis

function numbers(text) {
  return Int8Array.from(atob(text), character => character.charCodeAt(0));
}

function draw(canvas, [letters, packed, largest, first]) {
  const values = numbers(packed);
  const step = largest / 127;
  const top = Math.max(0, ...values) * step, bottom = Math.min(0, ...values) * step;
  const room = HEIGHT - 30;
  const y = value => 8 + (room * (top - value)) / (top - bottom || 1);
  const scale = window.devicePixelRatio || 1;
  canvas.width = (LEFT + BASE * letters.length + 8) * scale;
  canvas.height = HEIGHT * scale;
  canvas.style.width = `${canvas.width / scale}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const ink = getComputedStyle(canvas).color;
  context.fillStyle = context.strokeStyle = ink;
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "right";
  for (const value of new Set([top, bottom]))
    context.fillText(value.toPrecision(2), LEFT - 6, y(value) + 3);
  context.fillText("0", LEFT - 6, y(0) + 3);
  context.textAlign = "center";
  context.save();
  context.translate(11, 8 + room / 2);
  context.rotate(-Math.PI / 2);
  for (const [row, words] of lines(unit).entries()) context.fillText(words, 0, 11 * row);
  context.restore();
  for (let i = 0; i < letters.length; i++)
    if ((first + i) % 10 === 0) context.fillText(first + i, LEFT + BASE * (i + 0.5), HEIGHT - 6);
  context.fillRect(LEFT, y(0), BASE * letters.length, 0.5);
  context.font = "bold 20px monospace";
  for (let i = 0; i < letters.length; i++) {
    const height = Math.abs(y(values[i] * step) - y(0));
    if (height < 0.3 || !(letters[i] in COLOURS)) continue;
    const size = context.measureText(letters[i]);
    context.save();
    context.translate(LEFT + BASE * i, y(0));
    context.scale(BASE / size.width, (height / size.actualBoundingBoxAscent) * Math.sign(values[i]));
    context.fillStyle = COLOURS[letters[i]];
    context.fillText(letters[i], size.width / 2, 0);
    context.restore();
  }
  canvas.setAttribute("aria-label", `logo of ${letters}`);
}

// A unit in two lines, since a logo is not high.
function lines(text) {
  const cut = text.indexOf(" ");
  return cut < 0 ? [text] : [text.slice(0, cut), text.slice(cut + 1)];
}

const { unit, logos } = JSON.parse(document.getElementById("logos").textContent);
const seen = new IntersectionObserver(entries => {
  for (const entry of entries)
    if (entry.isIntersecting) {
      draw(entry.target, logos[entry.target.dataset.logo]);
      seen.unobserve(entry.target);
    }
}, { rootMargin: "600px" });
for (const canvas of document.querySelectorAll("canvas[data-logo]")) seen.observe(canvas);
