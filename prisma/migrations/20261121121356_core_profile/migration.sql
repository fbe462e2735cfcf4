-- AlterTable
ALTER TABLE "station" ADD COLUMN     "preset" TEXT;

-- AlterTable
ALTER TABLE "station_state" ADD COLUMN     "charge_box_serial_number" TEXT;

-- AlterTable
ALTER TABLE "variable" ADD COLUMN     "is_unknown" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "pending_value" TEXT;

-- CreateTable
CREATE TABLE "desired_availability" (
    "station_id" TEXT NOT NULL,
    "evse_number" INTEGER NOT NULL,
    "connector_number" INTEGER NOT NULL,
    "operative" BOOLEAN NOT NULL,
    "outcome" TEXT NOT NULL,
    "command_id" UUID NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "desired_availability_pkey" PRIMARY KEY ("station_id","evse_number","connector_number")
);
