importScripts('/features/parts/shared.js');
var top = this === self;
onmessage = function (event) {
  postMessage([shared(event.data), top]);
};
