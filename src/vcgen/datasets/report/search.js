"use strict";
// Search, filters, and what the bars say; without scripts the style sheet filters, which is slower.
{
  const find = document.getElementById("find");
  const form = find.form;
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const rows = Array.from(document.getElementById("list").children);
  const choices = Array.from(form.querySelectorAll("select"));
  const plain = (text) => text.normalize("NFC").toLowerCase();
  let texts;
  let waiting;

  const apply = () => {
    const words = plain(find.value).split(/\s+/).filter(Boolean);
    if (words.length) texts ??= rows.map((row) => plain(row.textContent));
    const classes = choices.map((choice) => choice.value).filter(Boolean);
    let left = 0;
    rows.forEach((row, at) => {
      const found =
        classes.every((name) => row.classList.contains(name)) &&
        words.every((word) => texts[at].includes(word));
      if (row.hidden === found) row.hidden = !found;
      if (found) left += 1;
    });
    const digits = (number) => number.toLocaleString("en");
    count.textContent = `${digits(left)} of ${digits(rows.length)} shown`;
    none.hidden = left > 0;
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", apply);
  find.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });

  // What a bar says is beside it, once; a title for each would be a third of the page.
  document.getElementById("list").addEventListener("pointerover", ({ target }) => {
    if (!target.matches("rect") || target.firstChild) return;
    const line = target.closest("aside").querySelectorAll("li")[target.dataset.line];
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = line.textContent;
    target.append(title);
  });

  find.parentElement.hidden = false;
  count.hidden = false;
  apply();
}
