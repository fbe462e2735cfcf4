-- AlterTable
ALTER TABLE "station" ADD COLUMN     "controller_serial_number" TEXT,
ADD COLUMN     "profile_set_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "station_state" ADD COLUMN     "profile_proven_at" TIMESTAMPTZ(3);
