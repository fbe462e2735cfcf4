import { startEmbedded } from '../../support/system.js'
import { playCatalogue } from './play-catalogue.js'

playCatalogue('embedded', startEmbedded)
