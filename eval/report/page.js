"use strict";
// Draws the plots, on screen for the pointer and once more as pictures for paper, and lets
// the reader choose a variant. Everything else on the page works without it.
(() => {
  const PAPER_WIDTH = 680; // A4 without its margins, in CSS pixels
  const NARROW_PAPER = 480;
  const TOOLS = {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtons: [["toImage", "zoom2d", "resetScale2d"]],
  };
  const spec = (figure) => JSON.parse(figure.querySelector("script").textContent);

  function draw(figure) {
    const canvas = figure.querySelector(".canvas");
    // A hidden plot has no width yet; it is drawn when its panel is chosen.
    if (canvas.dataset.drawn || !canvas.offsetWidth) return;
    canvas.dataset.drawn = "yes";
    const { data, layout } = spec(figure);
    Plotly.newPlot(canvas, data, layout, TOOLS);
  }

  async function picture(figure) {
    const height = Number(figure.dataset.height);
    const width = figure.classList.contains("narrow")
      ? NARROW_PAPER : Math.max(PAPER_WIDTH, Number(figure.dataset.width));
    const image = document.createElement("img");
    image.className = "paper";
    image.style.maxWidth = `${Math.min(width, PAPER_WIDTH)}px`;
    image.alt = figure.querySelector(".canvas").getAttribute("aria-label");
    image.src = await Plotly.toImage(spec(figure), { format: "svg", width, height });
    figure.append(image);
  }

  function choose(name) {
    for (const choice of document.querySelectorAll(".choice")) {
      const panels = [...choice.querySelectorAll(".panel")];
      if (!panels.some((panel) => panel.dataset.name === name)) continue;
      for (const panel of panels) panel.hidden = panel.dataset.name !== name;
      const select = choice.querySelector("select");
      if (select) select.value = name;
      choice.querySelectorAll(".panel:not([hidden]) .plot").forEach(draw);
    }
  }

  const figures = [...document.querySelectorAll(".plot")];
  for (const choice of document.querySelectorAll(".choice")) {
    choose(choice.querySelector(".panel").dataset.name);
    choice.querySelector("select")?.addEventListener("change", (event) => {
      const top = event.target.getBoundingClientRect().top;
      choose(event.target.value);
      // The sections above grow or shrink with the choice; the reader stays where they were.
      window.scrollBy({ top: event.target.getBoundingClientRect().top - top, behavior: "instant" });
    });
  }
  figures.forEach(draw);

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  (async () => {
    for (const figure of figures) await picture(figure);
    document.documentElement.dataset.drawn = "yes";
  })();
})();
