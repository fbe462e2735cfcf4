export { type CommandIntake, createCommandIntake, type Intake, type IntakeRequest } from './intake.js'
export { createCommandsService } from './service.js'
