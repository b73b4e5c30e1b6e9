// Times in the reader's time zone, and the age of the page: looked.js calls octflowLooked.
"use strict";
const form = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
for (const element of document.querySelectorAll("time")) {
  const at = new Date(element.dateTime);
  element.title = element.textContent;
  element.textContent = at.toLocaleString("en-GB", form);
}
for (const element of document.querySelectorAll("[data-at]")) {
  element.textContent = new Date(1000 * element.dataset.at).toLocaleString("en-GB", form);
}
function octflowLooked({ looked_s, stale_s }) {
  const line = document.getElementById("age");
  const finished = document.body.dataset.finished === "1";
  const words = (s) =>
    s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min`
      : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
  const tell = () => {
    const age_s = Math.max(0, Date.now() / 1000 - looked_s);
    const stale = !finished && age_s > stale_s;
    const at = new Date(1000 * looked_s).toLocaleString("en-GB", form);
    line.classList.toggle("stale", stale);
    line.textContent = finished ? `All that is expected is done. Looked at ${at}.`
      : stale ? `Old: looked at ${words(age_s)} ago, ${at}. Nothing writes these pages at the moment.`
        : `Looked at ${words(age_s)} ago, ${at}.`;
  };
  tell();
  setInterval(tell, 5000);
}
