// `npm start` on a machine that has nothing but Node: install what is missing, build what changed, run.
import { prepare } from './prepare.mjs'

prepare()
await import('./dist/busbar.js')
