import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

export const upload = 'ftp://lab:secret@files.example.com/in'
const image = 'https://firmware.example.com/strict-2.0.bin'

const told = (...statuses: string[]) => statuses.map((status) => ({ status }))

async function updates(lab: Lab, ...statuses: string[]): Promise<void> {
  for (const status of statuses) await lab.tells('FirmwareStatusNotification', { status })
}

const update = (last: 'Installed' | 'InstallationFailed', state: string) => async (lab: Lab) => {
  await lab.asks(wishes.updateFirmware(image), {})
  await lab.showsNewest('transfers', { kind: 'firmware', state: 'accepted' })
  await updates(lab, 'Downloading', 'Downloaded')
  await lab.reports('Unavailable', 0)
  await lab.reports('Unavailable')
  await updates(lab, 'Installing')
  await lab.reconnects()
  await lab.boots()
  await updates(lab, last)
  await lab.showsNewest('transfers', {
    kind: 'firmware',
    state,
    history: told('Downloading', 'Downloaded', 'Installing', last),
  })
}

const diagnostics = (last: 'Uploaded' | 'UploadFailed', state: string) => async (lab: Lab) => {
  await lab.asks(wishes.getDiagnostics(upload), { fileName: 'diagnostics.zip' })
  await lab.tells('DiagnosticsStatusNotification', { status: 'Uploading' })
  await lab.showsNewest('transfers', { kind: 'diagnostics', state: 'running', fileName: 'diagnostics.zip' })
  await lab.tells('DiagnosticsStatusNotification', { status: last })
  await lab.showsNewest('transfers', { kind: 'diagnostics', state, history: told('Uploading', last) })
}

/** Firmware management. */
export const firmware = {
  TC_044_1_CSMS: update('Installed', 'succeeded'),

  TC_044_2_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.updateFirmware(image), {})
    await updates(lab, 'Downloading', 'DownloadFailed')
    await lab.showsNewest('transfers', {
      kind: 'firmware',
      state: 'failed',
      history: told('Downloading', 'DownloadFailed'),
    })
  },

  TC_044_3_CSMS: update('InstallationFailed', 'failed'),

  TC_045_1_CSMS: diagnostics('Uploaded', 'succeeded'),

  TC_045_2_CSMS: diagnostics('UploadFailed', 'failed'),
}
