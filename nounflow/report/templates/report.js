// Which tables are wider than the screen: they say so.
(() => {
  const mark = () => {
    for (const one of document.querySelectorAll("div.scroll")) one.classList.toggle("wider", one.scrollWidth > one.clientWidth + 1);
  };
  addEventListener("resize", mark);
  document.addEventListener("toggle", mark, true); // of details, whose tables have no width before
  mark();
})();
// Filters of the gallery. Without this script the page shows every card with all runs.
(() => {
  const controls = document.getElementById("controls");
  if (!controls) return;
  const cards = [...document.querySelectorAll(".card")];
  const buttons = [...controls.querySelectorAll("button")];
  const first = controls.querySelector("button[data-run]");
  const search = document.getElementById("search");
  const written = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
  const chosen = { run: first ? first.dataset.run : "", verdict: "", set: "" };

  const spoken = (card) => [...card.querySelectorAll(".said")].filter((said) => !chosen.run || said.dataset.run === chosen.run);
  const inSet = (card) => !chosen.set || card.dataset.set === chosen.set;
  const matches = (card, verdict) => {
    const said = spoken(card);
    if (!inSet(card) || !said.length || !written.get(card).includes(search.value.trim().toLowerCase())) return false;
    if (!verdict) return true;
    if (verdict === "sure") return said.some((one) => "sure" in one.dataset);
    return verdict === "disagree" ? "disagree" in card.dataset : said.some((one) => one.dataset.verdict === verdict);
  };

  const draw = () => {
    let shown = 0;
    for (const card of cards) {
      card.hidden = !matches(card, chosen.verdict);
      shown += card.hidden ? 0 : 1;
      for (const said of card.querySelectorAll(".said")) {
        said.hidden = Boolean(chosen.run) && said.dataset.run !== chosen.run;
        said.querySelector(".by").hidden = Boolean(chosen.run);
      }
    }
    for (const button of buttons) {
      for (const key of Object.keys(chosen)) {
        if (key in button.dataset) button.setAttribute("aria-pressed", String(button.dataset[key] === chosen[key]));
      }
      const count = button.querySelector(".n");
      if (count) count.textContent = cards.filter((card) => matches(card, button.dataset.verdict)).length;
    }
    document.getElementById("shown").textContent = `${shown} of ${cards.length} shown`;
    document.getElementById("none").hidden = shown > 0;
  };

  controls.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    for (const key of Object.keys(chosen)) if (key in button.dataset) chosen[key] = button.dataset[key];
    draw();
  });
  search.addEventListener("input", draw);
  controls.hidden = false;
  draw();
})();
