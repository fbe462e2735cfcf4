/** Whether a column of 32 bits holds it; schemas bound no integer, and a refused row would cost the whole batch a redo. */
export function isStorableNumber(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31
}
