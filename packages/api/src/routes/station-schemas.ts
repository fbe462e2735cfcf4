import { findPreset, findSwitchFault, suggestPreset } from '@busbar/ocpp'
import type {
  Connector,
  DesiredAvailability,
  Evse,
  SecurityProfileChange as ProfileChangeRow,
  Station as StationRow,
  StationState,
} from '@busbar/store'
import { z } from 'zod'
import { label, nullableTime, protocol, stationId, text, time, toNullableTime, toTime } from '../schemas.js'
import { provenProfileOf, SecurityProfileChange, toProfileChange } from './security-profile.js'
import { toEvses } from './station-connectors.js'

export const registrationPolicy = z
  .enum(['accept', 'reject', 'pending', 'onboarding'])
  .describe('Answer to BootNotification; `pending` until released, `onboarding` until the script is done')

export const registrationState = z.enum(['Accepted', 'Pending', 'Rejected', 'none'])

/** 16 to 40 for OCPP 2.0.1; 2.1 allows 64. */
export const password = z
  .string()
  .regex(/^[ -~]{16,64}$/, '16 to 64 printable ASCII characters')
  .describe('Stored as a keyed hash')

/** Some stations cannot hold a good one; the switch anyPassword lets them. */
export const anyPassword = z.string().regex(/^[ -~]{0,64}$/, 'at most 64 printable ASCII characters')

const seconds = z.int().min(1).max(86_400)

const switches = z.record(text(64), z.union([z.boolean(), z.number(), text(200)])).superRefine((set, context) => {
  for (const [name, value] of Object.entries(set)) {
    const message = findSwitchFault(name, value)
    if (message !== null) context.addIssue({ code: 'custom', path: [name], message })
  }
})

const sortedSet = (values: string[]) => [...new Set(values)].sort()

const changeable = {
  name: text(200).nullable().optional(),
  serialNumber: text(64)
    .nullable()
    .optional()
    .describe('On its type plate: CN of its certificate (security profile 3); null: its id stands for it'),
  siteId: z.uuid().nullable().optional(),
  registrationPolicy: registrationPolicy.optional(),
  pendingIntervalSeconds: seconds.optional().describe('Until a Pending or Rejected station boots again'),
  heartbeatIntervalSeconds: seconds.optional(),
  acceptWithoutBoot: z.boolean().optional().describe('For stations that were moved here and never boot again'),
  controllerSerialNumber: text(64)
    .nullable()
    .optional()
    .describe('CN of the certificate of the local controller it may come through'),
  securityProfile: z
    .int()
    .min(0)
    .max(3)
    .optional()
    .describe('The lowest it gets in with. Setting it also lifts what binds it because it proved a higher one'),
  protocols: z.array(protocol).max(3).optional().describe('What it may speak; empty is all that are enabled'),
  protocolWithoutHeader: protocol.nullable().optional().describe('Assumed when its upgrade names none; null refuses'),
  switches: switches.optional().describe('Tolerances and reactions of its own, by name; see `GET /v1/presets`'),
  preset: text(64)
    .refine((name) => findPreset(name) !== undefined, 'There is no preset of this name')
    .nullable()
    .optional()
    .describe('Switches for its make, which its own overlay'),
  tags: z.array(label).max(50).transform(sortedSet).optional().describe("Any words of the operator's"),
  groupIds: z
    .array(z.uuid())
    .max(100)
    .transform(sortedSet)
    .optional()
    .describe('All groups it is in; see `GET /v1/station-groups`'),
}
export const StationChange = z.strictObject(changeable)
export const StationDraft = z.strictObject({ id: stationId, password: password.optional(), ...changeable })

const GroupName = z.object({ id: z.string(), name: z.string() }).meta({ id: 'StationGroupName' })

const summary = {
  id: z.string(),
  name: z.string().nullable(),
  siteId: z.string().nullable(),
  registrationPolicy,
  registration: registrationState.exclude(['none']).nullable(),
  online: z.boolean(),
  protocol: z.string().nullable(),
  vendor: z.string().nullable(),
  model: z.string().nullable(),
  lastSeenAt: nullableTime,
  tags: z.array(z.string()),
  groups: z.array(GroupName),
}
export const StationSummary = z.object(summary).meta({ id: 'StationSummary' })

export const Desired = z
  .object({
    operative: z.boolean(),
    outcome: z
      .enum(['requested', 'accepted', 'scheduled', 'rejected', 'failed', 'unknown'])
      .describe('What the station said to it; `scheduled`: once its transaction ends'),
    inEffect: z.boolean().describe('Whether that is what the station reports now'),
    requestedAt: time,
    answeredAt: nullableTime,
  })
  .meta({ id: 'DesiredAvailability' })

export const StationConnector = z.object({
  number: z.int(),
  status: z.string().nullable().describe("In the words of the station's version; null before it said any"),
  errorCode: z.string().nullable(),
  info: z.string().nullable(),
  vendorId: z.string().nullable(),
  vendorErrorCode: z.string().nullable(),
  statusAt: nullableTime,
  desired: Desired.nullable().describe('The availability that was last asked for; null when none was'),
})

