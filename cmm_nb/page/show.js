// A number of the confusions that is pressed shows its pictures alone; pressed again, or Escape: those that were there.
"use strict";
(() => {
  const chosen = document.querySelector(".chosen");
  if (!chosen) return;
  const buttons = [...document.querySelectorAll("button.filter")];
  const tiles = [...document.querySelectorAll("#wrong .tile, #right .tile")];
  const said = chosen.querySelector("span");
  const back = chosen.querySelector("button");
  let last = null;
  const choose = button => {
    const kind = button && button.dataset.kind;
    for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.kind === kind));
    for (const tile of tiles) tile.hidden = kind ? tile.dataset.kind !== kind : tile.closest("#right") !== null;
    const here = tiles.filter(tile => !tile.hidden).length;
    const all = button ? Number(button.textContent) : here;
    said.textContent = button ? button.getAttribute("aria-label") + (here < all ? ` (${here} of them are here)` : "") : "";
    back.hidden = !button;
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
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !back.hidden) choose(null);
  });
})();
