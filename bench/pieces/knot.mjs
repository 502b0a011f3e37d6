// A lit knot that turns: a piece of the demo site on all of three.js, as its 387 modules.

import * as THREE from '../npm/three/src/Three.js';

export const surface = 'webgl';

let renderer;
let knot;
const scene = new THREE.Scene();
const camera = new THREE.PerspectiveCamera(45, 1, 0.1, 20);

export function boot({ canvas }) {
  renderer = new THREE.WebGLRenderer({ canvas, antialias: false });
  scene.background = new THREE.Color('midnightblue');
  const gold = new THREE.MeshStandardMaterial({ color: 'gold' });
  knot = new THREE.Mesh(new THREE.TorusKnotGeometry(1, 0.3, 64, 12), gold);
  const light = new THREE.DirectionalLight('white', 3);
  light.position.set(1, 2, 3);
  scene.add(knot, light, new THREE.AmbientLight('white', 0.4));
  camera.position.z = 5;
}

export function paint({ screen, time }) {
  renderer.setSize(screen.width, screen.height, false);
  camera.aspect = screen.width / screen.height;
  camera.updateProjectionMatrix();
  knot.rotation.set(time / 1000, time / 700, 0);
  renderer.render(scene, camera);
}