export const Station = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    serialNumber: z.string().nullable().describe('As registered; what it said itself stands in `boot`'),
    siteId: z.string().nullable(),
    registrationPolicy,
    pendingIntervalSeconds: z.int(),
    heartbeatIntervalSeconds: z.int(),
    acceptWithoutBoot: z.boolean(),
    controllerSerialNumber: z.string().nullable(),
    securityProfile: z.int().describe('The lowest it gets in with, by the operator'),
    provenProfile: z.int().describe('The highest it proved since that was set: it gets in with none lower'),
    securityProfileChange: SecurityProfileChange.nullable().describe('The last one asked for'),
    protocols: z.array(z.string()),
    protocolWithoutHeader: z.string().nullable(),
    switches: z.unknown().describe('Its own'),
    preset: z.string().nullable(),
    suggestedPreset: z.string().nullable().describe('By what it said of itself when it booted'),
    effectiveSwitches: z.unknown().describe("The preset's, overlaid by its own"),
    tags: z.array(z.string()),
    groups: z.array(GroupName),
    createdAt: time,
    updatedAt: time,
    registration: registrationState.exclude(['none']).nullable().describe('null before the first boot'),
    connection: z.object({
      online: z.boolean(),
      gateway: z.string().nullable(),
      protocol: z.string().nullable().describe('Of this connection, or the last one'),
      remoteAddress: z.string().nullable(),
      since: nullableTime.describe('Of the connection, or of its end when offline'),
      lastSeenAt: nullableTime,
    }),
    boot: z
      .object({
        at: nullableTime,
        count: z.int(),
        reason: z.string().nullable(),
        vendor: z.string().nullable(),
        model: z.string().nullable(),
        serialNumber: z.string().nullable(),
        chargeBoxSerialNumber: z.string().nullable().describe('Of 1.6: the charge box inside the charge point'),
        firmwareVersion: z.string().nullable(),
        iccid: z.string().nullable(),
        imsi: z.string().nullable(),
        meterType: z.string().nullable(),
        meterSerialNumber: z.string().nullable(),
      })
      .nullable()
      .describe('What it said about itself; null before the first boot'),
    evses: z
      .array(z.object({ number: z.int(), connectors: z.array(StationConnector) }))
      .describe('EVSE 0, connector 0 is the station itself'),
  })
  .meta({ id: 'Station' })

export const Variable = z
  .object({
    component: z.string(),
    componentInstance: z.string().nullable(),
    evse: z.int().nullable(),
    connector: z.int().nullable(),
    variable: z.string(),
    variableInstance: z.string().nullable(),
    attributeType: z.string(),
    value: z.string().nullable(),
    mutability: z.string().nullable(),
    persistent: z.boolean().nullable(),
    constant: z.boolean().nullable(),
    characteristics: z.unknown(),
    updatedAt: time,
  })
  .meta({ id: 'Variable' })

export interface StationParts {
  station: StationRow
  state: StationState | null
  evses: (Evse & { connectors: Connector[] })[]
  desired: DesiredAvailability[]
  profileChange: ProfileChangeRow | null
  groups: { id: string; name: string }[]
}

export function toStation({
  station,
  state,
  evses,
  desired,
  profileChange,
  groups,
}: StationParts): z.infer<typeof Station> {
  const {
    foldedId: _,
    profileSetAt: __,
    createdAt,
    updatedAt,
    switches: effectiveSwitches,
    ownSwitches,
    ...decided
  } = station
  const provenProfile = provenProfileOf(station, state)
  return {
    ...decided,
    provenProfile,
    securityProfileChange: profileChange && toProfileChange(profileChange, provenProfile),
    switches: ownSwitches,
    effectiveSwitches,
    groups,
    suggestedPreset: suggestPreset(state?.vendor ?? null, state?.model ?? null)?.name ?? null,
    registrationPolicy: registrationPolicy.parse(station.registrationPolicy),
    createdAt: toTime(createdAt),
    updatedAt: toTime(updatedAt),
    registration: registrationState
      .exclude(['none'])
      .nullable()
      .parse(state?.registration ?? null),
    connection: {
      online: state?.online ?? false,
      gateway: state?.online ? state.gatewayId : null,
      protocol: state?.protocol ?? null,
      remoteAddress: state?.remoteAddress ?? null,
      since: toNullableTime((state?.online ? state.connectedAt : state?.disconnectedAt) ?? null),
      lastSeenAt: toNullableTime(state?.lastSeenAt ?? null),
    },
    boot: state?.lastBootAt ? toBoot(state) : null,
    evses: toEvses(evses, desired),
  }
}

function toBoot(state: StationState) {
  return {
    at: toNullableTime(state.lastBootAt),
    count: state.bootCount,
    reason: state.bootReason,
    vendor: state.vendor,
    model: state.model,
    serialNumber: state.serialNumber,
    chargeBoxSerialNumber: state.chargeBoxSerialNumber,
    firmwareVersion: state.firmwareVersion,
    iccid: state.iccid,
    imsi: state.imsi,
    meterType: state.meterType,
    meterSerialNumber: state.meterSerialNumber,
  }
}
