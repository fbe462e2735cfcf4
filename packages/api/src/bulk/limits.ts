/** What one operator alone may have sent, over all bulk commands together. */
const stationsAlone = 50
const shareAlone = 0.1
/** How many of the fleet are counted: with more of them the limit is the same. */
export const fleetThatCounts = stationsAlone / shareAlone

/** Stations a minute that need nobody's approval: 50, or a tenth of the fleet where that is less. */
export function unapprovedPerMinute(fleet: number): number {
  return Math.max(1, Math.min(stationsAlone, Math.floor(fleet * shareAlone)))
}

/** Stations a minute that a person may switch command by command: ten of a small fleet, whose operator may be alone. */
export function switchedAlonePerMinute(fleet: number): number {
  return Math.max(10, unapprovedPerMinute(fleet))
}

/**
 * Whether a second operator has to approve. What others wait to send without approval counts too: many small bulk commands
 * are one large one.
 *
 * @param open stations of bulk commands that need no approval and are not over, and those that their maker switched alone
 */
export function needsApproval(wish: { stations: number; pacePerMinute: number }, fleet: number, open: number): boolean {
  // A pace above the number of stations sends no more of them in a minute.
  const aMinute = Math.min(wish.pacePerMinute, wish.stations)
  return wish.stations + open > stationsAlone || aMinute > unapprovedPerMinute(fleet)
}
