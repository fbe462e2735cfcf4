import type { Row } from '../row.js'
import { replays } from './f01-replays.js'
import { histories } from './f02-histories.js'
import { backlog } from './f03-backlog.js'
import { oddStops } from './f04-odd-stops.js'
import { wrongClocks } from './f05-clocks.js'
import { oddMeters } from './f06-meters.js'
import { killedGateways } from './f07-killed-gateway.js'
import { frozenGateways } from './f08-frozen-gateway.js'
import { twoGateways } from './f09-two-gateways.js'
import { lateCloses } from './f10-late-close.js'
import { halfOpen } from './f11-half-open.js'
import { lostWorkersInMidBatch } from './f12-lost-worker.js'
import { slowWorkers } from './f13-slow-worker.js'
import { postgresStopped } from './f14-postgres-stopped.js'
import { failover } from './f15-failover.js'
import { fullDisk } from './f16-full-disk.js'
import { unknownCommits } from './f17-unknown-commit.js'
import { redisAway } from './f18-redis-away.js'
import { staleCommands } from './f19-stale-commands.js'
import { brokerLost } from './f20-broker-lost.js'
import { kafkaAway } from './f21-kafka-away.js'
import { poisonRecords } from './f22-poison.js'
import { reconnectStorm } from './f23-storm.js'
import { gatewayDeploys } from './f24-gateway-deploy.js'
import { workerDeploys } from './f25-worker-deploy.js'
import { slowStations } from './f26-slow-station.js'
import { floods } from './f27-flood.js'
import { crossing } from './f28-crossing.js'
import { retriedStarts } from './f29-retried-start.js'
import { repeatedJobs } from './f30-repeated-jobs.js'
import { twoFaults } from './f31-pairs.js'
import { idling } from './idle.js'
import { leaving } from './leaving.js'
import { lostWorkers } from './p15-worker-lost.js'
import { lostGateway } from './p16-gateway-lost.js'
import { wrongCredentials } from './t01-wrong-credentials.js'
import { credentialFlood } from './t02-credential-flood.js'
import { duplicateConnections } from './t03-duplicate-connection.js'
import { idEnumeration } from './t04-id-enumeration.js'
import { downgrades } from './t05-downgrade.js'
import { wrongCertificates } from './t06-wrong-certificate.js'
import { bombs } from './t07-bombs.js'
import { slowloris } from './t08-slowloris.js'
import { craftedJson } from './t09-crafted-json.js'
import { fuzz } from './t10-fuzz.js'
import { idTricks } from './t11-id-tricks.js'
import { hostileTexts } from './t12-hostile-texts.js'
import { foreignIds } from './t13-foreign-ids.js'
import { massSwitching } from './t17-mass-switching.js'
import { apiFlood } from './t20-api-flood.js'
import { openServices } from './t22-open-services.js'

/** In the order of the list; what is no fault last. */
export const rows: readonly Row[] = [
  replays,
  histories,
  backlog,
  oddStops,
  wrongClocks,
  oddMeters,
  killedGateways,
  frozenGateways,
  twoGateways,
  lateCloses,
  halfOpen,
  lostWorkersInMidBatch,
  slowWorkers,
  postgresStopped,
  failover,
  fullDisk,
  unknownCommits,
  redisAway,
  staleCommands,
  brokerLost,
  kafkaAway,
  poisonRecords,
  reconnectStorm,
  gatewayDeploys,
  workerDeploys,
  slowStations,
  floods,
  crossing,
  retriedStarts,
  repeatedJobs,
  twoFaults,
  wrongCredentials,
  credentialFlood,
  duplicateConnections,
  idEnumeration,
  downgrades,
  wrongCertificates,
  bombs,
  slowloris,
  craftedJson,
  fuzz,
  idTricks,
  hostileTexts,
  foreignIds,
  massSwitching,
  apiFlood,
  openServices,
  lostWorkers,
  lostGateway,
  leaving,
  idling,
]
