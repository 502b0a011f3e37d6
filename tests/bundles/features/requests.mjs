// Everything that is asked for while running: by fetch, by XMLHttpRequest, by address.

const here = new URL('./parts/data.json', import.meta.url);

function xhr(address, responseType = '') {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const heard = [];
    request.addEventListener('readystatechange', () => request.readyState === 4 && heard.push('ready'));
    request.onload = () => resolve([request.status, request.getResponseHeader('content-type'), request.response, heard]);
    request.onerror = () => reject(new Error(`cannot get ${address}`));
    request.open('GET', address);
    request.responseType = responseType;
    request.setRequestHeader('x-own', '1');
    request.send();
  });
}

export default async () => {
  const file = await fetch(here);
  const rooted = await fetch('/features/parts/data.json');
  const computed = await fetch(new URL(['parts', 'data.json'].join('/'), import.meta.url));
  const asked = await fetch(new Request('/features/parts/data.json?version=2#x'));
  const missing = await fetch('/features/not/there.json');
  const picture = await (await fetch(new URL('./parts/dot.png', import.meta.url))).arrayBuffer();
  const [status, type, value, heard] = await xhr('/features/parts/data.json', 'json');
  return [
    await file.json(), await rooted.text(), (await computed.json()).list, (await asked.json()).text,
    missing.status, missing.ok, [...new Uint8Array(picture)].slice(0, 4), picture.byteLength,
    status, type, value.list, heard,
    (await xhr('/features/parts/data.json'))[2].length, (await xhr('/features/parts/dot.png', 'arraybuffer'))[2].byteLength,
    (await xhr('/features/not/there'))[0], file.headers.get('content-type'), await (await fetch('data:text/plain,own')).text(),
  ];
};
