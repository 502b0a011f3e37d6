// A runtime for tests: runs the piece and keeps what it returns.

const { module } = JSON.parse(document.getElementById('piece').textContent);
const stage = document.getElementById('aesthetic-computer');
try {
  const { default: run } = await import(module);
  window.result = JSON.stringify(await run(stage));
} catch (error) {
  window.result = `failed: ${error.stack ?? error}`;
}
window.acPieceReady = true;
