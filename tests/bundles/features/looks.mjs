// Pictures, style sheets and fonts.

import sheet from './parts/sheet.css' with { type: 'css' };

const loaded = (image) => new Promise((resolve, reject) => {
  image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
  image.onerror = () => reject(new Error('no picture'));
});

const picture = (set) => {
  const image = new Image();
  const done = loaded(image);
  set(image);
  return done;
};

export default async (stage) => {
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  stage.innerHTML = '<b class="shown">x</b><i class="imported">y</i>';
  const font = new FontFace('Own', 'url(/features/parts/own.ttf)');
  document.fonts.add(await font.load());
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = new URL('./parts/linked.css', import.meta.url);
  const linked = new Promise((resolve) => { link.onload = resolve; });
  document.head.append(link);
  await linked;
  const look = getComputedStyle(stage.querySelector('.shown'));
  return [
    await picture((image) => { image.src = new URL('./parts/dot.png', import.meta.url); }),
    await picture((image) => { image.src = '/features/parts/dot.png'; }),
    await picture((image) => image.setAttribute('src', '/features/parts/dot.png')),
    await picture((image) => { image.src = new URL('./parts/dot.svg', import.meta.url).href; }),
    await createImageBitmap(await (await fetch('/features/parts/dot.png')).blob()).then(({ width, height }) => [width, height]),
    look.color, look.fontWeight, getComputedStyle(stage.querySelector('.imported')).color, look.backgroundImage !== 'none',
    document.fonts.check('12px Own'), look.letterSpacing,
  ];
};
