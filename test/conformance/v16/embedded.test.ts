import { startEmbedded } from '../../support/system.js'
import { playCatalogue } from './play-catalogue.js'
import { settings } from './settings.js'

playCatalogue('embedded', () => startEmbedded(settings))
