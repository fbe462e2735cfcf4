import { expect } from 'vitest'
import type { Lab } from '../lab.js'

/** Data transfer. */
export const dataTransfer = {
  TC_064_CSMS: async (lab: Lab) => {
    const answer = await lab.station.sends('DataTransfer', {
      vendorId: 'com.example.nobody',
      messageId: 'x',
      data: '1',
    })
    expect(answer).toEqual({ status: expect.stringMatching(/^(Rejected|UnknownMessageId|UnknownVendorId)$/) })
    expect((await lab.station.sends('DataTransfer', { vendorId: 'com.example.nobody' })).status).not.toBe('Accepted')
  },
}
