// Sends pictures to POST /predict, one at a time, and shows what comes back. Names are put in as text, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const answers = document.getElementById("answers"), drop = document.getElementById("drop"), file = document.getElementById("file");
document.getElementById("said").textContent = data.said;

function add(parent, kind, text) {
  const made = document.createElement(kind);
  made.textContent = text || "";
  return parent.appendChild(made);
}

function percent(p) {
  return p >= 0.995 && p < 1 ? "> 99 %" : p > 0 && p < 0.005 ? "< 1 %" : `${Math.round(100 * p)} %`;
}

async function ask(picture) {
  if (picture.size > data.most) return { error: `the picture has more than ${data.most / 1e6} MB: send a smaller one` };
  try {
    const reply = await fetch("/predict?top=5", { method: "POST", body: picture });
    return await reply.json();
  } catch {
    return { error: "no answer: is cmm serve still running?" };
  }
}

function show(box, answer, name) {
  box.replaceChildren();
  if (answer.error) {
    add(box, "h2", "No answer");
    add(box, "p", answer.error);
    add(box, "p", name).className = "quiet";
    return;
  }
  add(box, "h2", answer.unknown ? "None of these?" : String(answer.top[0][0]));
  for (const [label, p] of answer.top) {
    const row = add(box, "div");
    row.className = "chance";
    add(row, "span", String(label));
    add(add(row, "span"), "i").style.width = `${100 * p}%`;
    add(row, "span", percent(p));
  }
  if (answer.unknown) add(box, "p", "It looks stranger than the pictures of all classes that it knows.").className = "quiet";
  if (answer.unknown === null) add(box, "p", 'It has seen too few pictures to say "none of these".').className = "quiet";
  add(box, "p", name).className = "quiet";
}

let turn = Promise.resolve();
function take(pictures) {
  for (const picture of pictures) {
    const card = document.createElement("article"), image = add(card, "img"), box = add(card, "div");
    answers.prepend(card);
    while (answers.children.length > 50) answers.lastChild.remove();
    image.alt = "";
    image.onload = () => URL.revokeObjectURL(image.src);
    image.onerror = () => image.remove();
    image.src = URL.createObjectURL(picture);
    add(box, "p", "...");
    turn = turn.then(() => ask(picture)).then(answer => show(box, answer, picture.name));
  }
}

file.addEventListener("change", () => { take(file.files); file.value = ""; });
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, event => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
document.addEventListener("paste", event => take(event.clipboardData.files));
