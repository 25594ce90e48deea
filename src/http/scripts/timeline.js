// Goes on with the timeline of an incident's page while the page is open. The page is whole without it.
"use strict";
(() => {
  const list = document.querySelector("ol[data-follow]");
  if (!list || !window.EventSource) return;
  const link = document.getElementById("link");
  const changed = document.getElementById("changed");
  // What changes nothing of what stands above the timeline.
  const quiet = ["note", "delivered", "alert_flaps", "source_acknowledged", "statement_drafted"];
  const waitFirst = 5000, waitLast = 60000;
  let last = Number(list.dataset.after), wait = waitFirst, source = null, timer = 0;

  const say = (text) => { if (link.textContent !== text) link.textContent = text; };

  const element = (name, text, soft) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (soft) made.className = "soft";
    return made;
  };

  const to = (words, query, anchor, seq, look, label) => {
    const made = element("a", words);
    made.href = list.dataset.page + "?" + query + "=" + seq + "#" + anchor;
    made.className = look;
    made.setAttribute("aria-label", label + " " + seq);
    return made;
  };

  // As the page writes it.
  const hour = (iso) => new Date(iso).toISOString().slice(0, 19).replace("T", " ") + " UTC";

  const who = (actor) => {
    const [sort, name] = actor.split(/:(.*)/s);
    if (name === undefined) return "onscene";
    return sort === "person" ? name : sort === "automation" ? name + " (a program)" : sort + " " + name;
  };

  const show = (entry) => {
    const line = document.createElement("li");
    const time = element("time", hour(entry.occurred_at), true);
    time.dateTime = entry.occurred_at;
    line.append(time, " ", element("span", (entry.recorded ?? "") + who(entry.actor) + ":", true), " ", entry.text);
    list.prepend(line);
    line.id = "e" + entry.seq;
    line.prepend(to(entry.seq, "entry", line.id, entry.seq, "number", "Entry"), " ");
    if (list.dataset.corrects) line.append(" ", to("correct", "correct", "correct", entry.seq, "soft", "Correct entry"));
    if (quiet.includes(entry.kind) || changed.firstChild) return;
    const again = element("a", "The page has changed: reload it");
    again.href = list.dataset.page;
    const words = element("p", "");
    words.className = "said";
    words.append(again);
    changed.append(words);
  };

  const begin = () => {
    source = new EventSource(list.dataset.follow + "?after=" + last);
    source.addEventListener("open", () => { wait = waitFirst; say("What is new appears here by itself."); });
    source.addEventListener("entry", (event) => {
      const entry = JSON.parse(event.data);
      if (entry.seq <= last) return;
      last = entry.seq;
      // As the page writes it, too: both hours, where there are two.
      const recorded = hour(entry.at);
      if (recorded !== hour(entry.occurred_at)) entry.recorded = "(recorded " + recorded + ") ";
      show(entry);
    });
    source.addEventListener("store", (event) => {
      say(event.data === "away" ? "The store cannot be reached: nothing new appears until it is back."
        : "What is new appears here by itself.");
    });
    source.addEventListener("error", () => {
      say("Not connected at this moment: reload to see what is new.");
      // Browsers come again by themselves, unless they were refused.
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(begin, wait);
      wait = Math.min(wait * 2, waitLast);
    });
  };

  // A page that was left and is shown again goes on where it was.
  addEventListener("pagehide", () => { clearTimeout(timer); source.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
  begin();
})();
