import { describe } from 'vitest'
import { allServices, hasServices, startDistributed } from '../../support/system.js'
import { playCatalogue } from './play-catalogue.js'
import { settings } from './settings.js'

describe.runIf(hasServices())('on Kafka, Redis and Postgres', () => {
  playCatalogue('distributed', () => startDistributed({ gateways: 1, workers: [allServices] }, settings))
})
