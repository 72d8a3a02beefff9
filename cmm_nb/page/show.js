// A number of the confusions that is pressed shows its pictures alone; pressed again, or Escape: those that were there.
"use strict";
(() => {
  const chosen = document.querySelector(".chosen");
  if (!chosen) return;
  const buttons = [...document.querySelectorAll("button.filter")];
  const tiles = [...document.querySelectorAll("#wrong .tile, #right .tile")];
  const said = chosen.querySelector("span");
  const back = chosen.querySelector("button");
  const more = document.querySelector("button.more");
  const closed = new Set(tiles.filter(tile => tile.hidden));  // until they are asked for
  let last = null;
  const choose = button => {
    const kind = button && button.dataset.kind;
    for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.kind === kind));
    for (const tile of tiles) tile.hidden = kind ? tile.dataset.kind !== kind : closed.has(tile);
    const here = tiles.filter(tile => !tile.hidden).length;
    const all = button ? Number(button.textContent) : here;
    said.textContent = button ? button.getAttribute("aria-label") + (here < all ? ` (${here} of them are here)` : "") : "";
    back.hidden = !button;
    if (more) more.hidden = Boolean(button) || ![...closed].some(tile => tile.closest("#wrong"));
    if (button) {
      last = button;
      chosen.scrollIntoView({ block: "nearest" });
    } else if (last) {
      last.focus({ preventScroll: true });
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button.getAttribute("aria-pressed") === "true" ? null : button));
  }
  back.addEventListener("click", () => choose(null));
  if (more) {
    more.addEventListener("click", () => {
      const next = tiles.find(tile => tile.hidden);
      for (const tile of tiles) if (tile.closest("#wrong")) closed.delete(tile);
      last = null;
      choose(null);
      next.tabIndex = -1;
      next.focus();
    });
  }
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !back.hidden) choose(null);
  });
})();
