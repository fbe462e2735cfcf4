export { closeCodes, type GatewayConfig, gatewayDefaults } from './config.js'
export { type Gateway, type GatewayPorts, startGateway } from './gateway.js'
