// Opens igv.js on the numbers in the page: no file and no network is needed.
async function unpacked(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent.trim()),
    character => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream);
}

// The features of each track: the numbers of one stretch follow those of the one before, and each
// block of them has the largest of its own.
function bases({ runs, steps, block }, numbers) {
  const tracks = { contribution: [], spread: [] };
  let used = 0;
  for (const run of runs)
    for (const [name, features] of Object.entries(tracks)) {
      if (!(name in run)) continue;
      for (let i = 0; i < run.letters.length; i++) {
        const start = run.start + i, largest = run[name][Math.floor(i / block)];
        const value = (numbers[used++] * largest) / steps[name];
        features.push({ chr: run.chrom, start, end: start + 1, value });
      }
    }
  return tracks;
}

function track(name, type, features, options) {
  return { name, type, features, ...options };
}

// igv.js is white in any theme, but takes the colour of its text from the page's theme.
const LIGHT = `
  .igv-container { color-scheme: light; }
  @media (max-width: 500px) { .igv-windowsize-panel-container { display: none !important; } }`;

async function open(shown) {
  const script = document.createElement("script");
  script.textContent = await (await unpacked("igv")).text();
  document.head.append(script);
  const slices = shown.runs.map(({ chrom, start, letters }) =>
    `>${chrom}:${start + 1}-${start + letters.length} @len=${shown.sizes[chrom]}\n${letters}\n`);
  const numbers = new Int8Array(await (await unpacked("numbers")).arrayBuffer());
  const { contribution, spread } = bases(shown, numbers);
  const tracks = [
    track(shown.unit.split(",")[0], "wig", contribution,
      { graphType: "dynseq", height: 160, autoscale: true }),
    track("peaks", "annotation", shown.peaks.map(({ chrom, start, end, name, strand }) =>
      ({ chr: chrom, start, end, name, strand })), { displayMode: "SQUISHED", height: 40 }),
  ];
  if (spread.length)
    tracks.splice(1, 0, track("spread over shifts", "wig", spread,
      { graphType: "bar", color: "rgb(120,120,120)", height: 60, autoscale: true }));
  if (shown.hits.length)
    tracks.push(track("hits", "annotation", shown.hits.map(([chrom, start, end, name, strand, sum]) =>
      ({ chr: chrom, start, end, name, strand, color: sum < 0 ? "#d62839" : "#255c99",
        attribution: sum })), { displayMode: "EXPANDED", height: 80 }));
  const place = document.getElementById("browser");
  const browser = await igv.createBrowser(place, {
    reference: {
      id: "shown", name: "shown regions", indexed: false, wholeGenomeView: false,
      fastaURL: `data:text/plain;base64,${btoa(slices.join(""))}`,
    },
    loadDefaultGenomes: false,
    locus: locus(shown.peaks[0]),
    showCenterGuide: false,
    tracks: tracks.map((one, order) => ({ ...one, order })),
  });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LIGHT);
  place.shadowRoot.adoptedStyleSheets.push(sheet);
  return browser;
}

function locus({ chrom, start, end }) {
  return `${chrom}:${start + 1}-${end}`;
}

function list(shown, browser) {
  const input = document.getElementById("find"), status = document.getElementById("found");
  const rows = [...document.querySelectorAll("#peaks button")];
  const go = row => {
    browser.search(locus(shown.peaks[row]));
    for (const [i, button] of rows.entries()) button.toggleAttribute("aria-current", i === row);
    current = row;
  };
  let current = 0;
  rows.forEach((button, row) => button.addEventListener("click", () => go(row)));
  document.getElementById("next").addEventListener("click", () => go((current + 1) % rows.length));
  document.getElementById("previous").addEventListener("click",
    () => go((current + rows.length - 1) % rows.length));
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    const left = rows.filter(button =>
      !(button.parentElement.hidden = !button.textContent.toLowerCase().includes(wanted)));
    status.textContent = left.length ? "" :
      `No peak on this page matches "${input.value}". It shows ${rows.length} of ${shown.total}.`;
  });
  go(0);
}

unpacked("shown").then(response => response.json()).then(async shown => {
  list(shown, await open(shown));
  document.getElementById("browser").dataset.ready = "yes";
});
