import { describe } from 'vitest'
import { allServices, hasServices, startDistributed } from '../../support/system.js'
import { playCatalogue } from './play-catalogue.js'

describe.runIf(hasServices())('on Kafka, Redis and Postgres', () => {
  playCatalogue('distributed', (env) => startDistributed({ gateways: 1, workers: [allServices] }, env))
})
