// A lit knot in WebGL, and the library's mathematics.

import * as THREE from 'three';

import { hash } from './picture.mjs';

export default function run(stage) {
  const renderer = new THREE.WebGLRenderer({ antialias: false, preserveDrawingBuffer: true });
  renderer.setSize(128, 128);
  stage.append(renderer.domElement);
  const scene = new THREE.Scene();
  scene.background = new THREE.Color('midnightblue');
  const knot = new THREE.Mesh(new THREE.TorusKnotGeometry(1, 0.3, 64, 12), new THREE.MeshStandardMaterial({ color: 'gold' }));
  knot.rotation.set(0.4, 0.7, 0.1);
  const light = new THREE.DirectionalLight('white', 3);
  light.position.set(1, 2, 3);
  scene.add(knot, light, new THREE.AmbientLight('white', 0.4));
  const camera = new THREE.PerspectiveCamera(45, 1, 0.1, 20);
  camera.position.z = 5;
  renderer.render(scene, camera);
  const gl = renderer.getContext();
  const pixels = new Uint8Array(128 * 128 * 4);
  gl.readPixels(0, 0, 128, 128, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const ray = new THREE.Raycaster(new THREE.Vector3(0.8, 0.3, 5), new THREE.Vector3(0, 0, -1));
  return {
    revision: THREE.REVISION,
    colours: new Set(new Uint32Array(pixels.buffer)).size > 100,
    pixels: hash(pixels),
    hits: ray.intersectObject(knot).map(({ distance }) => distance),
    turned: new THREE.Quaternion().setFromEuler(new THREE.Euler(1, 2, 3)).slerp(new THREE.Quaternion(), 0.3).toArray(),
    json: Object.keys(knot.geometry.toJSON()),
    names: Object.keys(THREE).length,
  };
}
