import { z } from 'zod'
import { ProfileDraft, toChargingProfile16 } from './charging-profile.js'
import { operation } from './operation.js'

const tag = 'Smart charging'

const connector = z.int().min(0).max(65_535).describe('Of OCPP 1.6: the first is 1, 0 is the station')
const seconds = z.int().min(1).max(2_147_483_647)

export const smartChargingOperations = [
  operation({
    path: 'charging-profiles',
    tag,
    summary: 'Limit charging over time',
    description:
      'Replaces the profile of the same id, or of the same purpose and stack level at the connector. ' +
      'The profile counts in our books once the station accepted it.',
    body: z.strictObject({ connector, profile: ProfileDraft }),
    example: {
      connector: 1,
      profile: {
        purpose: 'TxDefaultProfile',
        kind: 'Absolute',
        stackLevel: 0,
        unit: 'A',
        startAt: '2026-03-01T08:00:00Z',
        durationSeconds: 43_200,
        periods: [
          { start: 0, limit: 16 },
          { start: 28_800, limit: 6 },
        ],
      },
    },
    build: {
      'ocpp1.6': async ({ connector, profile: draft }, context) => {
        const { profile, connectorId, warnings } = await toChargingProfile16(draft, {
          ...context,
          use: 'set',
          connector,
        })
        return { action: 'SetChargingProfile', payload: { connectorId, csChargingProfiles: profile }, warnings }
      },
    },
  }),

  operation({
    path: 'charging-profiles/clear',
    tag,
    summary: 'Drop charging profiles',
    description:
      'Those that fit all that is given: a profile by its id alone, or any of the others; all, if none is given.',
    body: z
      .strictObject({
        profileId: z.int().optional(),
        connector: connector.optional(),
        purpose: ProfileDraft.shape.purpose.optional(),
        stackLevel: ProfileDraft.shape.stackLevel.optional(),
      })
      .refine(
        ({ profileId, ...others }) =>
          profileId === undefined || Object.values(others).every((each) => each === undefined),
        'a station that is given an id looks at nothing else: leave the others out',
      ),
    example: { purpose: 'TxDefaultProfile', stackLevel: 0 },
    build: {
      'ocpp1.6': ({ profileId, connector, purpose, stackLevel }) => ({
        action: 'ClearChargingProfile',
        payload: {
          ...(profileId !== undefined && { id: profileId }),
          ...(connector !== undefined && { connectorId: connector }),
          ...(purpose !== undefined && { chargingProfilePurpose: purpose }),
          ...(stackLevel !== undefined && { stackLevel }),
        },
      }),
    },
  }),

  operation({
    path: 'composite-schedule/read',
    tag,
    summary: 'Ask a station what it means to charge with',
    description: 'Its last answer stands beside our own reckoning in GET composite-schedule.',
    body: z.strictObject({ connector, durationSeconds: seconds, unit: ProfileDraft.shape.unit.optional() }),
    example: { connector: 1, durationSeconds: 3_600, unit: 'A' },
    build: {
      'ocpp1.6': ({ connector: connectorId, durationSeconds: duration, unit }) => ({
        action: 'GetCompositeSchedule',
        payload: { connectorId, duration, ...(unit && { chargingRateUnit: unit }) },
      }),
    },
  }),
]
