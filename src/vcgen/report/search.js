"use strict";
// The filters work by the style sheet alone; this is the search, and how many records are left.
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
      const found = words.every((word) => texts[at].includes(word));
      if (row.hidden === found) row.hidden = !found;
      if (found && classes.every((name) => row.classList.contains(name))) left += 1;
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
  find.parentElement.hidden = false;
  count.hidden = false;
  apply();
}
