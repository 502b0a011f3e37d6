// The websocket: comes back by itself, rests while nobody looks, notices gaps.

const FIRST_DELAY = 1000;
const LAST_DELAY = 30_000;
const JITTER = 0.2; // so that a restarted server is not met by everybody at once

export class Link {
  #socket = null;
  #timer = 0;
  #delay = FIRST_DELAY;
  #seq = 0;

  /** `on`: status(name, delay), hello(message), events(list), gap(), lost(). */
  constructor(path, on) {
    this.url = new URL(path, location.href);
    this.url.protocol = this.url.protocol === "https:" ? "wss:" : "ws:";
    this.on = on;
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("online", () => this.#socket === null && this.#look());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.#look());
  }

  start() {
    this.#look();
  }

  /** For when the other side has gone without a word. */
  restart() {
    this.#close();
    this.#look();
  }

  stop() {
    this.#close();
    this.stopped = true;
  }

  #look() {
    if (this.stopped) return;
    clearTimeout(this.#timer);
    if (document.visibilityState === "hidden") {
      this.#close();
      this.on.status("paused");
    } else if (this.#socket === null) {
      this.#delay = FIRST_DELAY;
      this.#open();
    }
  }

  #open() {
    this.on.status("connecting");
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.addEventListener("message", (message) => this.#socket === socket && this.#read(JSON.parse(message.data)));
    socket.addEventListener("close", () => this.#socket === socket && this.#ended());
  }

  #read(message) {
    if (message.type === "hello") {
      this.#delay = FIRST_DELAY;
      this.#seq = message.seq;
      this.on.status("live");
      this.on.hello(message);
    } else if (message.type === "batch") {
      this.on.events(message.events);
      if (this.#gaps(message)) this.on.gap();
    }
  }

  /** A batch says after which number it comes; "after" a higher one than ours, something was lost on the way. */
  #gaps({ after, seq }) {
    const gap = after > this.#seq;
    this.#seq = Math.max(this.#seq, seq);
    return gap;
  }

  #ended() {
    this.#socket = null;
    const delay = this.#delay * (1 + JITTER * (2 * Math.random() - 1));
    this.#delay = Math.min(LAST_DELAY, this.#delay * 2);
    this.on.status("reconnecting", delay);
    this.#timer = setTimeout(() => this.#open(), delay);
    this.on.lost();
  }

  #close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
