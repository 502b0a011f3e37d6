// In mode `virtual`: hold videos at the page's clock. Time stands until a video has loaded, so it starts at the same
// moment in every run. One that plays is paused, which the page does not see, and sought to the moment of each frame:
// its own playing would show pictures of a moment before or after it.
(() => {
  if (!report) return;
  const Media = HTMLMediaElement.prototype;
  const listen = EventTarget.prototype.addEventListener;
  const now = performance.now.bind(performance);
  const descriptor = (name) => Object.getOwnPropertyDescriptor(Media, name);
  const [position, isPaused, isEnded] = ["currentTime", "paused", "ended"].map(descriptor);
  const { play, pause } = Media;

  const AHEAD_S = 0.0002; // one step of the clock's grid to the frame's moment, and one against rounding

  /** @type {Set<HTMLVideoElement>} */
  const videos = new Set();
  /** @type {WeakMap<HTMLVideoElement, { at: number, since: number, ended: boolean }>} */
  const held = new WeakMap(); // those that play by being sought, with their position in seconds at a moment of the page
  const seekedByPage = new WeakSet(); // until they have been sought

  const isVideo = (element) => element instanceof HTMLVideoElement;
  const onLoad = ({ target }) => {
    if (!isVideo(target)) return;
    videos.add(target);
    report("video loads");
  };
  const onPlay = ({ target }) => {
    if (!isVideo(target)) return;
    videos.add(target);
    if (!held.has(target) && canSeek(target)) hold(target);
    report("video plays");
  };
  const onStop = (event) => {
    if (held.has(event.target)) event.stopImmediatePropagation(); // for the page it goes on playing
  };
  const onSeek = (event) => {
    if (!seekedByPage.has(event.target) && held.has(event.target)) event.stopImmediatePropagation();
    if (event.type === "seeked") seekedByPage.delete(event.target);
  };
  const handlers = {
    loadstart: onLoad,
    play: onPlay,
    pause: onStop,
    ended: onStop,
    seeking: onSeek,
    seeked: onSeek,
  };
  const handled = new WeakSet(); // events: those of a video in the document come to the window, and to the video
  const follow = (target) => {
    for (const [type, handle] of Object.entries(handlers)) {
      const once = (event) => {
        if (!handled.has(event)) handle(event);
        handled.add(event);
      };
      listen.call(target, type, once, true);
    }
  };
  const dispatch = (video, type) => {
    const event = new Event(type);
    handled.add(event);
    queueMicrotask(() => video.dispatchEvent(event));
  };
  follow(window);
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function createElement(...args) {
    const element = create.apply(this, args);
    if (isVideo(element)) {
      follow(element);
      onLoad({ target: element });
    }
    return element;
  };
  listen.call(document, "DOMContentLoaded", () => {
    for (const target of document.querySelectorAll("video")) onLoad({ target });
  });

  const moved = (video) => {
    const { at, since, ended } = held.get(video);
    const seconds = ended ? at : at + ((now() - since) / 1000) * video.playbackRate;
    if (video.loop) return ((seconds % video.duration) + video.duration) % video.duration;
    return Math.min(video.duration, Math.max(0, seconds));
  };
  const canSeek = (video) => {
    const { seekable, duration } = video;
    return Number.isFinite(duration) && seekable.length > 0 && seekable.end(seekable.length - 1) > duration - 0.1;
  };
  const hold = (video) => {
    held.set(video, { at: position.get.call(video), since: now(), ended: false });
    pause.call(video);
  };
  const seek = (video) => {
    const state = held.get(video);
    const seconds = Math.min(video.duration, moved(video) + AHEAD_S);
    if (seconds === video.duration && !video.loop && !state.ended) {
      Object.assign(state, { at: seconds, ended: true });
      dispatch(video, "ended");
    }
    if (seconds !== position.get.call(video)) position.set.call(video, seconds);
  };
  const seekByPage = (video, value) => {
    if (isVideo(video)) {
      seekedByPage.add(video);
      videos.add(video);
      report("video loads");
    }
    position.set.call(video, value);
  };
  const inFrames = (type) => {
    let done = true;
    for (let index = 0; index < frames.length; index++) {
      try {
        done = frames[index].document.dispatchEvent(new Event(type, { cancelable: true })) && done;
      } catch {} // of another site
    }
    return done;
  };
  const isReady = (video) => {
    if (video.seeking) return false;
    if (held.has(video)) return video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    const chosen = video.currentSrc || video.src || video.querySelector("source");
    if (video.error || !chosen || video.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA) return true;
    if (video.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) return true;
    return video.currentSrc && !video.autoplay && video.networkState === HTMLMediaElement.NETWORK_IDLE;
  };
  listen.call(document, "oven-video-ready", (event) => {
    event.stopImmediatePropagation();
    if (!inFrames(event.type) || ![...videos].every(isReady)) event.preventDefault();
  });
  listen.call(document, "oven-video-frame", (event) => {
    event.stopImmediatePropagation();
    let paused = !inFrames(event.type);
    for (const video of videos) {
      if (held.has(video)) {
        seek(video);
      } else if (!isPaused.get.call(video) && canSeek(video)) {
        hold(video);
        paused = true;
      } else if (!isPaused.get.call(video)) {
        report("video cannot be sought");
      }
    }
    if (paused) event.preventDefault();
  });

  const define = (name, original, get, set) =>
    Object.defineProperty(Media, name, {
      ...original,
      get() {
        return held.has(this) ? get(this) : original.get.call(this);
      },
      ...(set && {
        set(value) {
          if (held.has(this)) set(this, value);
          else seekByPage(this, value);
        },
      }),
    });
  define("paused", isPaused, (video) => held.get(video).ended);
  define("ended", isEnded, (video) => held.get(video).ended);
  define("currentTime", position, moved, (video, value) => {
    held.set(video, { at: Number(value), since: now(), ended: false });
    seekByPage(video, value);
  });
  Media.pause = function () {
    if (!held.has(this)) return pause.call(this);
    const seconds = moved(this);
    held.delete(this);
    position.set.call(this, seconds);
    dispatch(this, "pause");
  };
  Media.play = function () {
    if (!held.has(this)) {
      return play.call(this).catch((error) => {
        if (!held.has(this)) throw error; // it was paused here, and goes on by being sought
      });
    }
    if (held.get(this).ended) held.set(this, { at: 0, since: now(), ended: false });
    return Promise.resolve();
  };
})();
