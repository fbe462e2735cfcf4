#!/usr/bin/env node
// `npx busbar` in a built checkout.
await import('./dist/busbar.js')
