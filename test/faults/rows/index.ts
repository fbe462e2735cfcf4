import type { Row } from '../row.js'
import { replays } from './f01-replays.js'
import { histories } from './f02-histories.js'
import { backlog } from './f03-backlog.js'
import { oddStops } from './f04-odd-stops.js'
import { wrongClocks } from './f05-clocks.js'
import { oddMeters } from './f06-meters.js'

/** In the order of the list. */
export const rows: readonly Row[] = [replays, histories, backlog, oddStops, wrongClocks, oddMeters]
