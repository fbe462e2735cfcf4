import { pino } from 'pino'
import type { RouteContext } from './api.js'
import { allRoutes, createApp } from './app.js'
import { describeRoute, registerOpenApi } from './openapi.js'
import { apiDefaults } from './ports.js'

/** The OpenAPI document that a running API has at /docs/json. Needs nothing but this code. */
export async function describeApi(): Promise<object> {
  const app = createApp(apiDefaults, { log: pino({ level: 'silent' }) })
  app.addHook('onRoute', describeRoute)
  await registerOpenApi(app)
  for (const routes of allRoutes) routes(app, standIn)
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}

/** Routes are only put up, never called: whatever they reach for is there. */
const anything: object = new Proxy(() => anything, { get: () => anything })
const standIn = new Proxy({ config: apiDefaults } as unknown as RouteContext, {
  get: (target, name) => Reflect.get(target, name) ?? anything,
})
