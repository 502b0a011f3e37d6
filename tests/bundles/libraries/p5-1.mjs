// A sketch in instance mode. This p5 is one classic script that makes a global.

import 'p5-1';

import { look } from './picture.mjs';

export default (stage) => new Promise((resolve) => {
  new window.p5((p) => {
    p.setup = () => {
      p.pixelDensity(1);
      p.createCanvas(120, 90);
      p.randomSeed(7);
      p.noiseSeed(7);
      p.noLoop();
    };
    p.draw = () => {
      p.background(20, 30, 60);
      p.noStroke();
      for (let i = 0; i < 60; i++) {
        p.fill(p.lerpColor(p.color('tomato'), p.color('gold'), p.noise(i / 9)));
        p.circle(p.random(120), p.random(90), 4 + 8 * p.noise(i));
      }
      resolve({ version: window.p5.VERSION ?? '', ...look(p.drawingContext.canvas), sum: window.p5.Vector.add(p.createVector(1, 2), p.createVector(3, 4)).array?.() });
    };
  }, stage);
});
