// Hangs for ever, before it is ready: what a capture must survive.

for (;;);
