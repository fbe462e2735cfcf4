export type AlarmLevel = 'critical' | 'warning' | 'notice'

/**
 * The events that the standard calls critical; which of them wake somebody is ours.
 * @see OCPP 1.6 security white paper §8
 */
const levels: Readonly<Record<string, AlarmLevel>> = {
  TamperDetectionActivated: 'critical',
  SecurityLogWasCleared: 'critical',
  MemoryExhaustion: 'critical',
  FirmwareUpdated: 'warning',
  SettingSystemTime: 'warning',
  StartupOfTheDevice: 'notice',
  ResetOrReboot: 'notice',
}

/** @returns null for what raises no alarm */
export function alarmLevelOf(type: string): AlarmLevel | null {
  return Object.hasOwn(levels, type) ? (levels[type] ?? null) : null
}

const mask = '***'

/**
 * Free text of a station without what could be a secret: credentials of URLs, values of what is called a key, password,
 * secret or token, anything of the shape of an AuthorizationKey, private keys.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, mask)
    .replace(/(:\/\/)[^/?#\s@]*@/g, `$1${mask}@`)
    .replace(
      /((?:authorizationkey|password|passwd|secret|token)["']?\s*(?:[=:]|is|to)\s*["']?)[^\s"',;]+/gi,
      `$1${mask}`,
    )
    .replace(/\b[0-9a-f]{32,40}\b/gi, mask)
}
