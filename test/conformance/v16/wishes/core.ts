import { wish } from './wish.js'

export const clearCache = () => wish('ClearCache', {}, 'clear-cache', {})

export const reset = (type: 'Hard' | 'Soft') => wish('Reset', { type }, 'reset', { type: type.toLowerCase() })

export const unlock = (connectorId: number) =>
  wish('UnlockConnector', { connectorId }, 'unlock', { connector: connectorId })

export const availability = (connector: number, operative: boolean) =>
  wish(
    'ChangeAvailability',
    { connectorId: connector, type: operative ? 'Operative' : 'Inoperative' },
    'availability',
    { connector, operative },
  )

export const remoteStart = (token: string, connector?: number) =>
  wish(
    'RemoteStartTransaction',
    { idTag: token, ...(connector !== undefined && { connectorId: connector }) },
    'remote-start',
    { token, ...(connector !== undefined && { connector }) },
  )

/** By the id on the wire, or by Busbar's own. */
export const remoteStop = (transactionId: number, transaction?: string) =>
  wish(
    'RemoteStopTransaction',
    { transactionId },
    'remote-stop',
    transaction === undefined ? { transactionId } : { transaction },
  )

export const getConfiguration = (keys?: string[]) =>
  wish('GetConfiguration', keys ? { key: keys } : {}, 'configuration/read', keys ? { keys } : {})

export const changeConfiguration = (key: string, value: string) =>
  wish('ChangeConfiguration', { key, value }, 'configuration/change', { key, value })

export const dataTransfer = (vendorId: string, messageId: string, data: string) =>
  wish('DataTransfer', { vendorId, messageId, data }, 'data-transfer', { vendorId, messageId, data })

export const trigger = (message: string, connector?: number) =>
  wish(
    'TriggerMessage',
    { requestedMessage: message, ...(connector !== undefined && { connectorId: connector }) },
    'trigger',
    { message, ...(connector !== undefined && { connector }) },
  )

export const extendedTrigger = (message: string, connector?: number) =>
  wish(
    'ExtendedTriggerMessage',
    { requestedMessage: message, ...(connector !== undefined && { connectorId: connector }) },
    'trigger',
    { message, extended: true, ...(connector !== undefined && { connector }) },
  )
